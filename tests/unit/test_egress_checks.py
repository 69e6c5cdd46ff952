"""The checks: what they find, and what they let alone."""

import hashlib
import json

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save

from sandbox.core.errors import SandboxError
from sandbox.egress.check import check, load_history
from sandbox.egress.checks import CHECKS
from sandbox.egress.checks.base import Check
from sandbox.egress.context import RawTable
from sandbox.egress.findings import Severity
from sandbox.egress.forms import Budget
from sandbox.egress.messages import RULES


def rules(report, severity=None):
    return {f.rule for f in report.findings if severity is None or f.severity == severity}


def cells(persons, *keys):
    return persons.group_by(*keys).agg(n=pl.len()).filter(pl.col("n") >= 10)


def test_clean_aggregates_have_no_findings(attack, persons):
    table = persons.group_by("district", "sex").agg(n=pl.len(), mean_income=pl.col("income").mean().round(2))
    for frame in (
        table,
        table.rename({"district": "区", "sex": "性别", "n": "人数", "mean_income": "平均"}),
        table.pivot(on="sex", index="district", values="n"),
        pl.concat(
            [
                table.select("district", "sex", "n"),
                pl.DataFrame({"district": ["合计"], "sex": ["合计"], "n": [persons.height]}),
            ],
            how="vertical_relaxed",
        ),
    ):
        report = attack(frame)
        assert (report.verdict, report.findings) == ("no_objection", [])


@pytest.mark.requirement("R-142")
def test_three_renamed_shuffled_raw_rows_are_counted_and_an_aggregate_passes(attack, persons):
    rows = persons.sample(3, seed=5, shuffle=True).select(x="income", y="district", z="sex", w="age")
    report = attack(rows)
    overlap = next(f for f in report.findings if f.rule == "RAW_OVERLAP")
    assert (report.verdict, overlap.severity, overlap.evidence["count"]) == ("reject", Severity.HARD, 3)
    aggregate = persons.group_by("district", "sex").agg(n=pl.len(), income=pl.col("income").mean())
    assert attack(aggregate).verdict == "no_objection"


@pytest.mark.parametrize(
    "change",
    [
        pl.col("income").round(0),
        (pl.col("income") / 100).round(0) * 100,
        pl.col("income").round(1).cast(pl.String),
    ],
)
def test_rounded_and_retyped_rows_overlap(attack, persons, change):
    rows = persons.sample(40, seed=2).select("district", "sex", "occupation", age="age", v=change)
    assert "RAW_OVERLAP" in rules(attack(rows), Severity.HARD)


def test_raw_rows_hidden_among_benign_ones_do_not_pass(attack, persons):
    report = attack(persons.select("district", "sex", "age", "occupation", "income").sample(200, seed=1))
    assert {"RAW_OVERLAP", "K_ANONYMITY"} <= rules(report, Severity.HARD)


def test_whole_object_and_projection_are_raw(attack, persons, persons_file):
    assert "RAW" in rules(attack(persons_file.read_bytes(), "copy.parquet"))
    for frame in (
        persons.select(q="sex").sample(fraction=1, shuffle=True, seed=1),
        persons.select("district", "income"),
        persons.select("district", "age").head(3000),
    ):
        assert "RAW" in rules(attack(frame), Severity.HARD)


@pytest.mark.parametrize("keys", [("district", "age"), ("birth",), ("district", "age", "sex")])
def test_small_cells_are_recounted(attack, persons, keys):
    for frame in (
        persons.group_by(*keys).agg(n=pl.len()),
        persons.group_by(*keys).agg(pl.col("income").mean()),
        persons.group_by(*keys).agg(n=pl.len() * 10),  # a false count does not help
    ):
        report = attack(frame)
        assert report.verdict == "reject"
        assert rules(report) & {"SMALL_CELL", "K_ANONYMITY"}


def test_small_cells_in_cross_tables_bands_and_trees(attack, persons):
    cross = persons.group_by("district", "age").len().pivot(on="district", index="age", values="len")
    assert "SMALL_CELL" in rules(attack(cross), Severity.HARD)
    low = pl.col("age") // 5 * 5
    band = pl.format("{}-{}", low, low + 4).alias("age_band")
    bands = persons.group_by("district", "occupation", "sex", band).agg(n=pl.len())
    report = attack(bands)
    assert "SMALL_CELL" in rules(report, Severity.HARD)
    assert report.findings[0].evidence["count"] == bands.filter(pl.col("n") < 10).height
    tree = {r[0]: {r[1]: r[2]} for r in persons.group_by("birth", "sex").len().head(5).iter_rows()}
    assert attack(json.dumps(tree), "tree.json").verdict == "reject"


def test_entities_not_rows_are_counted(attack, persons, tmp_path):
    visits = pl.concat([persons.head(5)] * 40).with_columns(hospital=pl.lit("一院"))
    path = tmp_path / "visits.parquet"
    visits.write_parquet(path)
    raw = RawTable("visits", path, "id_no", ("hospital",))
    report = attack(pl.DataFrame({"hospital": ["一院"], "n": [200]}), raws=[raw])
    assert "SMALL_CELL" in rules(report, Severity.HARD)
    bare = RawTable("visits", path, None, ("hospital",))
    assert attack(pl.DataFrame({"hospital": ["一院"], "n": [200]}), raws=[bare]).verdict == "no_objection"


def test_sensitive_groups_have_their_own_threshold(attack, persons, persons_file, policy):
    frame = persons.group_by("district", "sex").agg(n=pl.len()).filter(pl.col("n") >= 10)
    strict = RawTable("p", persons_file, "id_no", sensitive_group=True)
    assert (
        attack(frame, raws=[strict], policy={**policy, "egress.min_cell_sensitive": 100_000}).verdict
        == "reject"
    )
    assert attack(frame, raws=[strict]).verdict == "no_objection"


def test_counts_that_the_recount_does_not_confirm_are_held(attack, persons):
    frame = persons.group_by("district").agg(n=pl.len() + 50)
    report = attack(frame)
    assert ("COUNT_MISMATCH" in rules(report, Severity.HOLD), report.verdict) == (True, "hold")
    rounded = persons.group_by("district").agg(n=(pl.len() / 10).round(0).cast(pl.Int64) * 10)
    assert attack(rounded).verdict == "no_objection"


def _raw_with(folder, persons, more):
    path = folder / "more.parquet"
    pl.concat([persons, more]).write_parquet(path)
    return RawTable("more", path, None, ("district",), ("disease",))


def test_invented_labels_do_not_stop_the_recount(attack, persons):
    small = persons.group_by("district", "age").agg(n=pl.len() + 30)
    fake = pl.DataFrame({"district": ["甲", "乙", "丙"], "age": [20, 30, 40], "n": [50, 60, 70]})
    report = attack(pl.concat([small, fake], how="vertical_relaxed"))
    assert report.verdict == "reject"


def test_zero_cells_and_whole_groups_are_held(attack, persons, tmp_path):
    full = persons.group_by("district", "disease").agg(n=pl.len())
    empty = pl.concat(
        [full, pl.DataFrame({"district": ["东城区"], "disease": ["不存在"], "n": [0]})],
        how="vertical_relaxed",
    )
    assert attack(full).verdict == "no_objection"
    assert "ZERO_CELL" in rules(attack(empty), Severity.HOLD)
    only = persons.filter(pl.col("disease") == "无").head(50).with_columns(district=pl.lit("郊县"))
    report = attack(cells(persons, "district", "disease"), raws=[_raw_with(tmp_path, persons, only)])
    assert "ZERO_CELL" not in rules(report)
    table = pl.concat([persons, only]).group_by("district", "disease").agg(n=pl.len())
    report = attack(table, raws=[_raw_with(tmp_path, persons, only)])
    assert next(f for f in report.findings if f.rule == "ZERO_CELL").evidence["count"] == 1


def test_a_lone_suppressed_cell_is_recovered_from_the_total(attack, persons):
    table = (
        persons.group_by("district")
        .agg(n=pl.len())
        .sort("district")
        .with_columns(pl.col("n").cast(pl.String))
    )
    total = pl.DataFrame({"district": ["合计"], "n": [str(persons.height)]})
    one = table.with_columns(n=pl.when(pl.col("district") == "东城区").then(None).otherwise("n"))
    two = table.with_columns(
        n=pl.when(pl.col("district").is_in(["东城区", "西城区"])).then(None).otherwise("n")
    )
    assert "RECOVERABLE" in rules(attack(pl.concat([one, total])), Severity.HARD)
    assert attack(pl.concat([two, total])).verdict == "no_objection"
    assert attack(one).verdict == "no_objection"


@pytest.fixture
def firms(tmp_path):
    rows = [(f"E{i}", "a", 1000.0) for i in range(20)] + [(f"F{i}", "b", 10.0) for i in range(20)]
    rows += [("BIG", "b", 90_000.0), ("G", "b", 5.0)]
    path = tmp_path / "firms.parquet"
    pl.DataFrame(rows, schema=["firm", "branch", "turnover"], orient="row").write_parquet(path)
    return RawTable("firms", path, "firm", ("branch",))


def test_dominated_sums_and_means(attack, firms):
    frame = pl.read_parquet(firms.path)
    for value in (pl.col("turnover").sum(), pl.col("turnover").mean().round(1)):
        report = attack(frame.group_by("branch").agg(n=pl.len(), v=value), raws=[firms])
        found = next(f for f in report.findings if f.rule == "DOMINANCE")
        assert (found.severity, found.evidence["count"]) == (Severity.HARD, 1)
    even = (
        frame.filter(pl.col("branch") == "a").group_by("branch").agg(n=pl.len(), v=pl.col("turnover").sum())
    )
    assert attack(even, raws=[firms]).verdict == "no_objection"


def test_extremes_of_few_persons(attack, persons):
    top = persons.group_by("district").agg(n=pl.len(), m=pl.col("income").max())
    assert "EXTREME" in rules(attack(top), Severity.HARD)
    scalar = json.dumps({"max_income": persons["income"].max(), "mean_income": 1.5})
    assert "EXTREME" in rules(attack(scalar, "summary.json"), Severity.HARD)
    described = persons.describe().select("statistic", "age", "income")
    assert "EXTREME" in rules(attack(described), Severity.HARD)
    common = persons.group_by("district").agg(n=pl.len(), m=pl.col("sex").len())
    assert "EXTREME" not in rules(attack(common))


def test_k_anonymity_states_k_and_classes(attack, persons):
    rows = persons.sample(1500, seed=3).select("district", "sex", "age", "occupation", "disease")
    found = next(f for f in attack(rows).findings if f.rule == "K_ANONYMITY")
    sizes = rows.group_by("district", "sex", "age", "occupation").len()["len"]
    assert (found.evidence["k"], found.evidence["classes"]) == (sizes.min(), len(sizes))
    assert sum(found.evidence["sizes"].values()) == len(sizes)


def test_generalised_rows_are_held_not_rejected(attack, persons):
    rows = persons.sample(1500, seed=3).select(
        "district",
        "sex",
        disease=pl.when(pl.col("disease") == "无").then(pl.lit("否")).otherwise(pl.lit("是")),
    )
    report = attack(rows)
    assert (report.verdict, rules(report)) == ("hold", {"ROW_LEVEL"})


def test_homogeneous_classes_fail_l_diversity(attack, persons):
    rows = persons.filter(pl.col("disease") == "高血压").select("sex", "disease").head(300)
    assert "L_DIVERSITY" in rules(attack(rows), Severity.HARD)


def test_k_counts_entities_where_the_key_is_there(attack, tmp_path, policy):
    people = pl.DataFrame({"pid": [f"p{i // 20:04d}" for i in range(400)], "town": ["甲", "乙"] * 200})
    people = people.with_columns(spend=pl.int_range(pl.len()) * 1.37)
    path = tmp_path / "spend.parquet"
    people.write_parquet(path)
    raw = RawTable("spend", path, "pid", ("town",))
    report = attack(
        people.sample(150, seed=1).select("pid", "town"), raws=[raw], policy={**policy, "egress.k_min": 25}
    )
    assert next(f for f in report.findings if f.rule == "K_ANONYMITY").evidence["k"] <= 20


def test_opaque_columns_are_held(attack, persons):
    frame = persons.group_by("district").agg(n=pl.len())
    tokens = pl.DataFrame(
        {
            "district": ["朝阳区"] * 30,
            "t": [hashlib.sha512(str(i).encode()).hexdigest()[:20] for i in range(30)],
        }
    )
    assert "OPAQUE" in rules(attack(tokens), Severity.HOLD)
    assert "OPAQUE" not in rules(attack(frame))


@pytest.mark.requirement("R-144")
def test_a_release_without_one_person_is_refused_naming_the_earlier_one(attack, persons, tmp_path):
    def table(frame):
        return frame.group_by("district", "sex").agg(n=pl.len())

    folder = tmp_path / "history" / "rel-0001"
    folder.mkdir(parents=True)
    table(persons).write_csv(folder / "a.csv")
    (folder / "meta.json").write_text(json.dumps({"id": "release-2026-17"}))
    less = attack(table(persons.slice(1)), history=folder.parent)
    found = next(f for f in less.findings if f.rule == "DIFFERENCING")
    assert (found.severity, found.evidence["release"]) == (Severity.HARD, "release-2026-17")
    assert "release-2026-17" in found.message_zh
    other = persons.group_by("occupation").agg(n=pl.len())
    assert attack(other, history=folder.parent).verdict == "no_objection"
    assert attack(table(persons), history=folder.parent).verdict == "no_objection"
    by_sex = persons.slice(3).group_by("sex").agg(n=pl.len())  # another cut, the same total but for three
    assert "DIFFERENCING" in rules(attack(by_sex, history=folder.parent), Severity.HARD)


def test_undeclared_files_and_columns_are_refused(attack, persons):
    frame = persons.group_by("district", "sex").agg(n=pl.len())
    declared = [{"path": "out.csv", "kind": "table", "dimensions": ["district", "sex"], "counts": ["n"]}]
    assert attack(frame, declared=declared).verdict == "no_objection"
    assert "UNDECLARED" in rules(attack(frame, "other.csv", declared=declared), Severity.HARD)
    extra = frame.with_columns(more=pl.lit(1))
    assert "UNDECLARED" in rules(attack(extra, declared=declared), Severity.HARD)
    missing = attack(frame, declared=[*declared, {"path": "more.csv"}])
    assert "UNDECLARED" in rules(missing, Severity.FLAG)


def test_declared_small_counts_are_hard_without_raw_data(attack):
    declared = [{"path": "out.csv", "counts": ["x"], "dimensions": ["a"]}]
    assert "SMALL_CELL" in rules(attack("a,x\nb,3\nc,50\n", raws=[], declared=declared), Severity.HARD)
    assert "SMALL_CELL" in rules(attack("a,人数\nb,3\nc,50\n", raws=[]), Severity.HOLD)
    assert "SMALL_CELL" not in rules(attack("a,x\nb,3\nc,50\n", raws=[]))


def test_borders_secrets_formulas_and_numerals(attack):
    assert "CROSS_BORDER" in rules(attack("see ![x](http://a.example/p.png)\n", "r.md"), Severity.HOLD)
    assert "CROSS_BORDER" in rules(attack("[x](https://example.com)\n", "r.md"), Severity.FLAG)
    assert "CROSS_BORDER" not in rules(attack("[x](https://data.gov.cn)\n", "r.md"))
    assert "CROSS_BORDER" in rules(attack("ok\n", "r.md", recipient={"jurisdiction": "HK"}), Severity.HOLD)
    assert "SECRECY" in rules(attack("机密★10年\n", "r.md"), Severity.HOLD)
    assert "SECRECY" not in rules(attack("商业秘密保护办法\n", "r.md"))
    assert "FORMULA" in rules(attack('a,b\n"=HYPERLINK(""x"")",1\n'), Severity.HOLD)
    assert "FORMULA" not in rules(attack("a,b\n-5,1\n+3.2,2\n"))
    assert "NUMERAL" in rules(attack("a,b\n1e999999999999,1\n"), Severity.HOLD)


def test_every_rule_is_raised_by_some_check_and_every_point_has_one():
    raised = {rule for item in CHECKS for rule in item.rules} | {"POLICY_MISSING", "CHECK_ERROR"}
    assert raised == set(RULES)
    assert {row.point for row in RULES.values()} == {f"26.{i}" for i in range(1, 7)}


@pytest.mark.parametrize("key", sorted({key for item in CHECKS for key in item.thresholds}))
def test_a_missing_policy_value_rejects(attack, persons, policy, key):
    asked = {item.needs for item in CHECKS if key in item.thresholds}
    output = (persons.group_by("district", "sex").agg(n=pl.len()), "out.csv")
    if asked == {"model"}:
        output = (save({"weight": np.ones((2, 2))}), "m.safetensors")
    for value in (None, "ten", True):
        report = attack(*output, policy={**policy, key: value})
        assert "POLICY_MISSING" in rules(report, Severity.HARD)
        assert report.verdict == "reject"


def test_a_check_that_raises_rejects_without_its_text(attack, persons, monkeypatch):
    def broken(document, context):
        raise ValueError("110101199003077475")

    monkeypatch.setattr("sandbox.egress.check.CHECKS", (*CHECKS, Check(("OPAQUE",), "file", broken)))
    report = attack(persons.group_by("district").agg(n=pl.len()))
    assert "CHECK_ERROR" in rules(report, Severity.HARD)
    assert "110101199003077475" not in json.dumps(report.as_json())
    assert next(r for r in report.rules if r["rule"] == "CHECK_ERROR")["result"] == "fail"


def test_nothing_to_check_is_rejected(tmp_path, policy):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert check([empty], [], {}, policy, "p").verdict == "reject"


def test_what_the_caller_gave_wrongly_is_an_error(tmp_path, policy, persons_file, attack):
    with pytest.raises(SandboxError, match="EGRESS_PATH"):
        check([tmp_path / "absent"], [], {}, policy, "p")
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 no")
    with pytest.raises(SandboxError, match="EGRESS_RAW_UNREADABLE"):
        attack("a\n1\n", raws=[RawTable("bad", bad)])
    with pytest.raises(SandboxError, match="EGRESS_RAW_COLUMN"):
        attack("a\n1\n", raws=[RawTable("p", persons_file, "absent")])
    (tmp_path / "h" / "r1").mkdir(parents=True)
    (tmp_path / "h" / "r1" / "x.bin").write_bytes(b"?")
    with pytest.raises(SandboxError, match="EGRESS_HISTORY"):
        load_history(tmp_path / "h", ["csv"], Budget())
    with pytest.raises(SandboxError, match="EGRESS_PARAMS"):
        attack("a\n1\n", declared=[{"kind": "table"}])


def test_a_count_of_a_part_tells_of_the_rest(attack, persons):
    ill = (pl.col("disease") != "无").sum().alias("ill")
    part = persons.group_by("district").agg(n=pl.len(), ill=ill)
    declared = [{"path": "out.csv", "dimensions": ["district"], "counts": ["n", "ill"]}]
    assert attack(part, declared=declared).verdict == "no_objection"
    nearly = part.with_columns(
        ill=pl.when(pl.col("district") == "东城区").then(pl.col("n") - 2).otherwise("ill")
    )
    report = attack(nearly, declared=declared)
    assert next(f for f in report.findings if f.rule == "SMALL_CELL").evidence["basis"] == "complement"
    every = part.with_columns(ill=pl.when(pl.col("district") == "东城区").then("n").otherwise("ill"))
    assert "ZERO_CELL" in rules(attack(every, declared=declared), Severity.HOLD)


def test_means_that_are_raw_values_by_chance_are_no_dimension(attack, tmp_path):
    frame = pl.DataFrame(
        {"town": ["甲", "乙", "丙", "丁"] * 500, "income": [1000 + i * 7 % 997 for i in range(2000)]}
    )
    path = tmp_path / "dense.parquet"
    frame.write_parquet(path)
    raw = RawTable("dense", path, None, ("town",))
    for name in ("income", "mean_income", "x"):
        table = frame.group_by("town").agg(n=pl.len(), v=pl.col("income").mean().round(0).cast(pl.Int64))
        assert attack(table.rename({"v": name}), raws=[raw]).verdict == "no_objection"


def test_numbers_in_the_order_of_the_raw_data_are_found_and_sorted_ones_are_not(attack, tmp_path):
    """A list from one to nine stands in every table that numbers its rows."""
    scores = [i * 7919 % 3001 for i in range(300)]
    pl.DataFrame({"line": range(1, 301), "score": scores}).write_parquet(tmp_path / "scores.parquet")
    raws = [RawTable("scores", tmp_path / "scores.parquet")]

    def said(values):
        report = attack("，".join(map(str, values)) + "\n", "out.md", raws=raws)
        return [f.evidence["count"] for f in report.findings if f.rule == "RAW_OVERLAP"]

    assert said(scores[50:60]) == [10]
    assert said(reversed(scores[50:60])) == [10]
    assert said(range(1, 10)) == said(sorted(scores[:60])) == said(scores[50:80:3]) == []
