"""Cases by id: ``family.technique:domain:dose:container:seed`` and back, and lists for a seed range."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tests.attack.corpus import disclosure, identifiers, models, rows_disguised, stego, tokens  # noqa: F401
from tests.attack.corpus.containers import FORMS
from tests.attack.corpus.draw import Draw, Output, Technique
from tests.attack.corpus.registry import TECHNIQUES


def parse(case: str) -> tuple[Technique, Draw]:
    """The technique and the material of a case. Raises ``KeyError`` for an unknown technique."""
    name, domain, dose, container, seed = case.split(":")
    return TECHNIQUES[name], Draw(case, domain, dose, container, int(seed))


def build(case: str) -> tuple[Technique, Draw, Output]:
    """The case's files."""
    technique, draw = parse(case)
    return technique, draw, technique.make(draw)


def stable(*parts: object) -> np.random.Generator:
    word = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(word[:8], "big"))


def select(
    seeds: range, per_technique: int, forms: Sequence[str], techniques: Iterable[str] = ()
) -> Iterator[str]:
    """``per_technique`` cases of every technique at every dose it has, in containers that ``forms`` (the
    policy's allow-list) admits: any other container is refused for its form alone and shows nothing."""
    for name, technique in TECHNIQUES.items():
        if techniques and not any(name.startswith(wanted) for wanted in techniques):
            continue
        containers = [c for c in technique.containers if FORMS.get(c, c) in forms]
        for dose in technique.doses if containers else ():
            for number in range(per_technique):
                rng = stable(name, dose, number, seeds.start)
                domain = technique.domains[int(rng.integers(len(technique.domains)))]
                # Half of all cases are CSV: what a container hides is a question of its own.
                plain = "csv" in containers and rng.random() < 0.5
                container = "csv" if plain else containers[int(rng.integers(len(containers)))]
                seed = seeds.start + int(rng.integers(len(seeds)))
                yield f"{name}:{domain}:{dose}:{container}:{seed}"
