"""Dummy identifiers: form and check digit hold; each lies in a range that is nobody's."""

from __future__ import annotations

import csv
import gzip
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.demo import register
from sandbox.demo.guizhou import counties
from sandbox.desensitize.dummy.fields import tables_of
from sandbox.desensitize.dummy.reserved import NUMBER_FROM, RESERVED, is_dummy, luhn, resident_number
from sandbox.desensitize.dummy.tables import build
from sandbox.desensitize.dummy.values import identifiers
from sandbox.desensitize.dummy.wanted import Reading
from sandbox.pii.kinds import KINDS

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
# whose format the shared catalogue knows as one of a number in use: a test network's is none
OF_THE_CATALOGUE = sorted(set(RESERVED) & set(KINDS) - {"imsi", "person"})


@pytest.mark.parametrize("kind", OF_THE_CATALOGUE)
def test_the_form_and_the_check_digit_are_those_of_the_catalogue(kind: str) -> None:
    chosen, known = RESERVED[kind], KINDS[kind]
    sample = [chosen.make(n * max(1, min(chosen.size, 10**6) // 500)) for n in range(500)]
    pattern = known.pattern.replace(r"\p{Han}", "一-鿿").replace("(?-u:", "(?:")
    found = [re.search(pattern, one) for one in sample]
    assert all(found), kind
    assert known.valid([one[1] for one in found if one]).all()


@given(st.sampled_from(sorted(RESERVED)), st.integers(0, 10**12))
def test_every_number_lies_in_its_range(kind: str, number: int) -> None:
    chosen = RESERVED[kind]
    made = chosen.make(number % chosen.size)
    assert re.fullmatch(chosen.within, made)
    assert is_dummy(made)


@pytest.mark.parametrize("kind", sorted(RESERVED))
def test_numbers_are_distinct_and_say_why_they_are_nobodys(kind: str) -> None:
    chosen = RESERVED[kind]
    count = min(chosen.size, 3000)
    assert len({chosen.make(n) for n in range(count)}) == count
    assert chosen.sure in {"reserved", "unassigned", "invented"}
    assert chosen.zh
    assert chosen.en


def test_resident_numbers_hold_birth_and_sex_and_run_out_aloud() -> None:
    number = resident_number(7, date(1990, 2, 3), male=True)
    assert number[6:14] == "19900203"
    assert int(number[16]) % 2 == 1
    with pytest.raises(ValueError, match="no number is left"):
        resident_number(10**6, date(1990, 2, 3), male=True)


def test_known_check_digits() -> None:
    assert luhn("7992739871") == "79927398713"  # the example of ISO/IEC 7812's annex as it is told everywhere
    assert RESERVED["uscc"].make(0)[2:8] == "119999"


def test_no_division_has_the_code_of_dummy_residents() -> None:
    """GB/T 2260: neither the counties of the demonstration nor, where it is at hand, any of the country's."""
    codes = {row[0] for row in counties()}
    for name in ("areas", "cities"):
        path = SHARED / "cn" / "admin_divisions" / f"{name}.csv"
        if path.is_file():
            codes |= {row[0].ljust(6, "0") for row in _rows(path)[1:]}
    assert len(codes) > 80
    assert not [code for code in codes if code[2:4] == "99" or code[2:] == "9999"]


def _rows(path: Path) -> list[list[str]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.reader(data.decode("utf-8-sig", "replace").splitlines()))


def _cells(path: Path) -> set[str]:
    return {cell.strip() for row in _rows(path) for cell in row}


@pytest.fixture(scope="module")
def dummy() -> set[str]:
    """Every value of the columns of identifiers of a register of 5,000 persons, and 5,000 of every sort."""
    fields = [
        {
            "name": "resident_id",
            "type": "string",
            "title_zh": "公民身份号码",
            "role": "identifier",
            "unique": True,
        },
        {"name": "name", "type": "string", "title_zh": "姓名", "role": "identifier"},
        {"name": "phone", "type": "string", "title_zh": "移动电话", "role": "identifier"},
        {"name": "address", "type": "string", "title_zh": "住址", "role": "identifier"},
        {"name": "household_id", "type": "string", "title_zh": "户号", "role": "identifier"},
    ]
    tables = tables_of([{"name": "residents", "entity": "resident_id", "fields": fields}])
    frame = build(tables, Reading(), 5000, 1, 10, 0.0).frames["residents"]
    values = {str(one) for column in frame.columns for one in frame[column].to_list()}
    return values | {chosen.make(n % chosen.size) for chosen in RESERVED.values() for n in range(5000)}


def test_no_value_is_one_of_the_synthetic_registers(dummy: set[str]) -> None:
    raw = register.generate(5_000, 1)
    for column in ("resident_id", "name", "phone", "address", "household_id"):
        real = set(raw[column].drop_nulls().to_list())
        assert not real & dummy, column
        assert not [one for one in real if is_dummy(one)], column


@pytest.mark.skipif(not SHARED.is_dir(), reason="the tables of persons are not at hand")
def test_no_value_is_one_of_the_tables_of_persons(dummy: set[str]) -> None:
    files = [
        path
        for folder in ("persons", "cn")
        for path in sorted((SHARED / folder).rglob("*.csv*"))
        if "gb18030" not in path.name
    ]
    assert len(files) > 8
    for path in files:
        cells = _cells(path)
        assert not cells & dummy, path.name
        assert not [one for one in cells if is_dummy(one)], path.name


def test_integers_that_identify_are_far_from_any_numbering() -> None:
    tables = tables_of([{"name": "t", "fields": [{"name": "id", "type": "integer", "role": "identifier"}]}])
    values = identifiers(tables[0].fields[0], 3)
    assert values == [NUMBER_FROM, NUMBER_FROM + 1, NUMBER_FROM + 2]
    assert all(is_dummy(str(one)) for one in values)
