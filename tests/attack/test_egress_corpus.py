"""A sample of the corpus at public seeds; ``benchmarks/egress_corpus.py`` runs all of it at held-out ones.

What the benchmark still misses stands in ``docs/egress.md``; here stands what must never be missed again.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attack.corpus import HELD_OUT, PUBLIC, cases, containers
from tests.attack.corpus import benign as honest
from tests.attack.corpus.domains import DOMAINS, world
from tests.attack.corpus.draw import ALONE, DOSES
from tests.attack.corpus.judge import examine, judge, store_raw
from tests.attack.corpus.registry import ELSEWHERE, TECHNIQUES

CATALOGUE = set(range(1, 93)) - {31, 79}  # two numbers of the research's table are not given
FORMS = ("csv", "parquet", "json", "markdown")
# One way of each kind; each is stopped as firmly as its technique asks.
STOPPED = (
    "a01-id_column:health:100%:csv:189",
    "a03-in_sentence:mobility:100%:csv:939",
    "a04-label_with_count:health:10%:csv:633",
    "b06-bases:enterprise:100%:csv:523",
    "b10-lookalikes:health:100%:csv:316",
    "b11-numerals:mobility:100%:csv:325",
    "b13-split_columns:enterprise:100%:csv:800",
    "b19-polyglot:health:100%:csv:280",
    "c20-digest:health:100%:csv:948",
    "c21-changed_digest:mobility:one:csv:440",
    "d00-packed_cells:enterprise:100%:csv:711",
    "d00-raw_rows:health:100%:json:781",
    "e37-row_order:mobility:one:csv:227",
    "e41-parquet_metadata:mobility:one:parquet:913",
    "f49-rare_combinations:enterprise:one:jsonl:712",
    "f50-dominance:enterprise:10%:csv:132",
    "f54-extremes:mobility:10%:csv:53",
    "g65-pair:health:one:csv:750",
    "h77-encoders:mobility:one:csv:38",
    "i85-log:enterprise:10%:json:238",
    "i90-link:mobility:one:csv:727",
)
COUNTS = {"n", "人数", "persons", "企业数", "户数", "enterprises", "人数合计", "cases"}
LET_THROUGH = (
    "counts:health:benign:csv:4",
    "counts_and_means:enterprise:benign:json:9",
    "margins:mobility:benign:csv:6",
)


@pytest.fixture(scope="module")
def raws(tmp_path_factory):
    return tmp_path_factory.mktemp("raws")


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "egress_corpus.py"
    spec = importlib.util.spec_from_file_location("benchmark_egress_corpus", path)
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


@pytest.mark.parametrize("case", STOPPED)
def test_attack_is_stopped_as_firmly_as_asked(case, raws):
    result = judge(case, raws, carrier=False)
    assert result.as_asked, (result.outcome, result.rules)
    assert "CHECK_ERROR" not in result.rules


@pytest.mark.parametrize(
    "case",
    [
        "d30-noise:enterprise:10%:json:20261123429",  # labels that nobody has together; many hidden sums
        "c26-bloom_filter:health:100%:csv:20261124182",  # two columns of one raw column
    ],
)
def test_odd_tables_break_no_check(raws, case):
    result = judge(case, raws, carrier=False)
    assert result.stopped
    assert "CHECK_ERROR" not in result.rules


@pytest.mark.parametrize("case", LET_THROUGH)
def test_honest_output_is_not_disturbed(case, raws):
    result = honest.judge(case, raws)
    assert result.outcome == "no_objection", result.rules


def test_no_report_repeats_a_person(raws):
    """Over a table of persons with name and number: no identifier stands in the report."""
    _, draw, output = cases.build("a01-id_and_name:enterprise:100%:csv:511")
    report = examine(output, draw.world, store_raw(draw.world, raws))
    shown = json.dumps(report.as_json(), ensure_ascii=False)
    people = draw.world.frame.select([*draw.world.ids, draw.world.name])
    assert report.verdict.value == "reject"
    assert [value for c in people.columns for value in people[c].drop_nulls() if value in shown] == []


def test_every_row_of_the_catalogue_has_a_technique_or_a_place_elsewhere():
    covered = {number for technique in TECHNIQUES.values() for number in technique.rows}
    assert CATALOGUE - covered - set(ELSEWHERE) == set()
    assert covered <= CATALOGUE


def test_every_technique_has_cases_in_both_seed_ranges():
    forms = tuple({*containers.FORMS.values(), "png", "pdf", "safetensors"})
    for seeds in (PUBLIC, HELD_OUT):
        found = list(cases.select(seeds, 1, forms))
        assert {case.split(":")[0] for case in found} == set(TECHNIQUES)
        assert all(int(case.rsplit(":", 1)[1]) in seeds for case in found)
        assert {case.split(":")[2] for case in found} == set(DOSES)


@pytest.mark.parametrize("name", sorted(TECHNIQUES))
def test_a_case_is_the_same_at_every_run(name):
    technique = TECHNIQUES[name]
    dose = "one" if "one" in technique.doses else technique.doses[0]
    if name == "i89-bomb":
        pytest.skip("a bomb is large, and its content is constant")
    case = f"{name}:{technique.domains[0]}:{dose}:{technique.containers[0]}:7"
    first, second = ({n: containers.pack(n, c) for n, c in cases.build(case)[2].files.items()} for _ in "ab")
    assert first == second != {}


def test_seeds_give_other_files():
    made = {
        str(cases.build(f"a01-id_column:mobility:one:csv:{seed}")[2].files) for seed in (2, 4, HELD_OUT.start)
    }
    assert len(made) == 3


@pytest.mark.parametrize("domain", DOMAINS)
def test_worlds_are_what_the_corpus_needs(domain):
    where = world(domain, 1)
    frame = where.frame
    assert frame.null_count().sum_horizontal().item() > 0
    assert frame[where.entity].n_unique() > 2_000
    assert (frame[where.entity].n_unique() < frame.height) == (domain != "enterprise")
    assert any("\u4e00" <= c <= "\u9fff" for c in "".join(frame[where.text].drop_nulls().head(5)))
    revenue = frame[where.heavy].drop_nulls().sort(descending=True)
    assert float(revenue.head(frame.height // 100).sum()) > 0.05 * float(revenue.sum())
    assert frame.columns != world(domain, 0).frame.columns or not frame.equals(world(domain, 0).frame)


def test_a_payload_is_in_the_file_and_its_carrier_is_not():
    """The persons of a dose stand in the file; nobody stands in the honest cells around them."""
    for dose, (_, share) in DOSES.items():
        _, draw, output = cases.build(f"a02-mobile:mobility:{dose}:csv:{2}")
        text = b"".join(containers.pack(n, c) for n, c in output.files.items()).decode()
        plain = text.replace(" ", "").replace("-", "")
        known = draw.world.frame[draw.world.ids[1]].unique().to_list()
        found = sum(number in plain for number in known)
        here = ALONE if share == 1 else max(1, round(draw.around().height * share / (1 - share)))
        assert found == draw.size == here


def test_identity_numbers_of_the_worlds_are_well_formed():
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    numbers = world("health", 1).frame[world("health", 1).entity].unique().to_list()
    total = [sum(int(d) * w for d, w in zip(n, weights, strict=False)) % 11 for n in numbers]
    assert [n[-1] for n in numbers] == ["10X98765432"[t] for t in total]


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_interval_holds_the_share(benchmark, hits, total):
    hits = min(hits, total)
    low, high = benchmark.wilson(hits, total)
    assert 0 <= low <= hits / total + 1e-12 <= high + 2e-12 <= 1 + 2e-12
    assert high - low <= 2 * 1.96 / np.sqrt(total)


def test_wilson_interval_is_the_published_one(benchmark):
    """Newcombe 1998, table I: 81 of 263 and 15 of 148."""
    assert [round(v, 4) for v in benchmark.wilson(81, 263)] == [0.2553, 0.3662]
    assert [round(v, 4) for v in benchmark.wilson(15, 148)] == [0.0624, 0.1605]


def test_a_case_that_kills_its_process_is_a_crash_and_no_pass(benchmark):
    died = benchmark._died("a02-mobile:mobility:one:csv:2")
    assert (died.outcome, died.stopped, died.as_asked) == ("crash", False, False)


def test_benign_kinds_keep_the_threshold():
    """No honest table shows a number of persons below the threshold, whatever its kind."""
    for case in honest.select_benign(PUBLIC, 1, FORMS):
        draw, output = honest.build(case)
        for content in output.files.values():
            if isinstance(content, pl.DataFrame):
                for name in {
                    "n",
                    "人数",
                    "persons",
                    "企业数",
                    "户数",
                    "enterprises",
                    "人数合计",
                    "cases",
                } & set(content.columns):
                    assert content[name].min() >= draw.world.least, case
