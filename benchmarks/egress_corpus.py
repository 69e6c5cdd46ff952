"""Detection and false alarms of the checker over the corpus of ``tests/attack/corpus``.

``python benchmarks/egress_corpus.py [--per-family N] [--seeds held-out|public|NUMBER] [--jobs 2]`` prints
detection by family and dose with the worst family first (stopped = rejected, held, or sanitised: the same
bytes leave as without the payload), rejections apart from holds, false alarms on benign outputs with Wilson
95 % intervals, the least dose each technique is stopped at, seconds, peak memory, and every missed case with
the command that repeats it. ``--case ID`` runs one and prints its report. ``--only b,f48`` selects
techniques. ``--missed FILE`` writes the list of what was missed, ``--json FILE`` every
result (by default below ``var/bench``).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
# One thread a worker: workers are processes, and polars' own pool would only contend with theirs.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

from tests.attack.corpus import HELD_OUT, PUBLIC, official
from tests.attack.corpus.benign import BENIGN, select_benign
from tests.attack.corpus.benign import judge as judge_benign
from tests.attack.corpus.cases import build, select
from tests.attack.corpus.draw import DOSES
from tests.attack.corpus.judge import STOPPED, Result, examine, judge, policy, store_raw
from tests.attack.corpus.registry import TECHNIQUES

RESULTS = Path(__file__).parents[1] / "var" / "bench" / "egress_corpus.jsonl"  # egress_peers.py reads it
OFFICIAL = Path(__file__).parents[2] / "shared" / "data" / "official"  # beside the repository, where it is
LIMIT = 240  # seconds a case may take; the check task has its own limit, this one ends a hang here
ASKED = "asked: 100% and 10%: 99.5 % (worst family 98 %); 1%, 0.1% and one: 97 % (worst 90 %)"


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    z = 1.959963984540054
    share, square = hits / total, z * z / total
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * (share * (1 - share) / total + square / (4 * total)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def _work(kind: str, case: str, folder: str) -> Result:
    signal.alarm(LIMIT)  # ends the process: a hang in native code does not yield to an exception
    try:
        if kind == "official":
            how, path = case.split(":", 1)
            return (official.related if how == "related" else official.unrelated)(Path(path), Path(folder))
        return (judge_benign if kind == "benign" else judge)(case, Path(folder))
    finally:
        signal.alarm(0)


def _died(case: str) -> Result:
    hard = case.split(":")[0] in TECHNIQUES and TECHNIQUES[case.split(":")[0]].hard
    return Result(case, "crash", hard, "", ("crash or time-out",), float(LIMIT), 0)


def run_all(
    kind: str, cases: Sequence[str], jobs: int, folder: Path, tell: Callable[[Result], None]
) -> list[Result]:
    """Every case in worker processes. A case that kills its process is run once more alone, then counted as
    ``crash``: in the container that is a rejection, here it is shown apart."""
    context = multiprocessing.get_context("forkserver")
    found: dict[str, Result] = {}
    waiting = list(cases)
    width = jobs
    while waiting:
        with ProcessPoolExecutor(width, mp_context=context) as pool:
            futures = {pool.submit(_work, kind, case, str(folder)): case for case in waiting}
            try:
                for done in as_completed(futures):
                    found[futures[done]] = done.result()
                    tell(found[futures[done]])
            except BrokenProcessPool:
                pool.shutdown(cancel_futures=True)
        waiting = [case for case in waiting if case not in found]
        if waiting and width == 1:
            found[waiting[0]] = _died(waiting[0])
            waiting = waiting[1:]
        width = 1 if waiting else width
    return [found[case] for case in cases]


def _dose(case: str) -> str:
    return case.split(":")[2]


def _name(case: str) -> str:
    return case.split(":")[0]


def _share(results: Sequence[Result]) -> str:
    hits = sum(r.stopped or r.outcome == "crash" for r in results)
    return f"{100 * hits / len(results):5.1f}" if results else "    –"


def by_family(results: Sequence[Result], doses: Sequence[str]) -> Iterator[str]:
    """The table of families, the worst first."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[result.case[0]].append(result)

    def missed(items: Sequence[Result]) -> float:
        return sum(r.outcome == "missed" for r in items) / len(items)

    yield (
        "| family | cases | reject | hold | sanitised | crash | missed | "
        + " | ".join(f"{d} stopped %" for d in doses)
        + " |"
    )
    yield "|---" * (7 + len(doses)) + "|"
    for name, items in [*sorted(groups.items(), key=lambda g: -missed(g[1])), ("all", list(results))]:
        kinds = Counter(r.outcome for r in items)
        counts = " | ".join(str(kinds[k]) for k in ("reject", "hold", "sanitised", "crash", "missed"))
        shares = " | ".join(_share([r for r in items if _dose(r.case) == d]) for d in doses)
        yield f"| {name} | {len(items)} | {counts} | {shares} |"


def by_technique(results: Sequence[Result]) -> Iterator[str]:
    """Techniques that are missed somewhere, or held where a rejection is asked, with the least safe dose."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[_name(result.case)].append(result)
    order = list(DOSES)
    yield "| technique | asked | reject | hold | sanitised | missed | least dose at which all were stopped |"
    yield "|---|---|---|---|---|---|---|"
    for name, items in sorted(groups.items()):
        kinds = Counter(r.outcome for r in items)
        if not kinds["missed"] and all(r.as_asked for r in items):
            continue
        least = "none"
        for dose in order:
            here = [r for r in items if _dose(r.case) == dose]
            if any(r.outcome == "missed" for r in here):
                break
            least = dose if here else least
        asked = "reject" if TECHNIQUES[name].hard else "hold"
        counts = " | ".join(str(kinds[k]) for k in ("reject", "hold", "sanitised", "missed"))
        yield f"| {name} | {asked} | {counts} | {least} |"


def alarms(results: Sequence[Result]) -> Iterator[str]:
    """False alarms by kind of benign output."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[_name(result.case)].append(result)
    yield "| benign output | cases | reject | hold | rules |"
    yield "|---|---|---|---|---|"
    for name, items in sorted(groups.items(), key=lambda g: -sum(r.outcome != "no_objection" for r in g[1])):
        kinds = Counter(r.outcome for r in items)
        rules = Counter(rule for r in items for rule in r.rules)
        said = ", ".join(f"{rule} {n}" for rule, n in rules.most_common(4))
        yield f"| {name} | {len(items)} | {kinds['reject'] + kinds['crash']} | {kinds['hold']} | {said} |"
    for word, asked in (("reject", "≤ 1 %"), ("hold", "≤ 5 %")):
        hits = sum(r.outcome == word for r in results)
        low, high = wilson(hits, len(results))
        share = f"{hits} of {len(results)} = {100 * hits / max(1, len(results)):.1f} %"
        yield f"\n{word} on benign: {share} (Wilson 95 %: {100 * low:.1f}–{100 * high:.1f} %), asked {asked}"


def missed(results: Iterable[Result]) -> Iterator[str]:
    """Each missed case with the command that repeats it."""
    for r in sorted(results, key=lambda r: r.case):
        if r.outcome == "missed":
            yield f"- `python benchmarks/egress_corpus.py --case {r.case}`"


def softer(results: Iterable[Result]) -> Iterator[str]:
    """Cases held where a rejection is asked, by technique and rule."""
    groups: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    for r in results:
        if r.outcome == "hold" and r.hard:
            key = (_name(r.case), ", ".join(r.rules))
            groups[key] += 1
            example.setdefault(key, r.case)
    for (name, rules), n in groups.most_common():
        yield f"- {name}: {n} held by {rules}; `--case {example[name, rules]}`"


def _seeds(word: str) -> range:
    if word in ("public", "held-out"):
        return PUBLIC if word == "public" else HELD_OUT
    return range(int(word), int(word) + 1_000)


def one(case: str) -> None:
    """Build a case, print the report as JSON; with files named, so that they can be looked at."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if _name(case) in BENIGN:
            print(judge_benign(case, folder))
            return
        technique, draw, output = build(case)
        report = examine(output, draw.world, store_raw(draw.world, folder))
        kept = Path(tempfile.gettempdir()) / "corpus-case"
        (kept / "outputs").mkdir(parents=True, exist_ok=True)
        output.write(kept)
        draw.world.frame.write_parquet(kept / "raw.parquet")
        print(json.dumps(report.as_json() | {"rules": []}, ensure_ascii=False, indent=1))
        asked = "reject" if technique.hard else "hold"
        print(f"asked: {asked}; files are in {kept}")


def _progress(total: int, word: str, log: Path) -> Callable[[Result], None]:
    """Counts on standard error; every result is a line of ``log`` at once, so that a run may be cut short."""
    started, done = time.monotonic(), 0

    def tell(result: Result) -> None:
        nonlocal done
        done += 1
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(vars(result), ensure_ascii=False) + "\n")
        if done % 50 == 0 or done == total:
            print(f"{word}: {done}/{total}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)

    return tell


def main() -> None:
    """Run, count, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--per-family", type=int, default=1, help="cases a technique and dose")
    parser.add_argument("--seeds", default="held-out")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", default="", help="techniques that begin with one of these, comma separated")
    parser.add_argument("--doses", default=",".join(DOSES))
    parser.add_argument("--benign", type=int, default=6, help="outputs a kind; 0: none")
    parser.add_argument("--official", type=Path, default=OFFICIAL, help="folder of real tables; absent: none")
    parser.add_argument("--case", default="")
    parser.add_argument("--missed", type=Path)
    parser.add_argument("--json", type=Path, default=RESULTS, help="every result, one JSON object a line")
    asked = parser.parse_args()
    if asked.case:
        one(asked.case)
        return
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text("", encoding="utf-8")
    seeds = _seeds(asked.seeds)
    forms = list(policy()[0]["egress.formats"]) + (["pdf"] if "pdf" in policy()[0]["egress.formats"] else [])
    only = [word for word in asked.only.split(",") if word]
    doses = asked.doses.split(",")
    attacks = [c for c in select(seeds, asked.per_family, forms, only) if _dose(c) in doses]
    random.Random(1).shuffle(attacks)  # a run that is cut short has then seen something of everything
    outputs = list(select_benign(seeds, asked.benign, forms)) if not only or "benign" in only else []
    random.Random(1).shuffle(outputs)
    tables = [f"unrelated:{p}" for p in official.tables(asked.official)] if asked.official.is_dir() else []
    tables += [f"related:{asked.official / name}" for name in official.EXPANDED if tables]
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = run_all(
            "attack", attacks, asked.jobs, folder, _progress(len(attacks), "attacks", asked.json)
        )
        real = run_all("official", tables, asked.jobs, folder, _progress(len(tables), "official", asked.json))
        benign = run_all("benign", outputs, asked.jobs, folder, _progress(len(outputs), "benign", asked.json))
    report(results, benign, real, asked, time.monotonic() - started)


def report(
    results: Sequence[Result], benign: Sequence[Result], real: Sequence[Result], asked: Any, seconds: float
) -> None:
    """Print everything; write what was asked for."""
    lines = [
        f"seeds {asked.seeds}; {len(results)} attacks of {len({_name(r.case) for r in results})} techniques",
        ASKED,
        "",
    ]
    if results:
        lines += [*by_family(results, list(DOSES)), "", *by_technique(results), ""]
        tied = sum(r.carrier not in ("", "no_objection") for r in results)
        fair = [r for r in results if r.carrier in ("", "no_objection")]
        lines.append(
            f"carriers stopped without a payload: {tied} of {sum(r.carrier != '' for r in results)}; "
            f"stopped on the others: {_share(fair)} %"
        )
        broken = [r.case for r in results if "CHECK_ERROR" in r.rules]
        lines.append(f"stopped where a check broke down (CHECK_ERROR): {len(broken)} {broken[:3]}")
        lines.append(
            f"held where a rejection is asked: {sum(r.outcome == 'hold' and r.hard for r in results)}"
        )
    if benign:
        lines += ["", *alarms(benign)]
    if real:
        lines += ["", "Official tables, real ones:", "", *alarms(real)]
    every = [*results, *benign, *real]
    times = sorted(r.seconds for r in every)
    if times:
        lines.append(
            f"\nseconds a check: median {times[len(times) // 2]:.2f}, "
            f"p95 {times[int(len(times) * 0.95)]:.2f}, max {times[-1]:.2f}; "
            f"peak memory {max(r.peak for r in every) / 2**20:.0f} MiB; whole run {seconds:.0f} s"
        )
    lost = list(missed(results))
    print("\n".join(lines))
    print("\nMissed:\n" + "\n".join(lost) if lost else "\nnothing missed")
    if asked.missed:
        text = [*lines, "", "## Missed", *lost, "", "## Held where a rejection is asked", *softer(results)]
        text += [
            "",
            "## Benign stopped",
            *(
                f"- {r.outcome} {', '.join(r.rules)}: `--case {r.case}`"
                for r in benign
                if r.outcome in STOPPED
            ),
        ]
        asked.missed.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
