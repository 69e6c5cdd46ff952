"""The catalogue of identifiers: each sort is found, with words or without, in every dress; others not."""

import json
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.pii import checksums, names
from sandbox.pii.kinds import KINDS
from sandbox.pii.labelled import LABELLED, announced, labelled
from sandbox.pii.normal import fold, fold_text, locate, trace
from sandbox.pii.numerals import spoken
from sandbox.pii.scan import scan
from tests.plugins import identifiers as make

SHARED = Path(__file__).parents[2].parent / "shared"
COUNT = 50


def draw(seed):
    return random.Random(f"catalogue {seed}")


def hits(values, kind):
    return scan(pl.Series(values)).filter(pl.col("kind") == kind)


@pytest.mark.parametrize("kind", make.CERTAIN)
def test_what_is_certain_is_found_alone_and_inside_text(kind):
    values = [make.CERTAIN[kind](draw((kind, i))) for i in range(COUNT)]
    alone, inside = hits(values, kind), hits([f"其{value}号" for value in values], kind)
    assert (alone["index"].n_unique(), inside["index"].n_unique()) == (COUNT, COUNT)
    if kind != "mobile":  # eleven digits are weighed by where they stand
        assert alone["sure"].all()


@pytest.mark.parametrize("kind", make.WORDED)
def test_what_needs_a_word_is_known_by_it(kind):
    maker, _, sentence = make.WORDED[kind]
    values = [maker(draw((kind, i))) for i in range(COUNT)]
    assert hits(values, kind)["index"].n_unique() == COUNT
    told = hits([sentence.format(value) for value in values], kind)
    assert told["index"].n_unique() == COUNT
    assert told["near"].all() or not KINDS[kind].context
    assert not told["sure"].any()


def test_every_sort_has_a_maker():
    assert set(KINDS) - set(make.CERTAIN) - set(make.WORDED) == {"hong_kong_id_plain", "email_spelled"}
    assert hits(["香港居民A1234563"], "hong_kong_id_plain")["near"].all()
    assert hits(["zhang.san[at]corp[dot]cn", "li (at) qq.com"], "email_spelled")["index"].n_unique() == 2


@pytest.mark.parametrize("kind", ["resident_id", "mobile", "bank_card"])
@pytest.mark.parametrize("look", make.LOOKS)
def test_numbers_are_seen_through_every_dress(look, kind):
    maker = make.CERTAIN.get(kind) or make.WORDED[kind][0]
    values = [maker(draw((look, kind, i))) for i in range(COUNT)]
    shown = [make.LOOKS[look](value, draw((look, i))) for i, value in enumerate(values)]
    found = hits([f"其{text}止" for text in shown], kind)
    assert sorted(found["found"].to_list()) == sorted(values)


@pytest.mark.requirement("R-130")
def test_random_digits_are_hardly_ever_identifiers():
    """A thousand strings of digits of each length: at most one in a hundred is taken for a sure one."""
    d = draw("random")
    wrong = {}
    for length in range(5, 31):
        values = [make.digits(d, length) for _ in range(1000)]
        found = scan(pl.Series(values)).filter("sure")
        wrong[length] = found["index"].n_unique()
    assert max(wrong.values()) <= 10, wrong


LOOKALIKES = {
    "order numbers": lambda d: f"2023{d.randint(1, 12):02d}{d.randint(1, 28):02d}{make.digits(d, 10)}",
    "letters and figures": lambda d: f"E{d.randint(10, 99)}00{make.digits(d, 4)}",
    "digests": lambda d: f"{d.getrandbits(160):040x}",
    "versions": lambda d: f"{d.randint(1, 9)}.{d.randint(0, 9)}.{d.randint(0, 9)}.{d.randint(0, 99)}",
    "times": lambda d: (
        f"2024-{d.randint(1, 12):02d}-01 {d.randint(0, 23):02d}:{d.randint(0, 59):02d}:00.123456"
    ),
    "amounts": lambda d: f"{d.randint(1, 999)},{d.randint(0, 999):03d},{d.randint(0, 999):03d},000.00",
    "decimals": lambda d: f"0.{make.digits(d, 17)}",
    "document numbers": lambda d: f"黔府办函〔20{d.randint(10, 26)}〕{d.randint(1, 400)}号",
    "regions": lambda d: make.digits(d, 6),
    "years": lambda d: "2011 2012 2013 2014",
    "Chinese amounts": lambda d: f"{d.choice('一二三四五')}百三十八亿元",
    "sentences": lambda d: (
        f"第{d.randint(1, 99)}号街道共有{d.randint(1, 9)}个社区，增长{d.randint(1, 9)}.{d.randint(0, 9)}%"
    ),
}


@pytest.mark.parametrize("sort", LOOKALIKES)
def test_what_only_looks_alike_is_no_finding(sort):
    values = [LOOKALIKES[sort](draw((sort, i))) for i in range(500)]
    found = scan(pl.Series(values))
    heavy = found.filter(
        pl.col("sure")
        | pl.col("near")
        | pl.Series([KINDS[k].alone == "hard" for k in found["kind"]], dtype=pl.Boolean)
    )
    assert heavy.height == 0, heavy


# Numbers of the published standards and of public documents, not made by our own formula.
@pytest.mark.parametrize(
    ("check", "good"),
    [
        (checksums.resident, "11010519491231002X"),  # GB 11643-1999, annex
        (checksums.resident, "440524188001010014"),
        (checksums.uscc, "91350100M000100Y43"),  # GB 32100-2015, annex
        (checksums.organisation, "D2143569-X"),  # GB 11714-1997, annex
        (checksums.luhn, "79927398713"),
        (checksums.vin, "1M8GDM9AXKP042788"),
        (checksums.hong_kong, "G123456(A)"),
        (checksums.taiwan, "A123456789"),
        (checksums.passport_line, "L898902C<3UTO6908061F9406236ZE184226B<<<<<14"),  # ICAO 9303
        (checksums.licence, "110108000000016"),
    ],
)  # fmt: skip
def test_published_numbers_and_one_wrong_character(check, good):
    assert check([good]).tolist() == [True]
    place = 3
    other = [good[:place] + char + good[place + 1 :] for char in "0123456789" if char != good[place]]
    assert check(other).mean() <= 0.12
    assert check([]).tolist() == []


def test_the_days_of_the_calendar():
    def number(day):
        body = f"110101{day}001"
        return body + make.mod_11_2(body)

    days = {"20000229": True, "19000229": False, "20230431": False, "20240229": True, "19991301": False}
    assert checksums.resident([number(day) for day in days]).tolist() == list(days.values())


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_folding_keeps_places_in_bounds_and_is_stable(text):
    folded, places = trace(text)
    assert folded == fold_text(text)
    assert len(places) == len(folded)
    assert all(0 <= place < max(1, len(text)) for place in places)
    assert fold_text("abc 123") == "abc 123"


def test_folding_keeps_nulls_and_leaves_text_alone():
    values = pl.Series(["国内生产总值一百二十一万亿元", None, "naïve", "第三季度", "Αθήνα"])
    folded = fold(values).to_list()
    assert folded[:2] == ["国内生产总值一百二十一万亿元", None]
    assert folded[3] == "第三季度"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("一千二百三十四万五千六百七十八", 12345678),
        ("一百三十八亿一千二百三十四万五千六百七十八", 13812345678),
        ("十五", 15),
        ("两万零三", 20003),
        ("三万亿", 3 * 10**12),
        ("万", None),
        ("三楼", None),
    ],
)
def test_spoken_numerals(text, value):
    assert spoken(text) == value


def test_an_identifier_is_located_where_it_was_written():
    assert locate("我的１３８-12３4 5678呀", "13812345678") == (3, 15)
    assert locate("\u200b\u200b号码13812345678", "13812345678") == (5, 15)
    assert locate("没有", "13812345678") is None


@pytest.mark.parametrize("kind", LABELLED)
def test_a_header_or_a_word_announces_what_has_no_form(kind):
    row = LABELLED[kind]
    word = row.label.split("|")[0].replace("?", "")
    value = {"wechat": "zhang_san88", "openid": "o" + "a1B2" * 6 + "xyz", "birth_certificate": "K123456789"}
    number = value.get(
        kind,
        "20231234567890"
        if kind in ("student", "device")
        else "202312345678"[: 8 if "taiwan" in kind else 12],
    )
    if kind in ("qq", "staff", "driver", "vehicle_certificate"):
        number = "123456789" if kind == "qq" else "202312345678"
    assert announced(f"{word}号", pl.Series([number])) is not None
    assert announced(f"{word}号用户数", pl.Series([number])) is None
    assert kind in labelled(pl.Series([f"其{word}号:{number}，"]))["kind"]
    assert labelled(pl.Series([f"{word}较上年增长12345678"])).height == 0


def test_names_are_told_by_the_column():
    d = draw("names")
    persons = pl.Series([make.name(d) for _ in range(60)])
    assert names.share(persons) > 0.9
    assert names.share(persons.head(4)) == 0
    words = "人口 工业 农业 教育 卫生 就业 贸易 投资 消费 能源 交通 科技 高血压 糖尿病 冠心病 工人 教师 医生"
    assert names.share(pl.Series(words.split(" "))) < 0.2
    assert (
        names.share(pl.Series(["James", "Mary", "Robert", "Linda", "John", "Susan", "David", "Karen"])) == 1
    )
    assert (
        names.share(pl.Series(["Income", "Health", "Education", "Energy", "Trade", "Water", "Land", "Sea"]))
        == 0
    )


def test_names_of_places_are_no_names_of_persons():
    folder = SHARED / "data/cn/admin_divisions"
    if not folder.exists():
        pytest.skip("the developers' data folder is absent")
    for file in ("provinces", "cities", "areas"):
        assert names.share(pl.read_csv(folder / f"{file}.csv")["name"]) < 0.05
    streets = pl.read_csv(folder / "streets.csv.gz")["name"]
    assert max(names.share(streets.sample(60, seed=seed)) for seed in range(10)) < 0.3


def test_published_vectors_of_peers():
    folder = SHARED / "data"
    if not folder.exists():
        pytest.skip("the developers' data folder is absent")
    cases = json.loads((folder / "cn/pii_vectors_cn_A.json").read_text())
    passports = [c for c in cases if c["recogniser"] == "TestCNPassportRecognizer" and "expected_count" in c]
    # Theirs takes an exit permit for a passport.
    ours = ("passport", "exit_permit", "home_permit")
    found = {
        c["text"]: scan(pl.Series([c["text"]])).filter(pl.col("kind").is_in(ours) & pl.col("near")).height
        for c in passports
    }
    wrong = [c["text"] for c in passports if found[c["text"]] != c["expected_count"]]
    assert (len(passports) > 3, wrong) == (True, [])


def test_presidio_with_our_recognisers_finds_what_the_scan_finds():
    """On sentences, each sort of the catalogue: presidio finds it, and weighs it alike."""
    from sandbox.pii.presidio import OTHERS, analyze

    texts = [f"其{make.CERTAIN[k](draw(('text', k)))}号" for k in make.CERTAIN]
    texts += [sentence.format(maker(draw(("text", k)))) for k, (maker, _, sentence) in make.WORDED.items()]
    ours, (theirs, seconds) = scan(pl.Series(texts)), analyze(pl.Series(texts))
    both = ours.join(theirs, on=["index", "kind", "found"], suffix="_theirs")
    assert both.height == ours.height == theirs.height
    assert both.filter(pl.col("sure") != pl.col("sure_theirs")).height == 0
    assert seconds >= 0
    other = analyze(pl.Series(["账户 GB82 WEST 1234 5698 7654 32 到账", "患者为高血压", "1.5 1234567890"]))[0]
    assert set(other["kind"]) <= set(OTHERS)


def test_presidio_hits_keep_to_their_line_and_a_skipped_pattern_is_an_error(monkeypatch):
    from presidio_analyzer import pattern_recognizer

    from sandbox.pii.presidio import analyze

    lines = ["手机", "13812345678", "", "1381234", "5678 138-1234-5678"]
    found = analyze(pl.Series(lines))[0].filter(pl.col("kind") == "mobile")
    assert found["index"].to_list() == [1]
    monkeypatch.setattr(pattern_recognizer, "REGEX_TIMEOUT_SECONDS", 0)
    with pytest.raises(TimeoutError):
        analyze(pl.Series(["电话13812345678" * 2000]))
