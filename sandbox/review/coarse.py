"""What a submitter may know of a check: which file, which family of rules, how to mend. Pure.

The exact rule, its threshold, place and count would answer questions about the raw data, one a submission:
a detailed refusal is an oracle. The reviewer sees all of it; everybody else is given what stands here, and
``coarse`` is the only way to it (the kind's ``view``, which every read, version, list and report passes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.egress.families import EXTRA, FAMILIES, family
from sandbox.egress.messages import RULES

_ORDER = ("hard", "hold", "flag")


def coarse(check: Mapping[str, Any]) -> dict[str, Any]:
    """A stored check as a submitter may see it: the verdict, and of each file which families objected.

    Every word is ours or the submitter's own: of a plug-in's rule only that one of its kind objected, a rule
    that is neither says nothing, and a path
    that was not staged (``outputs``) is not repeated.
    """
    worst: dict[tuple[str, str], str] = {}
    for found in check["findings"]:
        if found["rule"] not in RULES and not EXTRA.fullmatch(found["rule"]):
            continue
        key = (_own(found["path"], check.get("outputs", ())), family(found["rule"]))
        worst[key] = min(worst.get(key, found["severity"]), found["severity"], key=_ORDER.index)
    return {
        "verdict": check["verdict"],
        "findings": [
            {
                "path": path,
                "family": name,
                "family_zh": FAMILIES[name].zh,
                "family_en": FAMILIES[name].en,
                "severity": severity,
                "hint": FAMILIES[name].hint,
            }
            for (path, name), severity in sorted(worst.items())
        ],
    }


def _own(path: str, staged: Iterable[str]) -> str:
    """The staged file that ``path`` is, or is a member of; "": the set as a whole."""
    return next((one for one in staged if path == one or path.startswith(f"{one}/")), "")
