"""The path of one release, act by act, through the API alone; each act is one method of ``Story``."""

from __future__ import annotations

import hashlib
import json
import zipfile
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sandbox.core.errors import SandboxError
from sandbox.demo import attempts, ending
from sandbox.demo.cases import CONTRACT, POINTS_NOTE, Case, Ledger
from sandbox.demo.data import HERE, DataSet
from sandbox.demo.space import DemoSpace
from sandbox.demo.world import World, found


class Story:
    """``acts`` lists the acts in order: Chinese, English, method."""

    def __init__(self, space: DemoSpace, data: list[DataSet]) -> None:
        self.space = space
        self.cases = [Case(one) for one in data]
        self.ledger = Ledger()
        self.uses = 20  # of each scenario
        self.world: World
        self.today = datetime.now(UTC).date()
        self.acts = (
            ("登记单位、开户", "Parties and accounts", self.parties),
            ("目录：编制、确认、登记、纳入；负面清单", "Catalogue, negative list", self.catalogue),
            ("授权运营协议", "Agreement", self.agreement),
            ("场景：一场景一申请、一清单一审定", "Scenarios: one list, one determination", self.scenarios),
            ("供给：签名清单、隔离、快照", "Supply: manifest, quarantine, snapshot", self.supplies),
            ("初级加工（脱敏配方）", "Primary processing (recipe)", self.primary),
            ("作业：容器内运行", "Jobs in containers", self.jobs),
            ("出域检查", "Egress check", self.check),
            ("人工评审：两项结论", "Review: two verdicts", self.review),
            ("产品登记与放行", "Registration and release", self.release),
            ("凭证领取", "Taken by token", self.take),
            ("五次不该成功的尝试", "Five attempts that must fail", partial(attempts.attacks, self)),
            ("暂停：作业即停", "Suspension stops jobs", partial(ending.suspend, self)),
            ("终止：删除、证明、封存", "End: deletion, certificate, seal", partial(ending.end, self)),
            ("审计：离线核验", "Audit: offline verification", partial(ending.audit, self)),
        )

    # --- the acts

    def parties(self) -> None:
        self.world = found(self.space.url, self.space.admin_token, self.space.folder)

    def catalogue(self) -> None:
        w = self.world
        for case in self.cases:
            w["sun-provider"].create("catalogue-entry", case.data.entry, case.entry)
            w["qian-provider"].act("catalogue-entry", case.entry, "confirm")
            number = {
                "registration_no": case.data.registration_no,
                "registered_on": self.today.isoformat(),
                "registrar": "公共数据资源登记平台（演示）",
            }
            w["sun-provider"].act("catalogue-entry", case.entry, "register", number)
            w["sun-provider"].act("catalogue-entry", case.entry, "include")
        secret = {**self.cases[0].data.entry, "title_zh": "涉密名册", "title_en": "Secret register"}
        w["sun-provider"].create("catalogue-entry", secret, "ce-secret")
        listed = {"entry": "ce-secret", "reason": "涉及国家秘密", "law": "保守国家秘密法"}
        w["chen-authority"].create("negative-list-entry", listed)
        public = w["han-rival"].get("/public/catalogue")
        self.ledger.facts.append(("公开目录条目 / public entries", str(len(public))))

    def agreement(self) -> None:
        w = self.world
        clauses = self._required_clauses()
        spec = {
            "title": "公共数据授权运营协议（演示）",
            "authoriser": "authority",
            "operator": "operator",
            "mode": "overall",
            "scope": [case.entry for case in self.cases],
            "starts": self.today.isoformat(),
            "ends": (self.today + timedelta(days=700)).isoformat(),
            "security_officer": "安全负责人（演示）",
            "emergency_plan": "应急预案 2026-01",
            "clauses": {name: f"条款：{name}" for name in clauses},
        }
        self.refusal(
            "协议期限超过三年",
            "an agreement longer than three years",
            lambda: w["lin-body"].create(
                "agreement", {**spec, "ends": (self.today + timedelta(days=1200)).isoformat()}
            ),
        )
        w["lin-body"].create("agreement", spec, "ag-demo")
        w["chen-authority"].act("agreement", "ag-demo", "approve", {"decision_ref": "集体决策〔2026〕1号"})
        text = {"text_sha256": hashlib.sha256(json.dumps(spec).encode()).hexdigest()}
        w["zhao-operator"].act("agreement", "ag-demo", "sign", text)
        w["chen-authority"].act("agreement", "ag-demo", "activate", {"receipt": "备案回执 2026-1"})

    def scenarios(self) -> None:
        w = self.world
        for case in self.cases:
            spec = {
                "agreement": "ag-demo",
                "title": f"{case.data.entry['title_zh']}统计",
                "purpose": case.purpose,
                "description": "按组汇总，供公共服务规划参考",
                "list": [{"entry": case.entry, "columns": case.data.columns}],
                "starts": self.today.isoformat(),
                "ends": (self.today + timedelta(days=180)).isoformat(),
                "uses": self.uses,
            }
            case.scenario = w["li-developer"].create("scenario", spec, f"sc-{case.data.name}")["id"]
            answers = {
                "answers": dict.fromkeys(("reasonable", "compliant", "safe"), "yes"),
                "notes": dict.fromkeys(("reasonable", "compliant", "safe"), "最小必要，已核"),
            }
            w["chen-authority"].act("scenario", case.scenario, "assess", answers)
            w["sun-provider"].act("scenario", case.scenario, "assess", answers)
            w["chen-authority"].act("scenario", case.scenario, "approve")
            w["zhao-operator"].act("scenario", case.scenario, "contract", {"text_sha256": CONTRACT})
            w["li-developer"].act("scenario", case.scenario, "accept", {"text_sha256": CONTRACT})

    def supplies(self) -> None:
        connector = self.world["provider-connector"]
        for case in self.cases:
            manifest = {
                "entry": case.entry,
                "agreement": "ag-demo",
                "scenario": case.scenario,
                "key_id": "k1",
            }
            case.supply = connector.supply(manifest, case.data.file, self.world.key)["id"]
        for case in self.cases:
            self.world["lin-body"].wait("supply", case.supply, {"available", "refused"})
            supply = self.world["lin-body"].get(f"/v1/supply/{case.supply}")
            if supply["state"] == "refused":
                raise RuntimeError(f"supply refused: {supply['status']['refused']}")
            snapshot = supply["status"]["snapshot"]
            self.ledger.went_in.append((case.data.name, snapshot["rows"], snapshot["sha256"]))

    def primary(self) -> None:
        w = self.world
        for case in self.cases:
            spec = {
                "scenario": case.scenario,
                "purpose": case.purpose,
                "language": "recipe",
                "recipe": case.data.recipe,
                "inputs": [{"name": case.data.table, "entry": case.entry, "columns": case.data.columns}],
            }
            job = w["zhao-operator"].create("job", spec)["id"]
            done = w["zhao-operator"].wait("job", job, {"kept", "failed", "denied"})
            case.product = done["status"]["keep"]["product"]
            w["zhao-operator"].act("product", case.product, "offer", {"scenario": case.scenario})

    def jobs(self) -> None:
        developer = self.world["li-developer"]
        for case in self.cases:
            case.job = developer.create("job", self.job(case, case.data.job))["id"]
        for case in self.cases:
            self.finished(case.job)

    def check(self) -> None:
        for case in self.cases:
            case.request = self.propose(case, case.job, "分组统计表")
            state = self.checked(case.request)
            if state != "human_review":
                shown = self.world["zhou-reviewer"].get(f"/v1/egress-request/{case.request}")
                raise RuntimeError(
                    f"{state}: {json.dumps(shown['status']['check']['findings'], ensure_ascii=False)}"
                )

    def review(self) -> None:
        w = self.world
        points = self._points()
        mine = self.cases[0].request
        self.refusal(
            "提交方自己审批",
            "the submitter approves",
            lambda: w["li-developer"].act("egress-request", mine, "approve", {"conditions": []}),
        )
        for case in self.cases:
            request = w["zhou-reviewer"].get(f"/v1/egress-request/{case.request}")
            for file in request["status"]["check"]["canonical"]:
                w["zhou-reviewer"].call("GET", f"/v1/egress-request/{case.request}/review/{file['path']}")
            form = {point: {"answer": "pass", "note": POINTS_NOTE["zh"]} for point in points}
            security = {
                "which": "security",
                "verdict": "pass",
                "points": form,
                "note": "逐项核对",
                "no_interest": True,
            }
            business = {
                "which": "business_conformity",
                "verdict": "pass",
                "note": "与场景相符",
                "no_interest": True,
            }
            w["zhou-reviewer"].act("egress-request", case.request, "give_verdict", security)
            w["wu-reviewer"].act("egress-request", case.request, "give_verdict", business)
            if request["status"]["check"]["verdict"] == "hold":
                w["wu-reviewer"].act("egress-request", case.request, "give_verdict", security)
            w["wu-reviewer"].act(
                "egress-request", case.request, "approve", {"conditions": ["仅限本场景使用"]}
            )

    def release(self) -> None:
        developer = self.world["li-developer"]
        for number, case in enumerate(self.cases, 1):
            products = developer.get("/v1/product", label=f"request={case.request}")
            registration = {
                "registration_no": f"GZ-CP-2026-{number:06d}",
                "registered_on": self.today.isoformat(),
            }
            developer.act("product", products[0]["id"], "register", registration)
        for case in self.cases:
            developer.wait("egress-request", case.request, {"released", "recalled"})

    def take(self) -> None:
        developer, rival = self.world["li-developer"], self.world["han-rival"]
        for case in self.cases:
            token = developer.get(f"/v1/egress-request/{case.request}/token")["token"]
            if case is self.cases[0]:
                self.refusal(
                    "另一机构使用该凭证",
                    "another organisation uses the token",
                    lambda request=case.request, token=token: rival.call(
                        "POST", f"/v1/egress-request/{request}/package", json={"token": token}
                    ),
                )
            path = f"/v1/egress-request/{case.request}/package"
            package = developer.call("POST", path, json={"token": token}).content
            out = self.space.folder / "released" / f"{case.data.name}.zip"
            out.parent.mkdir(exist_ok=True)
            out.write_bytes(package)
            with zipfile.ZipFile(out) as bundle:
                for file in json.loads(bundle.read("package.json"))["files"]:
                    self.ledger.left.append(
                        (f"{case.data.name}/{file['path']}", file["sha256"], file["bytes"])
                    )

    # --- how

    def _required_clauses(self) -> list[str]:
        told = json.loads(
            self.space.run(
                "policy",
                "explain",
                "agreement.required_clauses",
                "--profile",
                str(HERE / "profile.yaml"),
                "--format",
                "json",
            )
        )
        clauses: list[str] = told["value"]
        return clauses

    def _points(self) -> list[str]:
        told = json.loads(
            self.space.run(
                "policy",
                "explain",
                "review.points",
                "--profile",
                str(HERE / "profile.yaml"),
                "--format",
                "json",
            )
        )
        points: list[str] = told["value"]
        return points

    def job(self, case: Case, what: dict[str, Any]) -> dict[str, Any]:
        """The specification of a developer's job over the primary product."""
        return {
            "scenario": case.scenario,
            "purpose": case.purpose,
            "inputs": [
                {"name": case.data.table, "product": case.product, "columns": case.data.product_columns}
            ],
            **what,
        }

    def finished(self, job: str) -> None:
        """Wait for a job to end well; anything else is a defect of the demonstration."""
        done = self.world["li-developer"].wait("job", job, {"quarantined", "failed", "denied"})
        if done["state"] != "quarantined":
            raise RuntimeError(f"job {job} {done['state']}: {done['status']}")

    def propose(self, case: Case, job: str, title: str) -> str:
        """Ask for the egress of a job's outputs; gives the request's id."""
        spec = {
            "job": job,
            "title": title,
            "recipient": "developer",
            "purpose": case.purpose,
            "form": "dataset",
        }
        request: str = self.world["li-developer"].create("egress-request", spec)["id"]
        return request

    def checked(self, request: str) -> str:
        """The state in which the check leaves a request."""
        states = {"human_review", "auto_rejected", "held_cross_border"}
        state: str = self.world["li-developer"].wait("egress-request", request, states)["state"]
        return state

    def refusal(self, zh: str, en: str, attempt: Any) -> None:
        """An attempt that must be refused; its code goes on the last page."""
        try:
            attempt()
        except SandboxError as error:
            self.ledger.refused.append((zh, en, error.code))
            return
        raise RuntimeError(f"{en}: was not refused")
