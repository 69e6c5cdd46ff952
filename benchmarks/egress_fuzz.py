"""Broken, cut and mutated files of every format through the readers: ``python benchmarks/egress_fuzz.py``.

Each file is read in a worker process; what can be read is written anew and read again. Prints one line a
format: files, how many were read, refused, by which reasons; crashes of the worker, seconds of the slowest
file, the most memory of a worker. Exit code 1 when a worker died, when a file had no verdict, or when a
canonical form could not be read again. ``--files`` a number (default 1,000; the issue asks for 10,000),
``--seed`` the seed, ``--only`` a format.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import re
import resource
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.plugins import hiding

SECONDS = 60  # of one file, then the worker is stopped: no verdict
_TOKENS = (b"\x00", b"\xff" * 8, b"1e999999999999", b"-1", b"9" * 400, b"]]>", b"<!DOCTYPE a [", b"{[" * 50)
_PARTS = re.compile(r"\w+|\s+|[^\w\s]")
_WORDS = (
    *(
        "1e999999999999",
        "-0.0",
        "NaN",
        "9" * 400,
        "\ufeff",
        "\u200b",
        "\u202e",
        "\x85",
        "null",
        "true",
        "[" * 60,
    ),
    *(
        '"',
        "<",
        ">",
        "&amp;",
        "&#0;",
        "<!--",
        "-->",
        "<script>",
        "\\",
        "\n",
        "=",
        "{",
        "}",
        "[]",
        "{}",
        "0" * 30,
    ),
)


def seeds() -> dict[str, list[tuple[str, bytes]]]:
    """Sound files by format: (name, content)."""
    found: dict[str, list[tuple[str, bytes]]] = {}
    for _, name, make in hiding.PLACES:
        found.setdefault(name.partition(".")[2], []).append((name, make("110101199003074530")))
    for form, honest in hiding.HONEST.items():
        found.setdefault(form, []).append((f"a.{form}", honest(hiding.ROWS)))
    found.setdefault("md", []).append(("a.md", b"# t\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<!-- x -->\n"))
    found.setdefault("jsonl", []).append(("a.jsonl", b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'))
    return found


def _bytes(data: bytes, draw: random.Random) -> bytes:
    """One mutation of bytes: cut, flip, insert, repeat, swap."""
    if not data:
        return bytes([draw.randrange(256)])
    at, end = sorted((draw.randrange(len(data)), draw.randrange(len(data))))
    kind = draw.randrange(7)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]
    if kind == 2:
        return data[:at] + draw.choice(_TOKENS) + data[at:]
    if kind == 3:
        return data[:at] + data[at:end] * draw.randrange(2, 40) + data[end:]
    if kind == 4:
        return data[:at] + data[end:]
    if kind == 5:
        return data[:at] + draw.randbytes(draw.randrange(1, 9)) + data[at + 8 :]
    return data[:at] + data[end:] + data[at:end]


def _words(data: bytes, draw: random.Random) -> bytes | None:
    """One mutation that keeps the encoding: words and marks deleted, doubled, moved, swapped."""
    try:
        parts = _PARTS.findall(data.decode("utf-8"))
    except UnicodeDecodeError:
        return None
    if len(parts) < 2:
        return None
    at, end = sorted((draw.randrange(len(parts)), draw.randrange(len(parts))))
    end = min(end, at + draw.choice((1, 3, 30)))
    kind = draw.randrange(5)
    if kind == 0:
        parts[at:end] = []
    elif kind == 1:
        parts[at:end] = parts[at:end] * draw.choice((2, 3, 60))
    elif kind == 2:
        parts[at], parts[end] = parts[end], parts[at]
    elif kind == 3:
        parts[at] = draw.choice(_WORDS)
    else:
        parts.insert(at, draw.choice(parts) if draw.random() < 0.5 else draw.choice(_WORDS))
    return "".join(parts).encode()


def _inside(data: bytes, draw: random.Random) -> bytes | None:
    """A mutation of one member of a ZIP with sound headers, or None when it is none."""
    import io

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            files = [(name, old.read(name)) for name in old.namelist()]
    except (zipfile.BadZipFile, KeyError, zlib.error, NotImplementedError, ValueError):
        return None
    if not files:
        return None
    chosen = draw.randrange(len(files))
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new:
        for number, (name, content) in enumerate(files):
            new.writestr(name, mutated(content, draw) if number == chosen else content)
    return sink.getvalue()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """``data`` after one to six mutations; packages are opened first in two of three cases."""
    deep = _inside(data, draw) if data[:2] == b"PK" and draw.random() < 0.67 else None
    if deep is not None:
        return deep
    gently = draw.random() < 0.6
    for _ in range(draw.randrange(1, 7)):
        data = (_words(data, draw) if gently else None) or _bytes(data, draw)
    return data[: 8 << 20]


def _work(pipe: Connection) -> None:
    """Read what comes until nothing comes: (reasons, canonical is a fixed point, seconds, peak bytes)."""
    from sandbox.egress.canonical import canonical
    from sandbox.egress.forms import Budget
    from sandbox.egress.readers import READERS, read
    from tests.plugins.egress import POLICY

    formats = list(POLICY["egress.formats"])
    assert READERS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        while (item := pipe.recv()) is not None:
            name, data = item
            path.write_bytes(data)
            started = time.perf_counter()
            document = read(path, name, formats, Budget(seconds=SECONDS // 2))
            reasons = sorted({reason for part in document.family() for reason, _ in part.faults})
            same = True
            if document.readable:
                try:
                    once = canonical(document)
                except Exception:  # the checker makes a rejection of it, CHECK_ERROR
                    reasons = ["unwritten"]
                else:
                    path.write_bytes(once)
                    second = read(path, name, formats, Budget(seconds=SECONDS // 2))
                    same = not once.strip() or (second.readable and canonical(second) == once)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            pipe.send((reasons, same, time.perf_counter() - started, peak))


class Worker:
    """A process that reads files; a new one takes its place when it dies."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def ask(self, name: str, data: bytes) -> tuple[list[str], bool, float, int] | None:
        """The worker's answer; None when it died or was stopped."""
        try:
            self.pipe.send((name, data))
            if self.pipe.poll(SECONDS):
                answer: tuple[list[str], bool, float, int] = self.pipe.recv()
                return answer
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        self.process.kill()
        self.process.join()
        self._start()
        return None

    def close(self) -> None:
        """Let the process end."""
        self.pipe.send(None)
        self.process.join(10)


def run(
    files: int, seed: int, only: str | None = None, keep: Path | None = None
) -> Iterator[dict[str, object]]:
    """One row a format. ``keep``: a folder for files that were answered wrongly."""
    found = {form: items for form, items in seeds().items() if only in (None, form)}
    each = max(1, files // len(found))
    worker = Worker()
    for form, items in sorted(found.items()):
        draw = random.Random(f"{seed} {form}")
        row: dict[str, object] = {"format": form, "files": each, "read": 0, "dead": 0, "unstable": 0}
        reasons: Counter[str] = Counter()
        slowest, peak = 0.0, 0
        for number in range(each):
            name, sound = draw.choice(items)
            data = mutated(sound, draw)
            answer = worker.ask(name, data)
            wrong = answer is None or not answer[1]
            if wrong and keep is not None:
                (keep / f"{number}-{name}").write_bytes(data)
            if answer is None:
                row["dead"] = int(str(row["dead"])) + 1
                continue
            reasons.update(answer[0])
            row["read"] = int(str(row["read"])) + (not answer[0])
            row["unstable"] = int(str(row["unstable"])) + (not answer[1])
            slowest, peak = max(slowest, answer[2]), max(peak, answer[3])
        yield {**row, "slowest": slowest, "peak": peak, "reasons": dict(reasons.most_common())}
    worker.close()


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--keep", type=Path)
    wanted = parser.parse_args()
    bad = 0
    heads = f"{'files':>6} {'read':>6} {'dead':>5} {'unstable':>8} {'slowest':>8} {'peak':>8}"
    print(f"{'format':12} {heads}  reasons")
    for row in run(wanted.files, wanted.seed, wanted.only, wanted.keep):
        bad += int(str(row["dead"])) + int(str(row["unstable"]))
        peak = int(str(row["peak"])) / 2**20
        print(
            f"{row['format']!s:12} {row['files']!s:>6} {row['read']!s:>6} {row['dead']!s:>5} "
            f"{row['unstable']!s:>8} {float(str(row['slowest'])):7.2f}s {peak:6.0f}MB  {row['reasons']}",
            flush=True,
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
