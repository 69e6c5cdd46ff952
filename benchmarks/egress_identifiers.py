"""The identifier scan against presidio-analyzer with the same rules.

``python benchmarks/egress_identifiers.py [--cells 1000000] [--seconds 60]``

One table of string columns as a checker meets them (dates, codes, order numbers, digests, times, paths, notes
in two languages, one identifier in four hundred cells). The scan reads all cells, distinct values first.
Presidio reads as many of the same cells, a call a cell as its own batch and structured engines do, as it can
in ``--seconds``, and lines of many cells joined, which is the best that can be made of it; both are scaled to
the table and marked so. CPU seconds of all threads; the machine may be busy.

Recall and precision: identifiers made from the standards, bare in cells and in sentences, in every disguise
of the tests, and what peers publish (left out where the developers' data folder is absent).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from sandbox.egress.clean import fold
from sandbox.pii.presidio import LANGUAGE, analyze, analyzer
from sandbox.pii.scan import scan
from tests.plugins import identifiers as make

SHARED = Path(__file__).parents[1].parent / "shared"
_WORDS = re.findall(
    r"\w+",
    "本月 全市 工业 增加值 同比 增长 就业 人数 街道 社区 服务 项目 投资 完成 情况 良好 其中 重点 企业 居民",
)
_NOTES = re.findall(
    r"\w+",
    "the quarterly survey of households covers income housing health and travel in all districts",
)


def table(cells: int, seed: int = 11) -> tuple[pl.DataFrame, int]:
    """(twenty columns of text, how many identifiers are planted)."""
    draw = random.Random(seed)
    rows = cells // 20
    makers = {
        "date": lambda i: f"20{draw.randint(10, 24)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}",
        "time": lambda i: (
            f"2024-03-{draw.randint(1, 28):02d} {draw.randint(0, 23):02d}:{draw.randint(0, 59):02d}:07"
        ),
        "epoch": lambda i: str(1_700_000_000_000 + draw.randrange(10**9)),
        "order": lambda i: f"2024{draw.randint(1, 12):02d}{draw.randint(1, 28):02d}{make.digits(draw, 10)}",
        "digest": lambda i: f"{draw.getrandbits(160):040x}",
        "uuid": lambda i: (
            f"{draw.getrandbits(32):08x}-{draw.getrandbits(16):04x}-4aaa-8bbb-{draw.getrandbits(48):012x}"
        ),
        "region": lambda i: draw.choice(make.REGIONS),
        "district": lambda i: draw.choice(["云岩区", "南明区", "观山湖区", "花溪区"]),
        "sex": lambda i: draw.choice("男女"),
        "age": lambda i: str(draw.randint(0, 99)),
        "amount": lambda i: f"{draw.random() * 10**6:.2f}",
        "share": lambda i: f"{draw.random():.17f}",
        "count": lambda i: f"{draw.randint(0, 10**6):,}",
        "code": lambda i: f"E{draw.randint(10, 99)}{i % 10**6:06d}",
        "path": lambda i: f"/data/{draw.randint(1, 99)}/part-{i:05d}.parquet",
        "flag": lambda i: draw.choice(["yes", "no", "unknown"]),
        "trade": lambda i: draw.choice(["制造业", "批发和零售业", "建筑业", "教育"]),
        "note": lambda i: "".join(draw.choices(_WORDS, k=8)) + f"{draw.randint(1, 999)}人",
        "english": lambda i: " ".join(draw.choices(_NOTES, k=9)),
        "serial": lambda i: f"SN-{i:08d}",
    }
    columns = {name: [maker(i) for i in range(rows)] for name, maker in makers.items()}
    sorts = [*make.CERTAIN.values(), *(maker for maker, _, _ in make.WORDED.values())]
    planted = cells // 400
    names = list(columns)
    for k in range(planted):
        place, value = columns[draw.choice(names)], sorts[k % len(sorts)](draw)
        place[draw.randrange(rows)] = value if k % 2 else f"其{value}号，已登记"
    return pl.DataFrame(columns), planted


def own(frame: pl.DataFrame) -> tuple[float, int]:
    """(CPU seconds, hits) of the scan of all columns, over distinct values, the rows mapped back."""
    start = time.process_time()
    columns = [frame[name].unique(maintain_order=True) for name in frame.columns]
    found = pl.Series(scan(pl.concat(columns))["index"].unique().sort())
    hits = first = 0
    for name, values in zip(frame.columns, columns, strict=True):
        marked = found.filter((found >= first) & (found < first + len(values))) - first
        first += len(values)
        if len(marked):
            hits += int(frame[name].is_in(values.gather(marked).implode()).sum())
    return time.process_time() - start, hits


def peer(frame: pl.DataFrame, seconds: float) -> tuple[float, int, float, int]:
    """(CPU seconds, cells) of presidio a call a cell, and (CPU seconds, cells) with cells joined to lines."""
    cells = pl.concat([frame[name] for name in frame.columns]).shuffle(seed=5)
    engine = analyzer()
    done, start, limit = 0, time.process_time(), time.monotonic() + seconds / 2
    while done < len(cells) and time.monotonic() < limit:
        for text in cells[done : done + 500]:
            engine.analyze(str(text), language=LANGUAGE)
        done += 500
    single = time.process_time() - start
    joined, start, limit = 0, time.process_time(), time.monotonic() + seconds / 2
    while joined < len(cells) and time.monotonic() < limit:
        analyze(cells[joined : joined + 5000])
        joined += 5000
    return single, min(done, len(cells)), time.process_time() - start, min(joined, len(cells))


def recall(values: list[str], kind: str) -> tuple[int, int]:
    """How many of ``values`` (texts with one identifier of ``kind``) the scan and presidio find."""
    series = pl.Series(values, dtype=pl.String)
    ours = scan(series).filter(pl.col("kind") == kind)["index"].n_unique()
    engine = analyzer()
    theirs = sum(any(r.entity_type == kind for r in engine.analyze(v, language=LANGUAGE)) for v in values)
    return ours, theirs


def quality(count: int) -> None:
    """Print recall by disguise, and what is taken for an identifier among numbers that are none."""
    draw = random.Random(23)
    print(f"\n{'recall of':28} {'scan':>8} {'presidio':>9}   (same rules; presidio as shipped does not fold)")
    plain = [0, 0, 0]
    for kind in [*make.CERTAIN, *make.WORDED]:
        maker = make.CERTAIN.get(kind) or make.WORDED[kind][0]
        values = [maker(draw) for _ in range(count)] + [f"其{maker(draw)}，已登记" for _ in range(count)]
        for i, found in enumerate((*recall(values, kind), len(values))):
            plain[i] += found
    print(f"{'all sorts, bare and in text':28} {plain[0] / plain[2]:8.3f} {plain[1] / plain[2]:9.3f}")
    for look, disguise in make.LOOKS.items():
        numbers = [
            (k, make.CERTAIN.get(k) or make.WORDED[k][0]) for k in ("resident_id", "mobile", "bank_card")
        ]
        found = [recall([disguise(maker(draw), draw) for _ in range(count)], kind) for kind, maker in numbers]
        ours, theirs = (sum(pair[i] for pair in found) / (count * len(numbers)) for i in (0, 1))
        print(f"{look:28} {ours:8.3f} {theirs:9.3f}")
    for length in (6, 8, 11, 15, 16, 18, 19):
        values = pl.Series([make.digits(draw, length) for _ in range(10_000)])
        hits = scan(values)
        sure = hits.filter("sure")["index"].n_unique()
        print(f"{length:2} random digits: of 10,000 certain {sure}, of some form {hits['index'].n_unique()}")


def vectors() -> None:
    """Print how the published vectors of a peer are met."""
    path = SHARED / "data/cn/pii_vectors_cn_A.json"
    if not path.exists():
        print("published vectors: the developers' data folder is absent")
        return
    groups = {
        "TestCNPhoneRecognizer": ["mobile"], "TestCNIDCardRecognizer": ["resident_id", "resident_id_15"],
        "TestCNBankCardRecognizer": ["bank_card"], "TestCNEmailRecognizer": ["email"],
        "TestCNPassportRecognizer": ["passport", "exit_permit", "home_permit"],
    }  # fmt: skip
    cases = [
        c for c in json.loads(path.read_text("utf-8")) if "expected_count" in c and c["recogniser"] in groups
    ]
    engine, ours, theirs = analyzer(), 0, 0
    for case in cases:
        kinds, wanted = groups[case["recogniser"]], case["expected_count"]
        ours += scan(pl.Series([case["text"]])).filter(pl.col("kind").is_in(kinds)).height == wanted
        folded = str(fold(pl.Series([case["text"]]))[0])
        theirs += sum(r.entity_type in kinds for r in engine.analyze(folded, language=LANGUAGE)) == wanted
    print(
        f"published vectors, count as expected: scan {ours} of {len(cases)}, presidio (folded text) {theirs}"
    )


def main() -> None:
    """Generate, scan, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--count", type=int, default=40, help="identifiers of a sort and disguise")
    chosen = parser.parse_args()
    frame, planted = table(chosen.cells)
    total = frame.height * frame.width
    megabytes = sum(int(frame[name].str.len_bytes().sum()) for name in frame.columns) / 1e6
    print(f"{total} cells, {megabytes:.0f} MB of text, {planted} identifiers planted")
    scan(pl.Series(["13812345678"]))
    seconds, hits = min(own(frame) for _ in range(3))
    print(f"scan: {seconds:.2f} CPU-s for all cells, {hits} with hits, {total / seconds:,.0f} cells a CPU-s")
    analyze(pl.Series(["13812345678"]))
    single, cells, joined, lines = peer(frame, chosen.seconds)
    for label, spent, read in (("a call a cell", single, cells), ("cells joined to lines", joined, lines)):
        scaled = spent * total / read
        print(
            f"presidio, same rules, {label}: {spent:.1f} CPU-s for {read} cells, "
            f"scaled to all {scaled:.0f} CPU-s: {scaled / seconds:.0f} x the scan"
        )
    quality(chosen.count)
    vectors()


if __name__ == "__main__":
    main()
