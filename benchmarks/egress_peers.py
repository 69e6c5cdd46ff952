"""The corpus of ``tests/attack/corpus`` through what others offer, beside our checker.

``python benchmarks/egress_peers.py [--per-family 1] [--seeds held-out] [--benign 3] [--ours FILE.jsonl]``
prints one table: for each peer, attacks refused, left to people, let through, by family; the same for
honest outputs. ``--ours`` reads what ``benchmarks/egress_corpus.py --json`` wrote over the same seeds.

- **ACRO** 1.0.2 as shipped, in an environment of its own (``requirements/peers.txt``; made on the first
  run in ``var/peers``). A file that did not come from its own calls is recorded by ``custom_output``; its
  summary gives ``fail`` (refused), ``review`` (left to people) or ``pass``. Where a case is a table that its
  own calls make (counts, means, extremes of a group), that call is made over the raw data instead; honest
  ones with its suppression, attacks without.
- **Presidio** with our recognisers alone: any finding in any cell, name or text refuses the file.
- **Clean room**: the rule that query services enforce, at least so many rows a group: a file is refused if a
  row's categories, read by column name, are carried by fewer raw rows than the threshold; other files pass.
- **Reject all**: the bound that any checker has to beat on honest outputs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import polars as pl  # noqa: E402

from sandbox.egress.forms import Budget  # noqa: E402
from sandbox.egress.readers import read  # noqa: E402
from sandbox.pii.presidio import analyze  # noqa: E402
from tests.attack.corpus import HELD_OUT, PUBLIC  # noqa: E402
from tests.attack.corpus import benign as honest  # noqa: E402
from tests.attack.corpus.cases import build, select  # noqa: E402
from tests.attack.corpus.domains import World  # noqa: E402
from tests.attack.corpus.draw import Output  # noqa: E402
from tests.attack.corpus.judge import policy  # noqa: E402

PLACE = ROOT / "var" / "peers"
LOCK = ROOT / "requirements" / "peers.txt"
_VERDICTS = {"fail": "reject", "review": "hold", "pass": "no_objection"}
# Runs in the peers' environment: reads one JSON line a case, answers with one.
_ACRO = r"""
import contextlib, io, json, logging, os, sys, tempfile, warnings
warnings.simplefilter("ignore"); logging.disable(logging.CRITICAL)
import pandas as pd
from acro import ACRO

raw = {}
for line in sys.stdin:
    case = json.loads(line)
    answer = "review"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            session = ACRO(suppress=case["suppress"])
            if case["call"]:
                path = case["raw"]
                raw[path] = raw[path] if path in raw else pd.read_csv(path, low_memory=False)
                frame = raw[path].dropna(subset=case["keys"])
                rows = [frame[k] for k in case["keys"]]
                columns = pd.Series(["all"] * len(frame), index=frame.index, name="c")
                count = case["call"] == "count"
                values = {} if count else {"values": frame[case["value"]], "aggfunc": case["call"]}
                session.crosstab(rows, columns, **values)
            else:
                for path in case["files"]:
                    session.custom_output(path)
        found = [session.results.get_index(i).status for i in range(len(session.results.results))]
        answer = next((s for s in ("fail", "review", "pass") if s in found), "review")
    except Exception as error:
        answer = "error " + type(error).__name__
    print(json.dumps({"case": case["case"], "answer": answer}), flush=True)
"""


def environment() -> Path:
    """The peers' Python; its environment is made from the lock file when it is not there."""
    python = PLACE / "bin" / "python"
    if not python.exists():
        uv = str(ROOT / ".venv" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", str(PLACE), "--python", "3.11"], check=True)
        wanted = ["--require-hashes", "-r", str(LOCK), "--python", str(python)]
        subprocess.run([uv, "pip", "install", "-q", *wanted], check=True)
    return python


def _call(output: Output, where: World) -> tuple[str, list[str], str]:
    """The call of ACRO that makes this table, its keys and its column: ("", [], "") if none does."""
    frames = [v for v in output.files.values() if isinstance(v, pl.DataFrame)]
    if len(output.files) != 1 or len(frames) != 1 or output.raw is not None:
        return "", [], ""
    keys = [c for c in frames[0].columns if c in where.labels]
    rest = [c for c in frames[0].columns if c not in keys]
    cells = bool(keys and rest) and frames[0].unique(keys).height == frames[0].height
    if not cells or len(rest) > 2 or any(not frames[0][c].dtype.is_numeric() for c in rest):
        return "", [], ""
    asked = {"max": "max", "min": "min", "mean": "mean", "median": "median", "value": "sum", "total": "sum"}
    kind = next((asked[c] for c in rest if c in asked and frames[0][c].dtype.is_float()), "count")
    return kind, keys, where.heavy if kind in ("max", "min", "sum") else where.number


def acro(cases: list[tuple[str, Output, World]], folder: Path) -> dict[str, str]:
    """ACRO's verdicts by case; ``folder`` is for the files."""
    lines = []
    for number, (case, output, where) in enumerate(cases):
        place = folder / f"acro{number}"
        (place / "outputs").mkdir(parents=True)
        output.write(place)
        raw = folder / f"{where.domain}-{where.seed}.csv"
        if not raw.exists():
            where.frame.write_csv(raw)
        call, keys, value = _call(output, where)
        files = [str(p) for p in sorted((place / "outputs").rglob("*")) if p.is_file()]
        asked = {"case": case, "files": files, "raw": str(raw), "call": call, "keys": keys, "value": value}
        lines.append(json.dumps(asked | {"suppress": ":benign:" in case}))
    done = subprocess.run(
        [str(environment()), "-c", _ACRO], input="\n".join(lines) + "\n", text=True, cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    # A case its own call cannot make, or that kills it: nobody has decided, so people have to.
    answers = {row["case"]: _VERDICTS.get(row["answer"], "hold") for row in found}
    return {case: answers.get(case, "hold") for case, _, _ in cases}


def presidio(output: Output, _: World) -> str:
    """Refused when presidio finds anything in a cell, a name or a text; unread files pass it unseen."""
    formats = list(policy()[0]["egress.formats"])
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "outputs").mkdir()
        output.write(place)
        texts: list[str] = []
        for path in sorted((place / "outputs").rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            document = read(path, path.name, formats, Budget())
            texts.append(path.stem)
            for one in [document, *document.members]:
                texts += [piece.text for piece in one.pieces]
                for table in one.tables:
                    texts += table.columns
                    texts += [
                        v for c in table.cells.columns for v in table.cells[c].drop_nulls().cast(pl.String)
                    ]
    found, _seconds = analyze(pl.Series(texts, dtype=pl.String)) if texts else (pl.DataFrame({"sure": []}), 0)
    sure = found.height and bool(found["sure"].any())
    return "reject" if sure else ("hold" if found.height else "no_objection")


def clean_room(output: Output, where: World) -> str:
    """Refused when a row's group has fewer raw rows than the threshold."""
    for content in output.files.values():
        if not isinstance(content, pl.DataFrame):
            continue
        keys = [c for c in content.columns if c in where.frame.columns]
        if not keys:
            continue
        sizes = where.frame.with_columns(pl.col(keys).cast(pl.String)).group_by(keys).agg(__n=pl.len())
        rows = content.select(pl.col(keys).cast(pl.String)).join(sizes, on=keys, how="left", nulls_equal=True)
        if rows.filter(pl.col("__n").fill_null(0) < where.least).height:
            return "reject"
    return "no_objection"


PEERS: dict[str, Callable[[Output, World], str]] = {
    "Presidio, our recognisers": presidio,
    "clean room, rows a group": clean_room,
    "reject all": lambda _output, _world: "reject",
}


def table(title: str, verdicts: dict[str, dict[str, str]], group: Callable[[str], str]) -> list[str]:
    """One row a peer, one column a group: refused / left to people / let through, in per cent."""
    groups = sorted({group(case) for found in verdicts.values() for case in found})
    lines = [f"{title}: reject / hold / no objection, %", ""]
    lines += ["| | " + " | ".join([*groups, "all"]) + " |", "|---" * (len(groups) + 2) + "|"]
    for peer, found in verdicts.items():
        cells = []
        for name in [*groups, ""]:
            here = Counter(v for case, v in found.items() if not name or group(case) == name)
            total = sum(here.values()) or 1
            shares = (here["reject"], here["hold"], here["no_objection"])
            cells.append(" / ".join(f"{100 * n / total:.0f}" for n in shares))
        lines.append(f"| {peer} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def ours(path: Path) -> dict[str, str]:
    """Our verdicts from a run of the benchmark: sanitised and crashed count as refused."""
    words = {"missed": "no_objection", "sanitised": "reject", "crash": "reject"}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["case"]: words.get(row["outcome"], row["outcome"]) for row in rows}


def main() -> None:
    """Build the corpus, ask every peer, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--per-family", type=int, default=1, help="cases a technique and dose")
    parser.add_argument("--seeds", default="held-out")
    parser.add_argument("--doses", default="100%,10%,one")
    parser.add_argument("--benign", type=int, default=3)
    parser.add_argument("--ours", type=Path, default=ROOT / "var" / "bench" / "egress_corpus.jsonl")
    asked = parser.parse_args()
    seeds = PUBLIC if asked.seeds == "public" else HELD_OUT
    forms = list(policy()[0]["egress.formats"])
    doses = asked.doses.split(",")
    attacks: list[tuple[str, Output, World]] = []
    for case in select(seeds, asked.per_family, forms):
        if case.split(":")[2] in doses:
            _, draw, output = build(case)
            attacks.append((case, output, draw.world))
    outputs: list[tuple[str, Output, World]] = []
    for case in honest.select_benign(seeds, asked.benign, forms):
        draw, output = honest.build(case)
        outputs.append((case, output, draw.world))
    judged: list[dict[str, dict[str, Any]]] = []
    for cases in (attacks, outputs):
        with tempfile.TemporaryDirectory() as name:
            started = time.monotonic()
            found: dict[str, dict[str, Any]] = {"ACRO as shipped": acro(cases, Path(name))}
        print(f"ACRO: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        for peer, ask in PEERS.items():
            started = time.monotonic()
            found[peer] = {case: ask(output, where) for case, output, where in cases}
            print(f"{peer}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        if asked.ours.is_file():
            mine = ours(asked.ours)
            found["ours"] = {case: mine[case] for case, _, _ in cases if case in mine}
        judged.append(found)
    print("\n".join(table(f"{len(attacks)} attacks by family", judged[0], lambda case: case[0])))
    print(
        "\n".join(
            table(f"{len(outputs)} honest outputs by domain", judged[1], lambda case: case.split(":")[1])
        )
    )


if __name__ == "__main__":
    main()
