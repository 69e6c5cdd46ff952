"""The chain of custody of a supply: who handed what to whom, when, under which hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.console.visit import Visit
from sandbox.console.words import when
from sandbox.core.resource import Resource


@dataclass(frozen=True)
class Link:
    """One hand-over, as ``macros.timeline`` has it. ``done``: it has happened."""

    text: str
    time: str
    who: str
    note: str
    sha256: str
    kind: str = "ok"


Chain = tuple[Link, ...]


def _announced(visit: Visit, supply: Resource) -> Link | None:
    manifest = supply.spec.get("manifest")
    if not manifest:
        return None
    note = visit.say("清单由密钥 {key} 签名；{bytes} 字节，{format}").format(
        key=manifest["key_id"], bytes=f"{manifest['bytes']:,}", format=manifest["format"].upper()
    )
    at = supply.status.get("accepted", {}).get("at", "")
    by = supply.status.get("create", {}).get("by") or supply.organisation
    return Link(visit.say("发起供给"), when(at or supply.created_at), by, note, manifest["sha256"])


def _delivered(visit: Visit, supply: Resource) -> Link | None:
    told = supply.status.get("deliver")
    if not told:
        return None
    same = told.get("sha256") == supply.spec.get("manifest", {}).get("sha256")
    note = visit.say("与清单一致，进入隔离区") if same else visit.say("与清单不一致")
    return Link(
        visit.say("送达并隔离"), when(told["at"]), told.get("by", ""), note, told.get("sha256", ""),
        "ok" if same else "hard",
    )  # fmt: skip


def _loaded(visit: Visit, supply: Resource) -> Link | None:
    told = supply.status.get("snapshot")
    if not told:
        return None
    note = visit.say("快照 {rows} 行，{entities} 个主体；原送达文件已删除").format(
        rows=f"{told['rows']:,}", entities=f"{told['entities']:,}"
    )
    return Link(visit.say("检查并装载"), when(told.get("at", "")), visit.say("系统"), note, told["sha256"])


def _refused(visit: Visit, supply: Resource) -> Link | None:
    told = supply.status.get("refused")
    if not told:
        return None
    return Link(
        visit.say("拒绝装载"),
        when(told.get("at", "")),
        visit.say("系统"),
        str(told.get("code", "")),
        "",
        "hard",
    )


def _signed(event: str, label: str, kind: str = "ok") -> Callable[[Visit, Resource], Link | None]:
    def made(visit: Visit, supply: Resource) -> Link | None:
        told: Mapping[str, Any] = supply.status.get(event) or {}
        if "at" not in told:
            return None
        by = told.get("by", "")
        return Link(
            visit.say(label), when(told["at"]), visit.say("系统") if by == "system" else by,
            str(told.get("cause", "")), "", kind,
        )  # fmt: skip

    return made


LINKS: tuple[Callable[[Visit, Resource], Link | None], ...] = (
    _announced,
    _delivered,
    _refused,
    _loaded,
    _signed("open", "开放使用"),
    _signed("pause", "暂停", "hold"),
    _signed("resume", "恢复"),
    _signed("emergency_stop", "紧急停止", "hard"),
    _signed("destroy", "销毁", "idle"),
)


def chain(visit: Visit, supply: Resource) -> Chain:
    """The hand-overs so far in the order of time, as far as the visitor may see them."""
    found = [link for one in LINKS if (link := one(visit, supply)) is not None]
    return tuple(sorted(found, key=lambda one: one.time))
