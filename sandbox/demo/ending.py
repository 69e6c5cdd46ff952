"""The acts that end it: suspension, termination with its certificate, the audit log held against a change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.demo.story import Story


def suspend(story: Story) -> None:
    """A suspension stops what runs and refuses what comes; then it is lifted."""
    body, developer = story.world["lin-body"], story.world["li-developer"]
    case = story.cases[0]
    sleeper = {
        "language": "python",
        "entry": "sleep.py",
        "code": {"sleep.py": "import time\ntime.sleep(600)\n"},
        "outputs": [{"path": "never.csv", "kind": "table"}],
    }
    job = developer.create("job", story.job(case, sleeper))["id"]
    developer.wait("job", job, {"running"})
    before = datetime.now(UTC)
    body.act("agreement", "ag-demo", "suspend", {"reason": "发现隐患，暂停供给"})
    developer.wait("job", job, {"killed"}, 10)
    took = (datetime.now(UTC) - before).total_seconds()
    story.ledger.facts.append(("暂停到作业记为终止 / suspension to job marked killed", f"{took:.1f} s"))
    story.refusal(
        "暂停期间提交作业",
        "a job during the suspension",
        lambda: developer.create("job", story.job(case, case.data.job)),
    )
    body.act("agreement", "ag-demo", "resume", {"reason": "整改已核验"})


def end(story: Story) -> None:
    """Termination, handing over, deletion with its certificate, the sealed log."""
    body, operator = story.world["lin-body"], story.world["zhao-operator"]
    body.act("agreement", "ag-demo", "terminate", {"ground": "期满", "law": "GD 39(一)"})
    operator.act("agreement", "ag-demo", "hand_over", {"reason": "交接完毕"})
    while True:
        agreement = body.get("/v1/agreement/ag-demo")
        certificate = agreement["status"].get("certify")
        if certificate:
            break
    removed = sum(item["bytes"] for item in certificate["removed"])
    story.ledger.facts.append(
        (
            "删除证明：文件、字节、密钥、剩余 / deletion: files, bytes, keys, left",
            f"{len(certificate['removed'])}, {removed:,}, "
            f"{certificate['keys_destroyed']}, {certificate['left']}",
        )
    )
    body.act("agreement", "ag-demo", "verify_deletion")
    sealed = body.wait("agreement", "ag-demo", {"terminated"})
    body.act("agreement", "ag-demo", "close", {"receipt": "终止备案 2026-1"})
    seal = sealed["status"]["seal_logs"]
    story.ledger.facts.append(("日志保存至少到 / log kept at least until", seal["purge_not_before"]))


def audit(story: Story) -> None:
    """The exported log verifies against a checkpoint, and with one byte changed it does not."""
    auditor = story.world["xu-auditor"]
    bundle = story.space.folder / "audit.tar"
    bundle.write_bytes(auditor.call("GET", "/v1/audit/bundle").content)
    checkpoint = story.space.folder / "checkpoint.txt"
    checkpoint.write_text(auditor.call("GET", "/public/checkpoint").text)
    story.space.run("audit", "verify", str(bundle), "--checkpoint", str(checkpoint))
    changed = bytearray(bundle.read_bytes())
    position = changed.index(b'"release"')
    changed[position + 1] ^= 1
    tampered = story.space.folder / "audit-tampered.tar"
    tampered.write_bytes(changed)
    story.space.run("audit", "verify", str(tampered), "--checkpoint", str(checkpoint), ok=(1,))
    entries = auditor.get("/v1/audit", limit=1000)
    refused = sum(1 for entry in entries if entry["outcome"] == "refused")
    story.ledger.facts.append(
        (
            "审计记录（拒绝），改一字节即发现 / log entries (refused), verified; a change is found",
            f"{len(entries)} ({refused})",
        )
    )
