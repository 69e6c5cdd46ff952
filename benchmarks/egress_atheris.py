"""Coverage-guided fuzzing of one reader: ``python benchmarks/egress_atheris.py FORMAT [libFuzzer options]``.

``FORMAT`` is an extension such as ``xlsx``; the seeds are those of ``egress_fuzz``. Needs atheris (PyPI),
which is no dependency of the project. Stops at the first input that raises, that takes longer than
``-timeout`` seconds, or whose canonical form cannot be read again.
"""

from __future__ import annotations

import importlib
import random
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["sandbox.egress.readers", "sandbox.egress.canonical"]):
    from sandbox.egress.canonical import canonical
    from sandbox.egress.forms import Budget
    from sandbox.egress.readers import READERS, read

    for _module in {reader.partition(":")[0] for reader in READERS.values()}:  # they are imported when used
        importlib.import_module(f"sandbox.egress.readers.{_module}")
from benchmarks.egress_fuzz import mutated, seeds
from tests.plugins.egress import POLICY

_FORMATS = list(POLICY["egress.formats"])
_BUDGET = Budget(file_bytes=1 << 20, cells=100_000, seconds=20)


def main() -> None:
    """Write the seeds to a folder and fuzz."""
    form, options = sys.argv[1], sys.argv[2:]
    folder = Path(tempfile.mkdtemp(prefix="atheris-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, (_, data) in enumerate(seeds()[form]):
        (corpus / str(number)).write_bytes(data)
    path = folder / "file"

    def one(data: bytes) -> None:
        path.write_bytes(data)
        document = read(path, f"a.{form}", _FORMATS, _BUDGET)
        if document.readable:
            once = canonical(document)
            path.write_bytes(once)
            second = read(path, f"a.{form}", _FORMATS, _BUDGET)
            if once.strip() and (not second.readable or canonical(second) != once):
                raise AssertionError("no fixed point")

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if draw.random() < 0.5:
            return mutated(data, draw)[:most]
        return bytes(atheris.Mutate(data, most))

    atheris.Setup(["egress_atheris", "-max_len=200000", str(corpus), *options], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
