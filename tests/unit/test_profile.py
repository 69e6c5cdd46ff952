"""What a profile proposes: content before header, chance told from proof, entities and not rows."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.catalog.entry import EntryField
from sandbox.core.errors import SandboxError
from sandbox.desensitize.measures import measure
from sandbox.desensitize.profile import room
from sandbox.desensitize.profile.concepts import heads
from sandbox.desensitize.profile.fields import entry_fields, fields_yaml, laxer, names
from sandbox.desensitize.profile.model import About, FieldProposal, Profile
from sandbox.desensitize.profile.propose import profile
from sandbox.desensitize.profile.reasons import REASONS, sentence
from sandbox.desensitize.profile.table import Table, column, read
from sandbox.pii.classes import CLASSES
from sandbox.pii.kinds import KINDS
from sandbox.pii.labelled import LABELLED

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚"
AREAS = ["520102", "520103", "520111", "520112", "520113", "520115", "520121", "520122"]


def identity(draw: random.Random) -> str:
    """A resident number with its check character, by the standard's own powers of two."""
    day = f"{draw.randint(1940, 2008)}{draw.randint(1, 12):02d}{draw.randint(1, 28):02d}"
    body = f"{draw.choice(AREAS)}{day}{draw.randint(0, 999):03d}"
    return body + "10X98765432"[sum(int(d) * (2 ** (17 - i) % 11) for i, d in enumerate(body)) % 11]


def firm(draw: random.Random) -> str:
    """A unified social credit code with its check character (GB 32100)."""
    signs = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = f"91{draw.choice(AREAS)}MA6" + "".join(draw.choice(signs) for _ in range(6))
    total = sum(signs.index(sign) * pow(3, i, 31) for i, sign in enumerate(body))
    return body + signs[(31 - total % 31) % 31]


def table(**columns: Sequence[Any]) -> Table:
    """Columns as a CSV file would bring them: text, typed by content."""
    made = [
        column(
            name, place, pl.Series([None if v is None else str(v) for v in values], dtype=pl.String), False
        )
        for place, (name, values) in enumerate(columns.items())
    ]
    return Table(made[0].rows, made)


def proposed(**columns: Sequence[Any]) -> Profile:
    return profile(table(**columns))


def only(values: Sequence[Any], header: str = "c1") -> FieldProposal:
    return proposed(**{header: values}).fields[0]


def codes(one: FieldProposal) -> set[str]:
    return {reason.code for reason in one.reasons}


def people(count: int = 400, seed: int = 1) -> dict[str, list[Any]]:
    draw = random.Random(seed)
    ids = [identity(draw) for _ in range(count)]
    return {
        "c1": ids,
        "c2": [draw.choice(SURNAMES) + draw.choice(GIVEN) + draw.choice(GIVEN) for _ in range(count)],
        "c3": [f"{one[6:10]}-{one[10:12]}-{one[12:14]}" for one in ids],
        "c4": ["男" if int(one[16]) % 2 else "女" for one in ids],
        "c5": [one[:6] for one in ids],
        "c6": [f"1{draw.choice('3578')}{draw.randint(0, 999999999):09d}" for _ in range(count)],
    }


def test_a_table_of_persons_without_one_telling_header() -> None:
    told = proposed(**people())
    assert [(one.kind, one.role) for one in told.fields] == [
        ("resident_id", "identifier"),
        ("person_name", "identifier"),
        ("birth_date", "quasi"),
        ("sex", "quasi"),
        ("division", "quasi"),
        ("mobile", "identifier"),
    ]
    assert told.about is About.PERSON
    assert told.entity == "c1"
    assert ("c1",) in told.keys
    assert all("personal" in one.flags for one in told.fields)
    # The two labels are kept apart: the number is the strongest identifier and not sensitive by itself.
    number = told.field("c1")
    assert (number.strength, number.statutory, number.level) == ("direct", "personal", 4)


def test_check_digits_met_by_chance_are_none() -> None:
    draw = random.Random(2)
    orders = ["62" + "".join(draw.choice("0123456789") for _ in range(14)) for _ in range(2000)]
    one = only(orders)
    assert (one.kind, one.role, one.level) == ("", "other", 1)
    assert "CHECK_BY_CHANCE" in codes(one)
    cases = [f"{draw.choice(AREAS)}2024{draw.randint(1, 12):02d}{draw.randint(1, 28):02d}{n % 10000:04d}"
             for n in range(2000)]  # fmt: skip
    assert only(cases).role == "other"
    assert only([str(13_900_000_000 + n) for n in range(500)]).role == "other"  # a running number
    assert only([1_600_000_000_000 + 7919 * n for n in range(500)]).role == "other"  # milliseconds


def test_what_the_first_run_on_unseen_tables_missed() -> None:
    """benchmarks/profile_heldout.py: rarer names, names of the world, numbers that look like somebody's."""
    draw = random.Random(12)
    rare = [
        draw.choice("汲邴糜牧隗蓬郗王李张")
        + draw.choice("瀚祎玥懿烁桐")
        + draw.choice("骞潼笙弋茉珩琰祺翊宸霄晏黛漪汶沅")
        for _ in range(200)
    ]
    assert only(rare).kind == "person_name"
    first = [
        "Priya",
        "Jürgen",
        "Chiara",
        "Oluwaseun",
        "Fatima",
        "Hiroshi",
        "Emma",
        "Walter",
        "Ingrid",
        "Grace",
    ]
    last = [
        "Iyer",
        "Weißmann",
        "Esposito",
        "Okonkwo",
        "Haddad",
        "Tanaka",
        "Smith",
        "Nowak",
        "Silva",
        "Hughes",
    ]
    world = [f"{draw.choice(first)} {draw.choice(last)}" for _ in range(200)]
    assert proposed(a=world, b=people(200)["c6"]).field("a").role == "identifier"  # beside persons
    lots = [f"1{draw.randint(30, 39)}{draw.randint(0, 3)}000{draw.randint(0, 9999):04d}" for _ in range(200)]
    assert only(lots, "批号").role == "other"
    assert only([str(1_600_000_000_000 + draw.randrange(10**11)) for _ in range(200)], "sjhm").role == "other"
    assert only([f"{draw.random() * 9e4:.2f}" for _ in range(200)] + ["-"], "车牌").role == "other"
    passports = [f"E{draw.randint(10**7, 10**8 - 1)}" for _ in range(200)]
    assert only(passports, "护照号码").role == "identifier"
    assert only(passports).role == "other"  # a form without check digit, and nobody beside it
    towns = [
        "Springfield",
        "Aurora",
        "Madison",
        "Franklin",
        "Clinton",
        "Georgetown",
        "Salem",
        "Lincoln",
        "Hudson",
    ]
    assert only([draw.choice(towns) for _ in range(200)]).role == "other"
    assert only([f"{draw.choice('王李张')}{n}家站" for n in range(100)], "站名").role == "other"
    fathers = [
        f"{a} {b} Петрович" for a in ("Иванов", "Попов", "Соколов") for b in ("Алексей", "Дмитрий", "Андрей")
    ]
    assert only(fathers).kind == "person_name"
    homes = [f"Gartenweg {n}, {draw.randint(10115, 99998)} Jena" for n in range(1, 100)]
    assert only(homes).kind == "address"
    areas = [f"{draw.choice(AREAS)}2024{draw.randint(1, 12):02d}{n:06d}" for n in range(300)]
    one = only(areas, "证件号码")
    assert (one.role, one.conflict) == ("other", True)


@pytest.mark.parametrize("header", ["c1", "订单号", "status", "金额"])
def test_content_wins_over_a_lying_header(header: str) -> None:
    draw = random.Random(3)
    one = only([identity(draw) for _ in range(100)], header)
    assert (one.kind, one.role) == ("resident_id", "identifier")
    assert one.conflict == (header != "c1")
    assert ("HEADER_CONFLICT" in codes(one)) == one.conflict


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("身份证号", [f"{n * 1.37:.2f}" for n in range(100)]),
        ("姓名", [str(20240000 + n) for n in range(100)]),
        ("mobile", ["高", "中", "低"] * 40),
        ("性别", [f"x{n}" for n in range(100)]),
        ("出生日期", [f"物资{n}" for n in range(100)]),
    ],
)
def test_a_header_that_the_content_belies_is_told_and_not_believed(header: str, values: list[str]) -> None:
    one = only(values, header)
    assert one.role == "other"
    assert one.conflict
    assert "HEADER_CONFLICT" in codes(one)


def test_a_header_alone_counts_where_content_can_tell_nothing() -> None:
    draw = random.Random(4)
    one = only([f"{draw.randint(10**7, 10**8 - 1)}" for _ in range(100)], "病历号")
    assert (one.kind, one.role, one.level) == ("patient", "identifier", 4)
    assert "HEADER_ONLY" in codes(one)
    assert only([f"{draw.randint(10**7, 10**8 - 1)}" for _ in range(100)]).kind == ""


def test_enterprises_and_their_figures() -> None:
    draw = random.Random(5)
    told = proposed(
        企业=[firm(draw) for _ in range(100)],
        企业名称=[f"贵州{draw.choice(GIVEN)}{draw.choice(GIVEN)}{n}商贸有限公司" for n in range(100)],
        营业收入=[f"{draw.random() * 1e7:.2f}" for _ in range(100)],
        行业=[draw.choice(["制造", "零售", "建筑"]) for _ in range(100)],
    )
    assert told.about is About.ENTERPRISE
    assert told.entity == "企业"
    assert [one.role for one in told.fields] == ["identifier", "identifier", "sensitive", "other"]
    assert told.field("营业收入").flags == ("enterprise_confidential",)
    assert not any("personal" in one.flags for one in told.fields)


def test_numbers_of_persons_within_remarks() -> None:
    draw = random.Random(6)
    texts = [f"第 {n} 次回访，情况正常，下周再联系" for n in range(200)]
    texts[17] = f"联系不上本人，身份证{identity(draw)}，请核对"
    one = proposed(备注=texts).fields[0]
    assert (one.kind, one.role) == ("resident_id", "identifier")
    assert "IDENTIFIER_SOME" in codes(one)


@pytest.mark.requirement("R-133")
def test_metrics_are_those_by_hand_and_a_hidden_quasi_identifier_is_found() -> None:
    """More of the metrics, against their definitions: tests/unit/test_anonymity_measures.py."""
    # Classes a (x x y) and b (x y): k 2, l 2, no unique row; t is the distance of b: |1/2 - 3/5|.
    rows = pl.DataFrame({"q": ["a", "a", "a", "b", "b"], "s": ["x", "x", "y", "x", "y"]})
    with duckdb.connect() as connection:
        connection.register("given", rows.to_arrow())
        by_hand = measure(connection, "given", ["q"], {"s": False})
    assert (by_hand.k, by_hand.uniques, by_hand.spread["s"].distinct_l) == (2, 0, 2)
    assert by_hand.spread["s"].t == pytest.approx(0.1)
    draw = random.Random(7)
    count = 6000
    born = [
        f"{draw.randint(1930, 2004)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
        for _ in range(count)
    ]
    sex, area = [str(draw.choice([1, 2])) for _ in range(count)], [draw.choice(AREAS) for _ in range(count)]
    told = proposed(
        v1=sex,
        v2=area,
        v3=born,
        v4=[str(draw.randint(1, 5)) for _ in range(count)],
    )
    triple = next(one for one in told.combinations if set(one.columns) == {"v1", "v2", "v3"})
    alone = pl.DataFrame({"a": sex, "b": area, "c": born}).group_by("a", "b", "c").len().filter(len=1).height
    assert (triple.unique, triple.entities) == (alone, count)
    assert [told.field(name).role for name in ("v1", "v2", "v3")] == ["quasi"] * 3


def test_uniqueness_counts_entities_and_not_rows() -> None:
    rows = people(300)
    many = {name: [value for value in values for _ in range(5)] for name, values in rows.items()}
    told = proposed(**many)
    assert told.entity == "c1"
    assert max(one.entities for one in told.combinations) == 300
    assert any(one.share > 0.9 for one in told.combinations)


def test_a_number_that_attributes_depend_on_names_the_entity() -> None:
    draw = random.Random(8)
    persons = [
        (1000 + n, draw.choice(["male", "female"]), f"{draw.randint(1940, 2005)}-05-{draw.randint(10, 28)}")
        for n in range(200)
    ]
    rows = [draw.choice(persons) for _ in range(1000)]
    told = proposed(nr=[r[0] for r in rows], a=[r[1] for r in rows], b=[r[2] for r in rows],
                    score=[draw.randint(1, 9) for _ in rows])  # fmt: skip
    assert told.entity == "nr"
    assert "ENTITY_KEY" in codes(told.field("nr"))


def test_minors_make_a_sensitive_group() -> None:
    draw = random.Random(9)
    born = [
        f"{draw.randint(2014, 2024)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}" for _ in range(200)
    ]
    told = proposed(姓名=people(200)["c2"], 出生日期=born)
    assert told.sensitive_group
    assert [reason.code for reason in told.reasons] == ["ABOUT_PERSONS", "MINORS"]
    assert all("sensitive_personal" in one.flags for one in told.fields)


def test_patients_are_a_sensitive_group_and_a_register_with_some_ill_is_none() -> None:
    draw = random.Random(10)
    ill = ["高血压", "糖尿病", "肺炎", "骨折"]
    hospital = proposed(姓名=people(200)["c2"], 诊断=[draw.choice(ill) for _ in range(200)])
    register = proposed(
        姓名=people(200)["c2"], 慢性病=[draw.choice([*ill, *["无"] * 20]) for _ in range(200)]
    )
    assert hospital.sensitive_group
    assert not register.sensitive_group
    assert register.field("慢性病").flags == ("personal", "sensitive_personal")


def test_an_aggregate_is_about_nobody() -> None:
    told = proposed(
        性别=[s for s in ("男", "女") for _ in range(20)],
        年份=[str(2003 + n) for _ in range(2) for n in range(20)],
        人数=[str(1000 + 17 * n) for n in range(40)],
    )
    assert told.about is About.AGGREGATE
    assert {one.level for one in told.fields} == {1}
    assert not any(one.flags for one in told.fields)


def test_keys_and_dependencies() -> None:
    draw = random.Random(11)
    towns = {f"T{n}": f"P{n % 7}" for n in range(40)}
    rows = [draw.choice(list(towns)) for _ in range(2000)]
    told = proposed(town=rows, province=[towns[one] for one in rows], n=[str(n) for n in range(2000)])
    assert ("n",) in told.keys
    found = {(one.columns, one.determines) for one in told.dependencies}
    assert (("town",), "province") in found
    assert (("province",), "town") not in found
    days = [f"2024-01-{n % 28 + 1:02d}" for n in range(280)]
    pair = proposed(day=days, station=[f"S{n // 28}" for n in range(280)])
    assert pair.keys == (("day", "station"),)


def test_an_empty_column_says_so_and_an_empty_table_is_no_crash() -> None:
    assert codes(only([None] * 20)) == {"EMPTY"}
    assert proposed(a=[]).rows == 0


# --- the forms in which it goes on ------


def test_no_value_of_the_data_is_in_a_profile() -> None:
    rows = people(300)
    text = json.dumps(proposed(**rows).model_dump(mode="json"), ensure_ascii=False)
    for values in (rows["c1"], rows["c2"], rows["c3"], rows["c6"]):
        assert not any(value in text for value in values)


def test_the_fields_are_those_of_a_catalogue_entry() -> None:
    told = proposed(**people(100), **{"订单 号": [str(n) for n in range(100)]})
    written = yaml.safe_load(fields_yaml(told))
    assert written["entity"] == "c1"
    for row in written["fields"]:
        EntryField.model_validate(row)
    assert written["fields"] == entry_fields(told)
    assert names(told.fields)[-1] == "number"
    assert Profile.model_validate(json.loads(told.model_dump_json())) == told


def test_names_are_distinct_whatever_the_columns_are_called() -> None:
    told = proposed(**{"甲": ["1"], "乙": ["2"], "a": ["3"], "A": ["4"]})
    made = names(told.fields)
    assert len({name.casefold() for name in made}) == 4


def test_where_an_entry_says_less_than_the_proposal() -> None:
    told = proposed(**people(200))
    strict = entry_fields(told)

    def less(fields: list[dict[str, Any]], entity: str | None = "c1") -> list[dict[str, Any]]:
        return laxer({"fields": fields, "entity": entity}, told)

    assert less(strict) == []
    assert less([{**row, "level": 4, "flags": ["personal", "sensitive_personal"]} for row in strict]) == []
    lax = [{**strict[0], "level": 2, "flags": [], "role": "other"}, *strict[1:]]
    found = {(row["field"], row["what"], row["proposed"]) for row in less(lax)}
    assert found == {("c1", "level", 4), ("c1", "flag", "personal"), ("c1", "role", "identifier")}
    assert [(row["field"], row["what"]) for row in less(strict, None)] == [("c1", "entity")]


def test_every_reason_is_a_sentence_in_both_languages() -> None:
    told = proposed(**people(100))
    for one in told.fields:
        assert all(reason.zh() and reason.en() for reason in one.reasons)
    with pytest.raises(KeyError):
        sentence("UNKNOWN", "zh", {})
    assert all(zh.endswith("。") and en.endswith(".") for zh, en in REASONS.values())


def test_the_json_form_is_what_the_guide_says() -> None:
    """Keys are a contract: added, never renamed."""
    schema = Profile.model_json_schema()
    assert {"format", "rows", "about", "fields", "entity", "sensitive_group", "reasons", "keys"} <= set(
        schema["properties"]
    )
    field = set(schema["$defs"]["FieldProposal"]["properties"])
    assert {"name", "type", "kind", "category", "level", "flags", "role", "strength", "statutory"} <= field
    assert {"confidence", "reasons", "conflict", "shape"} <= field
    guide = (Path(__file__).parents[2] / "docs" / "profile.md").read_text("utf-8")
    assert all(
        f"`{name}`" in guide for name in ("about", "entity", "sensitive_group", "keys", "combinations")
    )


def test_each_kind_of_the_catalogue_has_its_two_labels() -> None:
    assert set(CLASSES) == set(KINDS) | set(LABELLED)
    # A number is no sensitive information by itself; a disability certificate tells the disability.
    assert CLASSES["resident_id"].statutory == "personal"
    assert CLASSES["disability_card"].statutory == "sensitive_personal"
    assert CLASSES["uscc"].subject == "enterprise"


# --- reading ----------------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(SandboxError) as caught:
        read(path)
    return caught.value.code


def test_files_that_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for raw in (b"", b"PAR1 no parquet PAR1", b"\x00\x01\x02\x03", b"a,b\n1,2,3\n"):
        path.write_bytes(raw)
        assert refused(path) == "PROFILE_FILE"
    path.unlink()
    assert refused(path) == "PROFILE_FILE"
    path.write_text(f"{identity(random.Random(1))},张三,3\n{identity(random.Random(2))},李四,5\n")
    assert refused(path) == "PROFILE_HEADER"
    pl.DataFrame({"x": [[1, 2], [3]]}).write_parquet(path)
    assert refused(path) == "PROFILE_COLUMN"


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8-sig", ","), ("gb18030", ";"), ("utf-8", "\t")])
def test_encodings_and_separators(tmp_path: Path, encoding: str, mark: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(f"姓名{mark}年份\n张三{mark}2020\n李四{mark}2021\n".encode(encoding))
    assert [one.name for one in read(path).columns] == ["姓名", "年份"]


def test_the_room(tmp_path: Path) -> None:
    pl.DataFrame(people(100)).write_parquet(tmp_path / "data")
    report = room.run({"entity": None}, tmp_path, tmp_path)
    assert report["ok"]
    assert Profile.model_validate(report["profile"]).entity == "c1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
    with pytest.raises(SandboxError) as caught:
        room.run({"entity": 5}, tmp_path, tmp_path)
    assert caught.value.code == "PROFILE_PARAMS"


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.text(max_size=30), st.sampled_from(["男", "13800000001"])), max_size=30)
)
def test_any_text_is_profiled(values: list[str | None]) -> None:
    one = proposed(x=values).fields[0] if values else None
    assert one is None or 0 <= one.confidence <= 1


@pytest.mark.parametrize(
    ("header", "concept"),
    [("客户姓名", "person_name"), ("productName", ""), ("sfzh", "resident_id"), ("dateOfBirth", "birth_date"),
     ("created_at", "event_time"), ("col_7", ""), ("Geschlecht", "sex"), ("出生地", "division"),
     ("xm", "person_name")],
)  # fmt: skip
def test_headers(header: str, concept: str) -> None:
    assert heads(header) == concept
