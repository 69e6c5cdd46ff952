"""Attacks on what recipes, searches and profiles promise: the recipient has the product and the recipe, the
supplier chooses values and what the catalogue says, the operator chooses roles and thresholds."""

from __future__ import annotations

import json
from base64 import b32decode
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from sandbox.catalog.entry import EntryField
from sandbox.cli.recipe import app
from sandbox.desensitize import task
from sandbox.desensitize.anonymity import conclude
from sandbox.desensitize.forms import FORMS
from sandbox.desensitize.profile.fields import entry_fields, laxer
from sandbox.desensitize.profile.propose import profile
from sandbox.desensitize.profile.table import read
from sandbox.desensitize.recipe import Rules, validate_recipe
from sandbox.desensitize.search.describe import described, wanted
from sandbox.desensitize.search.run import anonymise
from sandbox.desensitize.transforms.base import subkey
from sandbox.policy import load_profile
from tests.refusal import refused

KEY = bytes.fromhex("9f" * 31 + "a7")


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Run a recipe over a frame: (report, product)."""

    def made(
        frame: pl.DataFrame, fields: list[dict[str, Any]], entity: str | None, threshold: int = 5, **told: Any
    ) -> tuple[dict[str, Any], pl.DataFrame]:
        inputs, out = tmp_path / "in", tmp_path / "out"
        inputs.mkdir(exist_ok=True)
        out.mkdir(exist_ok=True)
        frame.write_parquet(inputs / "data")
        asked = {"entity": entity, "fields": fields, "threshold": threshold}
        described = {"name": "r", "version": "1", "steps": [], **told}
        params = {"recipe": described, "fields": fields, "keys": {"k": KEY.hex()}, "anonymity": asked}
        report = task.run(params, inputs, out)
        return report, pl.read_parquet(out / "product.parquet")

    return made


def field(name: str, role: str | None = None, *flags: str, type_: str = "string") -> dict[str, Any]:
    """A field of an entry, level 3."""
    told = {"name": name, "type": type_, "level": 3, "flags": list(flags)}
    return told if role is None else told | {"role": role}


# What each transform derives its key for, and how the text of a derivation ends (RFC 5869, one block).
PURPOSES = [
    ["fpe", form, cipher] for form in ("mobile", "resident_id", "digits") for cipher in ("sm4", "aes")
]
PURPOSES += [
    ["sample"],
    ["date_shift"],
    ["round_random", "who"],
    ["pseudonym", "sha256"],
    ["pseudonym", "sm3"],
]


def derivation(purpose: list[str]) -> str:
    return json.dumps(["sandbox/recipe/1", *purpose], separators=(",", ":")) + "\x01"


@pytest.mark.parametrize("hash_", ["sha256", "sm3"])
def test_no_pseudonym_is_the_key_of_another_transform(run: Any, hash_: str) -> None:
    """A supplier writes the text of a derivation into a name; the recipient reads its code as a key."""
    names = [derivation(purpose) for purpose in PURPOSES]
    names += [f"n{number}" for number in range(20)]
    mobiles = pl.Series([f"138{number * 1_234_567:08d}" for number in range(len(names))])
    frame = pl.DataFrame({"id": [f"P{n}" for n in range(len(names))], "name": names, "m": mobiles})
    fields = [field(name, "identifier", "personal") for name in frame.columns]
    steps = [
        {"column": "name", "transform": "pseudonym", "params": {"key": "k", "hash": hash_}},
        {"column": "m", "transform": "fpe", "params": {"key": "k", "form": "mobile", "cipher": "sm4"}},
    ]
    _, product = run(frame, fields, "id", steps=steps, drop=["id"])
    codes = [b32decode(code + "======")[:16] for code in product["name"]]
    for code, purpose in zip(codes, PURPOSES, strict=False):
        assert code != subkey(KEY, *purpose)[:16]
    for code in codes:  # and as the key itself: nothing comes back
        assert not (FORMS["mobile"](product["m"], code, "sm4", False) == mobiles).any()
    known = subkey(KEY, "fpe", "mobile", "sm4")[:16]
    assert (FORMS["mobile"](product["m"], known, "sm4", False) == mobiles).all()  # the attack with the key


def people(rows: int = 200) -> pl.DataFrame:
    """One row a person, two districts; names and addresses have no check digit that a scan could know."""
    return pl.DataFrame(
        {
            "pid": [f"P{n:05d}" for n in range(rows)],
            "full_name": [f"欧阳{n:03d}" for n in range(rows)],
            "district": [f"d{n % 2}" for n in range(rows)],
        }
    )


PERSONAL = (("personal",), ("sensitive_personal",), ("personal", "sensitive_personal"))


@pytest.mark.parametrize("law", ["national", "guizhou", "chengdu", "guangming", "guangdong"])
@pytest.mark.parametrize("flags", PERSONAL)
@pytest.mark.parametrize("role", [None, "other", "", "none"])
def test_a_name_whose_role_nobody_stated_is_not_kept(law: str, flags: Any, role: str | None) -> None:
    """A catalogue fills ``other`` in where nobody stated a role."""
    fields = [field("full_name", role, *flags), field("district", "quasi")]
    rules = Rules.of(load_profile(law).get)
    with refused("PI_NOT_DESENSITISED"):
        validate_recipe({"name": "r", "version": "1", "keep": ["full_name", "district"]}, fields, rules)
    stated = {
        "name": "full_name", "title_zh": "x", "title_en": "x", "type": "string", "level": 3, "flags": flags
    }  # fmt: skip
    entry = EntryField.model_validate(stated).model_dump(mode="json")
    with refused("PI_NOT_DESENSITISED"):
        validate_recipe({"name": "r", "version": "1", "keep": ["full_name"]}, [entry], rules)


@pytest.mark.parametrize("role", [None, "other", "quasi", "sensitive"])
def test_the_entity_is_an_identifier_whatever_its_role(run: Any, role: str | None) -> None:
    fields = [field("pid", role), field("district", "quasi")]
    frame = people().select("pid", "district")
    with refused("PI_NOT_DESENSITISED"):
        run(frame, fields, "pid", keep=["pid", "district"])
    coded = {"column": "pid", "transform": "pseudonym", "params": {"key": "k"}}
    report, _ = run(frame, fields, "pid", steps=[coded], keep=["district"])
    assert (report["level"], report["anonymity"]["reasons"]) == ("desensitised", ["IDENTIFIER_KEPT"])
    report, _ = run(frame, fields, "pid", keep=["district"])  # without it the same is anonymous
    assert report["level"] == "anonymised"


@pytest.mark.parametrize("flags", PERSONAL)
@pytest.mark.parametrize("role", [None, "other"])
def test_no_product_with_a_personal_field_of_no_role_is_anonymised(
    run: Any, flags: Any, role: str | None
) -> None:
    fields = [field("pid", "identifier"), field("full_name", role, *flags), field("district", "quasi")]
    for transform, params in (("mask", {"keep_first": 1}), ("pseudonym", {"key": "k"})):
        step = {"column": "full_name", "transform": transform, "params": params}
        report, _ = run(people(), fields, "pid", steps=[step], keep=["district"])
        assert (report["level"], report["anonymity"]["reasons"]) == ("desensitised", ["IDENTIFIER_KEPT"])


def test_the_verdict_needs_no_help_from_the_recipe() -> None:
    """``conclude`` itself: the entity that is no field, and one whose role says nothing."""
    fields = [{"name": "district", "role": "quasi"}, {"name": "name", "role": "other", "flags": ["personal"]}]
    for column, entity in (("pid", "pid"), ("name", None)):
        found = conclude(["a", "b"], {"a": "district", "b": column}, fields, 50, 100, 10, entity)
        assert found["reasons"] == ["IDENTIFIER_KEPT"]
    assert conclude(["a"], {"a": "district"}, fields, 50, 100, 10, "pid")["verdict"] is True


def test_the_search_keeps_neither_the_entity_nor_a_personal_field_of_no_role() -> None:
    frame = people()
    quasi = {"name": "district", "role": "quasi"}
    for told in (
        [quasi, {"name": "pid"}, {"name": "full_name", "role": "other", "flags": ["personal"]}],
        [quasi, {"name": "pid", "role": "other"}, {"name": "full_name", "flags": ["sensitive_personal"]}],
    ):
        description = described({"fields": told, "entity": "pid"}).with_quasi(("pid",))
        outcome = anonymise(frame, description, wanted({}))
        assert outcome.product.columns == ["district"]
        assert outcome.report["columns"]["dropped"] == ["pid", "full_name"]
        assert outcome.report["anonymity"]["verdict"] is True
    for role in ("sensitive", "quasi"):
        with refused("ANONYMISE_COLUMN"):
            described({"fields": [quasi, {"name": "pid", "role": role}], "entity": "pid"})


@pytest.mark.parametrize(("release", "least"), [("public", 20), ("controlled", 5), ("enclave", 3)])
def test_a_threshold_below_that_of_the_release_is_none(release: str, least: int) -> None:
    """Unique quasi-identifiers, k = 1: sought and found, and no anonymity."""
    frame = people(40).rename({"pid": "born"})
    told = described({"fields": [{"name": "born", "role": "quasi"}], "one_row_each": True})
    verdict = anonymise(frame, told, wanted({"k": 1, "release": release})).report["anonymity"]
    assert verdict == {"verdict": False, "k": 1, "threshold": least, "reasons": ["K_BELOW"]}
    stricter = anonymise(frame, told, wanted({"k": 30, "release": release})).report["anonymity"]
    assert (stricter["verdict"], stricter["threshold"]) == (True, 30)


def test_a_threshold_below_the_policys_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``sandbox recipe run --k 1`` over unique quasi-identifiers."""
    fields = [field("pid", "identifier"), field("born", "quasi", type_="string")]
    people(40).rename({"full_name": "born"}).select("pid", "born").write_parquet(tmp_path / "d.parquet")
    for name, told in (("f.yaml", fields), ("r.yaml", {"name": "r", "version": "1", "keep": ["born"]})):
        (tmp_path / name).write_text(yaml.safe_dump(told), encoding="utf-8")
    monkeypatch.setenv("SANDBOX_LANG", "en")
    words = ["run", "r.yaml", "d.parquet", "--fields", "f.yaml", "--entity", "pid", "--out", "out"]
    monkeypatch.chdir(tmp_path)
    least = int(load_profile("national").get("egress.k_min"))
    for asked, threshold in ((1, least), (least + 1, least + 1)):
        done = CliRunner().invoke(app, [*words, "--k", str(asked)])
        assert done.exit_code == 0, done.output
        verdict = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["anonymity"]
        assert verdict == {"verdict": False, "k": 1, "threshold": threshold, "reasons": ["K_BELOW"]}


def visits(persons: int = 50, each: int = 8) -> pl.DataFrame:
    """``each`` visits of each of ``persons``, mixed; identity numbers with check digits."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    bodies = [f"520102{1950 + n % 50}{1 + n % 12:02}{1 + n % 28:02}{n:03}" for n in range(persons)]
    ids = [b + "10X98765432"[sum(int(d) * w for d, w in zip(b, weights, strict=True)) % 11] for b in bodies]
    rows = [(n * 7) % persons for n in range(persons * each)]
    return pl.DataFrame(
        {
            "visit_no": [f"V{n:06}" for n in range(len(rows))],
            "resident_id": [ids[n] for n in rows],
            "district": [f"d{n % 3}" for n in rows],
        }
    )


def told_of(frame: pl.DataFrame, entity: str | None, place: Path) -> tuple[str | None, list[Any]]:
    """The entity that a profile counts by, and what the entry says less of it."""
    frame.write_parquet(place / "p.parquet")
    found = profile(read(place / "p.parquet"), entity)
    rows = laxer({"fields": entry_fields(found), "entity": entity}, found)
    return found.entity, [(row["field"], row["entry"]) for row in rows if row["what"] == "entity"]


def test_a_visit_declared_as_the_entity_is_told(tmp_path: Path) -> None:
    """Declared, it makes of one person as many as they have rows, and every threshold is passed."""
    frame = visits()
    assert told_of(frame, "visit_no", tmp_path) == ("resident_id", [("resident_id", "visit_no")])
    assert told_of(frame, "resident_id", tmp_path) == ("resident_id", [])
    assert told_of(frame, None, tmp_path) == ("resident_id", [("resident_id", None)])
    # by one person's two rows alone, and where some numbers are missing
    once = frame.unique("resident_id", maintain_order=True)
    assert told_of(pl.concat([once, frame.tail(1)]), "visit_no", tmp_path)[1] == [("resident_id", "visit_no")]


def test_a_declared_entity_as_coarse_as_the_one_found_stands(tmp_path: Path) -> None:
    """A number of the register's own for each person, and one for each household."""
    frame = visits().with_columns(pid=pl.col("resident_id").rank("dense").cast(pl.String))
    frame = frame.with_columns(house="H" + (pl.col("pid").cast(pl.Int64) // 3).cast(pl.String))
    assert told_of(frame, "pid", tmp_path) == ("pid", [])
    assert told_of(frame, "house", tmp_path) == ("house", [])


def test_an_entity_told_by_what_stays_the_same_is_told_too(tmp_path: Path) -> None:
    """No official number: sex, day of birth and people never change within one value of ``member``."""
    persons, each = 60, 6
    rows = [(n * 7) % persons for n in range(persons * each)]
    frame = pl.DataFrame(
        {
            "visit_no": [f"V{n:06}" for n in range(len(rows))],
            "member": [f"M{n:04}" for n in rows],
            "sex": [("男", "女")[n * 5 % 3 % 2] for n in rows],
            "birth_date": [f"{1940 + n % 60}-{1 + n % 12:02}-{1 + n % 28:02}" for n in rows],
            "ethnicity": [("汉族", "苗族", "布依族")[n % 3] for n in rows],
        }
    )
    assert told_of(frame, "visit_no", tmp_path) == ("member", [("member", "visit_no")])
    assert told_of(frame, "member", tmp_path) == ("member", [])
