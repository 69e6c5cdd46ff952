"""Scenes in which tokens can be led back: a product whose persons are tokens, and what is asked of it."""

from __future__ import annotations

import hashlib
from typing import Any

from sandbox.core.resource import Resource
from sandbox.desensitize.keys import SECRET, VAULT, recipient_key
from tests.plugins.space import Scene

TOKENS = ("A" * 26, "B" * 26, "C" * 26)
STEP = {"column": "person_id", "transform": "token", "params": {"domain": "person"}}
RECIPE = {"name": "tokens", "version": "1", "steps": [STEP], "keep": ["district", "income"]}


def tokenised(scene: Scene, id: str = "pr-t", job: str = "job-t", content: bytes = b"vault") -> Resource:
    """A primary product with tokens; its vault, ``content``, really lies in the workspace."""
    scene.create("operator", "job", scene.recipe_spec(recipe=RECIPE), job)
    for event, payload in (("provision", scene._start(job)), ("run", None), ("succeed", scene.ran())):
        scene.act("system", "job", job, event, payload)
    vault, _ = scene.space.places.blobs("ag-a", "sc-a", "tokens").take(iter([content]))
    columns = [
        {"name": name, "type": "string", "source": name, "transforms": steps}
        for name, steps in (("person_id", ["token"]), ("district", []), ("income", []))
    ]
    kept = {
        "product": id,
        "title": "tokens",
        "artefact_sha256": hashlib.sha256(b"primary").hexdigest(),
        "columns": columns,
        "steps": [],
        "anonymity": {"verdict": False, "k": 3, "threshold": 10, "reasons": ["IDENTIFIER_KEPT", "K_BELOW"]},
        "tokens": vault,
    }
    scene.act("system", "job", job, "keep", kept)
    return scene.get("product", id)


def asked(**over: Any) -> dict[str, Any]:
    """What a provider asks."""
    told = {
        "product": "pr-t",
        "column": "person_id",
        "tokens": list(TOKENS[:2]),
        "purpose": "incident_notice",
        "ground": "个人信息保护法 第五十七条",
        "reason": "通知受泄露影响的个人",
    }
    return {**told, **over}


def requested(scene: Scene, id: str = "rid-a", until: str = "requested", **over: Any) -> Resource:
    """A re-identification, driven to ``requested``, ``approved``, or ``answered``."""
    if not any(one.id == "pr-t" for one in _products(scene)):
        tokenised(scene)
    scene.create("editor", "reidentification", asked(**over), id)
    if until != "requested":
        scene.act("reviewer", "reidentification", id, "approve", {"reason": "leak"})
    if until == "answered":
        answers = scene.space.places.blobs("ag-a", "sc-a", "answers")
        sha256, size = answers.take(iter([b'{"values": []}']))
        scene.act("system", "reidentification", id, "answer", {"sha256": sha256, "bytes": size})
    return scene.get("reidentification", id)


def vault_key(scene: Scene) -> bytes:
    """The key of the scene's token vault."""
    secret = bytes.fromhex(scene.space.places.key("ag-a", "sc-a", SECRET))
    return recipient_key(secret, "sc-a", "dev", VAULT)


def _products(scene: Scene) -> list[Resource]:
    with scene.store.read() as reader:
        found: list[Resource] = reader.find("product")
    return found
