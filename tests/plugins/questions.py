"""Questions under differential privacy in a scene: their specification, and jobs driven as far as needed."""

from __future__ import annotations

import hashlib
from typing import Any

from sandbox.core.resource import Resource
from tests.plugins.space import Scene

ANSWER = b"district,people\nA,118\nB,87\n"
NANO = 1_000_000  # rho = 0.001


def query(**over: Any) -> dict[str, Any]:
    """A count of entities by district."""
    told = {
        "by": [{"column": "district", "keys": ["A", "B"]}],
        "measures": [{"name": "people", "of": "distinct"}],
        "nano_rho": NANO,
    }
    return {**told, **over}


def question(scene: Scene, **over: Any) -> dict[str, Any]:
    """A developer's job that asks over the primary product."""
    told = scene.job_spec(
        language="dp",
        entry="",
        code={},
        query=query(),
        inputs=[{"name": "residents", "product": "pr-a", "columns": ["person_id", "district", "income"]}],
        outputs=[{"path": "out.csv", "kind": "table", "dimensions": ["district"], "counts": ["people"]}],
    )
    return {**told, **over}


def started(scene: Scene, id: str = "job-q", **over: Any) -> Resource:
    """Such a job, paid for."""
    scene.create("developer", "job", question(scene, **over), id)
    scene.act("system", "job", id, "provision", scene._start(id))
    return scene.get("job", id)


def answered(scene: Scene, id: str = "job-q", content: bytes = ANSWER, **over: Any) -> Resource:
    """Such a job with its sealed answer in quarantine."""
    job = started(scene, id, **over)
    sealed = scene.space.places.blobs(job.labels["agreement"], job.labels["scenario"], "sealed")
    sha256, size = sealed.take(iter([content]))
    seal = {"job": id, "sha256": sha256, "bytes": size}
    scene.act("system", "dp-release", job.status["dp"]["release"], "seal", seal)
    output = {"path": "out.csv", "kind": "table", "place": "sealed", "sha256": sha256, "bytes": size}
    for event, payload in (("run", None), ("succeed", scene.ran()), ("stage", {"outputs": [output]})):
        scene.act("system", "job", id, event, payload)
    return scene.get("job", id)


def books(scene: Scene) -> dict[str, Resource]:
    """The budgets by level (of a scene with one resource)."""
    with scene.store.read() as reader:
        return {one.spec["level"]: one for one in reader.find("dp-budget")}


def spent(scene: Scene) -> dict[str, int]:
    """Nano-rho spent, by level."""
    return {level: book.status["budget"]["nano_rho"] for level, book in books(scene).items()}


SHA = hashlib.sha256(ANSWER).hexdigest()
