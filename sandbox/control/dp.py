"""What the control plane asks of the budget of differential privacy beside the tables: which question a job
is, and what a question would cost before it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sandbox.authorisation.dp_budget import NAME as BUDGET
from sandbox.authorisation.dp_budget import (
    caps,
    round_down,
    rules_of,
    scope_id,
    sum_of,
    told_epsilon,
)
from sandbox.control.door import Control, Sight
from sandbox.core.actor import Actor
from sandbox.core.errors import SandboxError, fail
from sandbox.core.lifecycle import Case
from sandbox.core.resource import Resource
from sandbox.desensitize.dp.accounting import expected
from sandbox.desensitize.dp.spec import validate_query
from sandbox.operation import dp, job
from sandbox.operation.dp_release import NAME as RELEASE
from sandbox.operation.dp_release import DpRelease, release_id
from sandbox.operation.job_spec import JobSpec

# what an estimate asks of a job that does not exist: all that its submission would, except for the money
ASKED = (job.well_formed, job.grant_holds, job.columns_granted, job.question_fits)


@dataclass(frozen=True)
class Asked:
    """A job's question, the column that names the entity, and name and type of every column of its table."""

    question: DpRelease
    entity: str
    fields: list[dict[str, str]]


def asked_of(control: Control, job: Resource) -> Asked:
    """What a started job asks, as the grant and the catalogue are now."""
    spec = JobSpec.model_validate(job.spec)
    with control.store.read() as reader:
        case = _case(control, Sight(reader), job, None, None)
        question = dp.question(case, spec, job.status["lineage"], job.organisation, job.id)
        return Asked(question, dp.entity_of(case, spec.inputs[0]), _fields(case, spec))


def _fields(case: Case, spec: JobSpec) -> list[dict[str, str]]:
    """Name and type of the columns of a job's one table."""
    table = spec.inputs[0]
    if table.entry is not None:
        entry = case.world.get("catalogue-entry", table.entry)
        columns = entry.spec["fields"] if entry else []
    else:
        product = case.world.get("product", table.product or "")
        columns = product.spec["columns"] if product else []
    return [{"name": one["name"], "type": one["type"]} for one in columns if one["name"] in table.columns]


def _case(control: Control, sight: Sight, row: Resource, actor: Any, payload: Any) -> Case:
    return Case(row, actor, payload, control.policy, control.clock(), sight, control.term)


def estimate(control: Control, actor: Actor, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a job with specification ``told`` (language dp) would cost its scopes, and what they have left.

    Nothing is charged and no row is touched: the answer follows from the query, the policy and what was
    charged before. Raises what the submission of the job would raise, BUDGET apart; refusals are logged as
    those are.
    """
    try:
        spec = JobSpec.model_validate(dict(told))
        if spec.language != "dp":
            raise fail("DP_ONLY")
        with control.store.read() as reader:
            sight = Sight(reader)
            row = Resource("job", "-", actor.organisation, "", {})
            case = _case(control, sight, row, actor, spec)
            for guard in ASKED:
                guard(case)
            scenario = sight.get("scenario", spec.scenario)
            assert scenario is not None
            lineage = job.lineage_of(spec, scenario, sight)
            question = dp.question(case, spec, lineage, actor.organisation, "-")
            return _told(case, spec, question)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "spec"
        raise fail("MALFORMED", what=where, why=first["msg"]) from error
    except SandboxError as error:
        control.note(actor, "estimate", "job/-", reason=error.code)
        raise


def _told(case: Case, spec: JobSpec, question: DpRelease) -> dict[str, Any]:
    release = release_id(question.asked_sha256, question.draw)
    known = case.world.get(RELEASE, release)
    rules = rules_of(case, question.agreement)
    scopes = []
    for scope in question.scopes:
        before = sum_of(case.world.get(BUDGET, scope_id(scope)))
        bound = min(before.delta_bound, question.delta_bound)
        cap = caps(scope.level, case.policy, rules, bound)
        left, left_delta = cap.nano_rho - before.nano_rho, cap.delta_e15 - before.delta_e15
        scopes.append(
            {
                **{key: value for key, value in scope.model_dump().items() if value},
                "spent_nano_rho": before.nano_rho,
                "cap_nano_rho": cap.nano_rho,
                "left_nano_rho": max(left, 0),
                "left_epsilon": round_down(told_epsilon(max(left, 0), bound)),
                "left_delta_e15": max(left_delta, 0),
                "holds": known is not None
                or (question.nano_rho <= left and question.delta_e15 <= left_delta),
            }
        )
    return {
        "release": release,
        "state": known.state if known else "",
        "nano_rho": 0 if known else question.nano_rho,
        "delta_e15": 0 if known else question.delta_e15,
        "epsilon": "0.0000" if known else question.epsilon,
        "delta": f"{question.delta_bound}e-15",
        "holds": all(scope["holds"] for scope in scopes),
        "scopes": scopes,
        "expected": expected(validate_query(spec.query)),
    }
