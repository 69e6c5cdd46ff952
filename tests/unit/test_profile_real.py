"""Profiles of real public tables: what is known of them is proposed; of tables about nobody, nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.desensitize.profile.model import About, Profile
from sandbox.desensitize.profile.propose import profile
from sandbox.desensitize.profile.table import read

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the public tables are not beside this checkout")


def told(name: str) -> Profile:
    return profile(read(DATA / name))


def roles(found: Profile, role: str) -> set[str]:
    return {one.name for one in found.fields if one.role == role}


def test_persons_in_public_office() -> None:
    found = told("persons/us_legislators_current.csv")
    assert found.about is About.PERSON
    assert roles(found, "identifier") == {"first", "middle", "last", "official_full", "address", "phone"}
    assert {"birthday", "gender", "state", "party"} <= roles(found, "quasi")
    # The ground truth of the data's own page: 535 of 537 are alone with birthday, gender and state.
    assert max(one.unique for one in found.combinations) >= 535


def test_a_synthetic_register_for_record_linkage() -> None:
    found = told("persons/fake_1000.csv")
    assert roles(found, "identifier") == {"first_name", "surname", "email"}
    assert {"dob", "city"} <= roles(found, "quasi")


def test_a_census_extract_has_no_identifier_and_many_quasi_identifiers() -> None:
    found = told("persons/adult.data.csv.gz")
    assert found.about is About.PERSON
    assert roles(found, "identifier") == set()
    assert {"age", "sex", "race", "education", "occupation", "marital-status"} <= roles(found, "quasi")
    assert found.field("salary").role == "sensitive"


def test_several_rows_a_person() -> None:
    found = told("persons/pums_ca_1000/PUMS_dup.csv")
    assert found.entity == "pid"
    assert max(one.entities for one in found.combinations) == 1000
    assert found.field("income").flags == ("personal", "sensitive_personal")


def test_cases_of_an_illness_by_person() -> None:
    found = told("cn/hk_covid19_cases_chi.csv.gz")
    assert found.about is About.PERSON
    assert {"性別", "年齡", "報告日期"} <= roles(found, "quasi")
    assert roles(found, "identifier") == set()


@pytest.mark.parametrize(
    "name",
    [
        "cn/novel_coronavirus_updates.parquet",
        "cn/novel_coronavirus_updates.gb18030.csv.gz",
        "cn/admin_divisions/areas.csv",
        "official/cn_nbs_population_2015_2022.csv",
        "official/hk_covid19_daily_chi.csv",
    ],
)
def test_tables_of_counts_and_places_are_about_nobody(name: str) -> None:
    found = told(name)
    assert found.about in (About.OTHER, About.AGGREGATE)
    assert not any(one.flags or one.role != "other" for one in found.fields)


def test_official_indicators_name_nobody() -> None:
    paths = sorted((DATA / "official" / "uk_sdg").glob("*.csv"))[::6]
    assert len(paths) >= 5
    for path in paths:
        assert roles(profile(read(path)), "identifier") == set(), path.name
