"""What a request is about, as the desk shows it: who asks what, the files as they would leave with what was
changed of them, and the isolation under which they were made."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sandbox.console.labels import VALUES
from sandbox.console.views.resources import title_of
from sandbox.console.visit import BASE, Visit
from sandbox.control.together import Seen
from sandbox.core.resource import Resource
from sandbox.egress.report.words import visible
from sandbox.policy.isolation import GRADES, told

SHOWN = {
    "image/png",
    "image/jpeg",
}  # what a browser may draw by itself; the rest is text or is taken as bytes
GUARANTEES = {
    "network": "网络",
    "filesystem": "文件系统",
    "syscalls": "系统调用",
    "limits": "用量",
    "user": "用户",
    "user_namespace": "用户命名空间",
    "kernel": "内核",
}


@dataclass(frozen=True)
class File:
    """A canonical file: what would leave, byte for byte, and what the check says it changed of what was
    submitted. ``places``: JSON, row and column of the cells that hold another value."""

    path: str
    sha256: str
    bytes: int
    url: str
    earlier_url: str  # the same path in the last release, "" where it cannot be compared cell by cell
    kind: str  # table, image, text or other
    changes: tuple[tuple[str, str], ...]
    places: str


def refs(request: Resource, job: Resource) -> list[tuple[str, str]]:
    """Everything that the page names beside the request: what it is asked under, what it was made of."""
    lineage = job.status.get("lineage") or {}
    return [
        ("organisation", request.organisation),
        ("organisation", request.spec["recipient"]),
        *((kind, request.labels[kind]) for kind in ("scenario", "agreement")),
        ("job", job.id),
        *(("supply", id) for id in lineage.get("supplies", ())),
        *(("product", id) for id in lineage.get("products", ())),
    ]


def _named(visit: Visit, seen: Seen, kind: str, id: str) -> dict[str, str]:
    """A link to another resource by its title, as far as the visitor may see it."""
    found = seen.get((kind, id))
    if found is None:
        return {"code": id}
    return {"url": f"{BASE}/r/{kind}/{id}", "text": f"{title_of(found, visit.lang)} ({id})"}


def asked(visit: Visit, request: Resource, seen: Seen) -> tuple[tuple[str, Any], ...]:
    """Who asks what for whom, under what."""
    say, spec = visit.say, request.spec
    return (
        (say("申请单位"), _named(visit, seen, "organisation", request.organisation)),
        (say("接收方"), _named(visit, seen, "organisation", spec["recipient"])),
        (say("接收方所在地"), spec["recipient_region"]),
        (say("用途"), spec["purpose"]),
        (say("产品形态"), say(VALUES.get(spec["form"], spec["form"]))),
        (say("用途类别"), say(VALUES.get(spec["use_class"], spec["use_class"]))),
        (say("场景"), _named(visit, seen, "scenario", request.labels["scenario"])),
        (say("协议"), _named(visit, seen, "agreement", request.labels["agreement"])),
        (say("作业"), _named(visit, seen, "job", spec["job"])),
        (say("申报为高风险"), say("是") if spec["high_risk"] else say("否")),
    )


def files(visit: Visit, request: Resource) -> tuple[File, ...]:
    """The canonical files in the check's order."""
    found = []
    for one in request.status["check"]["canonical"]:
        path, kind = str(one["path"]), kind_of_file(str(one["path"]))
        base, name = f"{BASE}/review/{request.id}", quote(path)
        changes = one.get("changes")
        places = [place for table in (changes or {}).get("tables", ()) for place in table.get("places", ())]
        found.append(
            File(
                path=visible(path),
                sha256=one["sha256"],
                bytes=int(one.get("bytes", 0)),
                url=f"{base}/file/{name}",
                earlier_url=f"{base}/earlier/{name}" if kind in ("table", "text") else "",
                kind=kind,
                changes=tuple(_changes(visit, one, changes)),
                places=json.dumps(places) if kind == "table" else "[]",
            )
        )
    return tuple(found)


def kind_of_file(path: str) -> str:
    """How the page shows a file of that name: table, image, text, or other (not at all)."""
    guessed = mimetypes.guess_type(path)[0] or ""
    if guessed in SHOWN:
        return "image"
    if path.endswith((".csv", ".tsv")):
        return "table"
    return "text" if path.endswith((".json", ".jsonl", ".txt", ".md")) else "other"


def _changes(
    visit: Visit, file: Mapping[str, Any], changes: Mapping[str, Any] | None
) -> list[tuple[str, str]]:
    """What the check recorded of the way from the submitted file to this one."""
    say = visit.say
    if changes is None:
        return [(say("与提交的文件"), say("检查没有记录改动。"))]
    if changes["source_sha256"] == file["sha256"]:
        return [(say("与提交的文件"), say("逐字节相同。"))]
    size = say("提交 {before} 字节，出域 {after} 字节；按规范形式重写。")
    lines = [
        (say("与提交的文件"), size.format(before=changes["source_bytes"], after=file.get("bytes", 0))),
    ]
    if changes["hidden"]:
        lines.append((say("丢弃的隐藏内容"), say("{n} 处").format(n=changes["hidden"])))
    for table in changes["tables"]:
        name = f"{say('表')} {visible(table['part'])}".strip()
        lines.append(
            (name, "；".join(_table(visit, table)) if visit.lang == "zh" else "; ".join(_table(visit, table)))
        )
    return lines


def _table(visit: Visit, table: Mapping[str, Any]) -> list[str]:
    say = visit.say
    told = [say("{rows} 行 × {columns} 列").format(rows=table["rows"], columns=table["columns"])]
    told += [
        say(text)
        for key, text in (
            ("recomputed", "整表换成检查程序自己算的数"),
            ("rows_moved", "行重新排序"),
            ("columns_moved", "列重新排序"),
        )
        if table[key]
    ]
    if table.get("changed") is None:
        return [*told, say("表太大，没有逐格比较")]
    counted = [
        say(text).format(n=table[key])
        for key, text in (
            ("changed", "值不同 {n} 格"),
            ("rewritten", "值相同、写法不同 {n} 格"),
            ("emptied", "变空 {n} 格"),
        )
        if table[key]
    ]
    return [*told, *(counted or [say("各格的值都没有变")])]


@dataclass(frozen=True)
class Proof:
    """The isolation of the tasks behind a request: ``tasks`` head the columns, a line each guarantee."""

    tasks: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]


def isolation(visit: Visit, request: Resource, job: Resource) -> Proof:
    """What the packages of releases say of it (``policy.isolation.told``), task by task."""
    say = visit.say
    told_of = [
        (say("授权视图"), _told(job.status.get("run"))),
        (say("作业"), _told(job.status.get("outcome"))),
        (say("检查"), _told(request.status["check"].get("isolation"))),
    ]
    kept = [(name, one) for name, one in told_of if one]
    if not kept:
        return Proof((), ())
    lines = [
        (say("执行器"), tuple(visible(one.get("executor", "—")) for _, one in kept)),
        (say("运行时"), tuple(visible(one.get("runtime", "—")) for _, one in kept)),
    ]
    lines += [
        (say(label), tuple(_grade(visit, guarantee, one) for _, one in kept))
        for guarantee, label in GUARANTEES.items()
    ]
    lines += [
        (say("突破尝试（拒绝 / 尝试）"), tuple(_attempts(one) for _, one in kept)),
        (say("配置哈希"), tuple(visible(one.get("config_sha256", "—"))[:16] for _, one in kept)),
    ]
    return Proof(tuple(name for name, _ in kept), tuple(lines))


def _told(proof: Any) -> dict[str, Any]:
    """The proof of a task; {} where none of its form was kept."""
    if not isinstance(proof, Mapping) or not isinstance(proof.get("isolation") or {}, Mapping):
        return {}
    return told(proof)


def _grade(visit: Visit, guarantee: str, proof: Mapping[str, Any]) -> str:
    name = (proof.get("grades") or {}).get(guarantee, "")
    return next((visit.named(one) for one in GRADES[guarantee] if one.name == name), visible(name) or "—")


def _attempts(proof: Mapping[str, Any]) -> str:
    tried, refused = proof.get("attempts_tried"), proof.get("attempts_refused")
    return "—" if tried is None else f"{visible(refused)} / {visible(tried)}"
