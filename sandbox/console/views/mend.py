"""What was objected to, what ``sandbox egress mend`` can do about it, and a follow-up job prepared from it.

A submitter knows of a check which files, which families of rules, how severe (``sandbox.review.coarse``).
Nothing here is derived from more: the protections are those that exist for a family, the columns those that
the submitter has declared, the threshold is the policy's. What the data say is for the checker alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from sandbox.console.render import render, told
from sandbox.console.views.develop import Held, held_of, said_of
from sandbox.console.views.job_form import job_page, manifest_of
from sandbox.console.views.resources import title_of
from sandbox.console.visit import BASE, Visit
from sandbox.control.kinds import kind_of
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource
from sandbox.review.egress_request import NAME

# family -> the protections of ``sandbox egress mend`` that help against one of its rules, least loss first; a
# test holds it to that command's table. A family that is not here cannot be mended by a machine.
BY_FAMILY: dict[str, tuple[str, ...]] = {
    "scope": ("drop",),
    "raw": ("round", "merge", "suppress", "drop"),
    "disclosure": ("top-code", "round", "merge", "suppress", "drop"),
}
# what each does to a table, and to which of the declared columns
PROTECTIONS = {
    "top-code": ("两端归并", "把最高和最低的数值并入“…及以上”“…及以下”。", "measures"),
    "round": ("取整", "计数取到 5 或 10 的倍数，指标减少位数。", "counts"),
    "merge": ("合并类别、放宽分段", "把人数少的类别并入“其他”或相邻分段。", "dimensions"),
    "suppress": ("抑制小格", "人数低于门限的格不输出，并再抑制几格，使其不能由合计相减得出。", "counts"),
    "drop": ("删除列", "不输出未声明的列和标识列。", ""),
}
BASES = (5, 10)  # that counts may be rounded to: the checker knows no other
MOST_CELL = 10_000


@dataclass(frozen=True)
class Step:
    """A protection as it would be applied to a file: the declared columns that it touches."""

    name: str
    label: str
    text: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A held file: what objected, what can be done, and whether a follow-up can be prepared for it."""

    path: str
    held: tuple[Held, ...]
    steps: tuple[Step, ...]
    prepared: bool


@dataclass(frozen=True)
class MendPage:
    """What ``mend.html`` shows."""

    id: str
    title: str
    state_label: str
    request_url: str
    job: str
    files: tuple[File, ...]
    reasons: tuple[str, ...]
    threshold: int
    bases: tuple[int, ...]
    can_prepare: bool
    trial: str  # the commands that show the cost of each protection on dummy data


def _found(visit: Visit) -> tuple[Resource, Resource]:
    """The request and its job; both are of the visitor's organisation. Raises NOT_FOUND."""
    request = visit.control.get(visit.actor, NAME, visit.segment("id"))
    if request.organisation != visit.actor.organisation:
        raise fail("NOT_FOUND", kind=NAME, id=request.id)  # a recipient is told nothing of a check
    return request, visit.control.get(visit.actor, "job", request.spec["job"])


def _declared(job: Resource) -> dict[str, Mapping[str, Any]]:
    return {one["path"]: one for one in job.spec.get("outputs", ())}


def _file(
    path: str, held: tuple[Held, ...], declared: Mapping[str, Any] | None, sql: bool, visit: Visit
) -> File:
    names = [name for family in {one.name for one in held} for name in BY_FAMILY.get(family, ())]
    steps = tuple(
        Step(name, visit.say(label), visit.say(text), tuple((declared or {}).get(key, ())) if key else ())
        for name, (label, text, key) in PROTECTIONS.items()
        if name in names
    )
    table = declared is not None and declared["kind"] == "table" and bool(declared.get("counts"))
    return File(path, held, steps, bool(sql and table and {"round", "suppress"} & set(names)))


def model(visit: Visit, request: Resource, job: Resource) -> MendPage:
    """The page of a request that the door has shown."""
    by_path: dict[str, list[Held]] = {}
    for one in held_of(visit, request):
        by_path.setdefault(one.path, []).append(one)
    declared = _declared(job)
    sql = job.spec["language"] == "sql"
    files = tuple(_file(path, tuple(held), declared.get(path), sql, visit) for path, held in by_path.items())
    return MendPage(
        id=request.id,
        title=title_of(request, visit.lang),
        state_label=visit.named(kind_of(NAME).state(request.state)),
        request_url=f"{BASE}/r/{NAME}/{request.id}",
        job=job.id,
        files=files,
        reasons=said_of(request),
        threshold=int(visit.control.policy.get("egress.min_cell")),
        bases=BASES,
        can_prepare=any(one.prepared for one in files),
        trial=_trial(job),
    )


def _trial(job: Resource) -> str:
    """``sandbox job try`` and ``sandbox egress mend`` for this job, as its submitter would type them."""
    outputs = " ".join(f"trial/outputs/{one['path']}" for one in job.spec.get("outputs", ()))
    raws = " ".join(f"--raw {one['name']}=trial/data/{one['name']}.parquet" for one in job.spec["inputs"])
    return f"sandbox job try job.yaml --keep trial\nsandbox egress mend {outputs} {raws} --out mended"


def page(visit: Visit, error: SandboxError | None = None) -> Response:
    """What objects and what can be done. Raises NOT_FOUND."""
    request, job = _found(visit)
    status = error.status if error else 200
    return render(
        visit,
        "mend.html",
        status,
        page=model(visit, request, job),
        errors=[told(visit, error)] if error else [],
    )


def prepare(visit: Visit) -> Response:
    """The job of the request once more, with the chosen protections written under its SQL: the form of a job,
    filled in; nothing is created before it is submitted. Raises NOT_FOUND."""
    request, job = _found(visit)
    shown = model(visit, request, job)
    form = visit.form
    base, least = form.get("base", ""), form.get("least", "").strip()
    suppress = form.get("suppress") == "on"
    if base not in ("", *map(str, BASES)) or (suppress and not _whole(least)):
        return page(visit, fail("FORM_NUMBER", field=visit.say("人数门限") if suppress else "base"))
    spec = {key: value for key, value in job.spec.items() if value not in (None, "", [], {})}
    code = dict(spec.pop("code", {}))
    if not shown.can_prepare or not (base or suppress) or job.spec["entry"] not in code:
        return page(visit, fail("MEND_NOTHING"))
    entry, declared = job.spec["entry"], _declared(job)
    added = "\n".join(
        protected(declared[one.path], int(base or 0), int(least) if suppress else 0)
        for one in shown.files
        if one.prepared
    )
    spec |= {"code": code} if code.keys() - {entry} else {}
    text = f"{code.pop(entry).rstrip().rstrip(';')};\n\n{added}\n"
    notes = (
        visit.say("代码末尾已加上所选的保护，原作业不变；请核对后预检、提交，再申请出域。"),
        visit.say("门限按主体计，代码里的计数若按行数，请改为按主体；相减可得的格须再抑制。"),
    )
    return job_page(visit, manifest=manifest_of(spec), code=text, notes=notes)


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= MOST_CELL


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def protected(output: Mapping[str, Any], base: int, least: int) -> str:
    """SQL that rounds the declared counts of an output's table to multiples of ``base`` (0: not) and leaves
    out rows of which one is below ``least`` (0: none)."""
    table = _quoted(output["path"].rpartition(".")[0])
    counts = [_quoted(one) for one in output["counts"]]
    rounded = ", ".join(f"CAST(round({one} / {base}.0) * {base} AS BIGINT) AS {one}" for one in counts)
    columns = f"* REPLACE ({rounded})" if base else "*"
    kept = " AND ".join(f"{one} >= {least}" for one in counts)
    where = f"\nWHERE {kept}" if least else ""
    return f"CREATE OR REPLACE TABLE {table} AS\nSELECT {columns} FROM {table}{where};"
