"""A proposal as a catalogue entry's fields, for a person to edit, confirm and apply; and where an entry says
less than the proposal. Reads no row: both planes use it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from sandbox.desensitize.profile.model import FieldProposal, Profile

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# A role -> the proposed ones that ask for more checks than it.
_UNDONE = {
    "other": ("sensitive", "quasi", "identifier"),
    "quasi": ("identifier",),
    "sensitive": ("identifier",),
}
_CERTAIN = 0.6  # confidence from which a laxer entry is told


def names(fields: Sequence[FieldProposal]) -> list[str]:
    """A distinct name that an entry accepts for each field: its own, else its kind, else its place."""
    found: list[str] = []
    for place, one in enumerate(fields, 1):
        wanted = one.name if _NAME.fullmatch(one.name) else one.kind or f"field_{place}"
        taken = {name.casefold() for name in found}
        chosen = wanted if wanted.casefold() not in taken else f"{wanted[:58]}_{place}"
        found.append(chosen)
    return found


def entry_fields(profile: Profile) -> list[dict[str, Any]]:
    """The fields of a catalogue entry (``EntryField`` in JSON form); titles are the column's own name."""
    return [
        {
            "name": name,
            "title_zh": one.name or name,
            "title_en": one.name or name,
            "type": one.type,
            "category": one.category,
            "level": one.level,
            "flags": list(one.flags),
            "role": one.role,
        }
        for name, one in zip(names(profile.fields), profile.fields, strict=True)
    ]


def fields_yaml(profile: Profile) -> str:
    """The entry's part that a profile can propose, as YAML: a line a field, its reasons as comments above.

    Entity, ``sensitive_group`` and the fields are proposed; title, category and frequency of the entry itself
    are left for the provider to write.
    """
    listed = names(profile.fields)
    entity = dict(zip((one.name for one in profile.fields), listed, strict=True)).get(profile.entity or "")
    lines = [
        "# 由 sandbox profile 提议，须由人核对、修改并确认；确认前不是分级结果。",
        "# Proposed by sandbox profile: to be looked at, edited and confirmed by a person.",
        *(f"# {reason.zh()} / {reason.en()}" for reason in profile.reasons),
        f"entity: {_flow(entity)}",
        f"sensitive_group: {_flow(profile.sensitive_group)}",
        "fields:",
    ]
    for one, made in zip(profile.fields, entry_fields(profile), strict=True):
        lines.append(f"  # {one.kind or '-'} {one.confidence:.2f}")
        lines += [f"  #   {reason.zh()} / {reason.en()}" for reason in one.reasons]
        lines.append(f"  - {_flow(made)}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=100_000, default_flow_style=True)
    return str(text).removesuffix("...\n").strip()


def laxer(entry: Mapping[str, Any], profile: Profile) -> list[dict[str, Any]]:
    """Where a catalogue entry says less than the proposal: rows ``{"field", "what", "entry", "proposed",
    "confidence", "codes"}``; ``what``: level, flag, role, or of the entry itself entity or sensitive_group.

    Stricter entries are no difference, nor are proposals of little confidence: nobody would defend those.
    """
    proposed = {one.name: one for one in profile.fields}
    found = _of_entry(entry, profile)
    for given in entry["fields"]:
        one = proposed.get(str(given["name"]))
        if one is None or one.confidence < _CERTAIN:
            continue
        said: list[tuple[str, Any, Any]] = []
        if one.kind and int(given["level"] or 1) < one.level:
            said.append(("level", given["level"], one.level))
        said += [("flag", None, flag) for flag in one.flags if flag not in given.get("flags", ())]
        role = str(given.get("role", "other"))
        if one.role in _UNDONE.get(role, ()):
            said.append(("role", role, one.role))
        codes = [reason.code for reason in one.reasons]
        found += [
            {"field": one.name, "what": what, "entry": entry, "proposed": more,
             "confidence": one.confidence, "codes": codes}
            for what, entry, more in said
        ]  # fmt: skip
    return found


def _of_entry(entry: Mapping[str, Any], profile: Profile) -> list[dict[str, Any]]:
    """The same of what an entry says of the whole table."""
    whole: list[tuple[str, str, Any, float, list[str]]] = []
    declared = entry.get("entity")
    if profile.entity is not None and profile.entity != declared:
        found = profile.field(profile.entity)
        codes = [reason.code for reason in found.reasons]
        whole.append(("entity", profile.entity, declared, found.confidence, codes))
    if profile.sensitive_group and not entry.get("sensitive_group", False):
        codes = [reason.code for reason in profile.reasons]
        whole.append(("sensitive_group", "", False, 0.8, codes))
    return [
        {"field": field, "what": what, "entry": said, "proposed": field or True,
         "confidence": confidence, "codes": codes}
        for what, field, said, confidence, codes in whole
    ]  # fmt: skip
