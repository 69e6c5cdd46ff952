"""Tokens of identifiers: hashed, encrypted, keyed. What honest work holds instead of them is let alone."""

import base64
import hashlib
import uuid

import polars as pl
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sandbox.desensitize.transforms.pseudonym import PseudonymParams, code
from sandbox.egress.check import check
from sandbox.egress.checks.tokens import random_looking
from sandbox.egress.context import RawTable
from sandbox.egress.findings import Severity

KEY = bytes(range(32))


def aes(mode):
    def encrypt(text):
        size = 16 - len(text) % 16
        engine = Cipher(algorithms.AES(KEY), mode()).encryptor()
        return engine.update(text.encode() + bytes([size]) * size) + engine.finalize()

    return encrypt


def keyed(text):
    return hashlib.blake2b(text.encode(), key=KEY, digest_size=16).digest()


CIPHERS = {
    "AES-ECB": aes(modes.ECB),
    "AES-CBC": aes(lambda: modes.CBC(bytes(16))),
    "Fernet": lambda text: base64.urlsafe_b64decode(
        Fernet(base64.urlsafe_b64encode(KEY))._encrypt_from_parts(text.encode(), 1, keyed(text))
    ),
    "keyed hash": keyed,
    "UUID": lambda text: uuid.UUID(bytes=keyed(text)).bytes,
}
SPELLINGS = {
    "hex": bytes.hex,
    "HEX": lambda data: data.hex().upper(),
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64 url": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "base32": lambda data: base64.b32encode(data).decode(),
    "base85": lambda data: base64.b85encode(data).decode(),
    "marked": lambda data: f"ENC:{data.hex()}",
    "grouped": lambda data: str(uuid.UUID(bytes=data[:16])),
}


def reversible(report):
    return [f for f in report.findings if f.rule == "REVERSIBLE" and f.severity == Severity.HARD]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_a_column_of_cipher_text_is_reversible(attack, persons, cipher, spelling):
    tokens = [SPELLINGS[spelling](CIPHERS[cipher](v)) for v in persons["id_no"].head(60)]
    report = attack(persons.head(60).select("district").with_columns(t=pl.Series(tokens)))
    assert report.verdict == "reject"
    assert reversible(report)[0].evidence["family"] == 3
    assert not [token for token in tokens if token in str(report.as_json())]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_stream_cipher_with_one_nonce_for_all_is_held_at_least(attack, persons, spelling):
    """The same key stream over numbers that begin alike: what is constant is seen, the rest is short."""
    encrypt = aes(lambda: modes.CTR(bytes(16)))
    tokens = [SPELLINGS[spelling](encrypt(v)) for v in persons["id_no"].head(60)]
    report = attack(pl.DataFrame({"t": tokens}))
    assert (
        report.verdict == "reject"
        if spelling in ("hex", "HEX", "marked")
        else report.verdict != "no_objection"
    )


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.md"])
def test_tokens_are_found_wherever_they_stand(attack, persons, name):
    tokens = [CIPHERS["AES-ECB"](v).hex() for v in persons["id_no"].head(20)]
    joined = {"out.csv": "n\n" + "\n".join(f"见 {t} 号" for t in tokens), "out.json": f'{{"a": {tokens}}}'}
    text = joined.get(name, "# 附录\n\n" + "\n".join(f"- {t}" for t in tokens)).replace("'", '"')
    assert reversible(attack(text, name))


@pytest.mark.parametrize("count", [3, 10])
def test_a_few_tokens_are_enough(attack, persons, count):
    tokens = [CIPHERS["AES-ECB"](v).hex() for v in persons["id_no"].head(count)]
    assert reversible(attack(pl.DataFrame({"t": tokens})))


HONEST = {
    "credit codes": ["91350100M000100Y43", "91520100MA6DL7Y04X", "91440300708461136T", "91110000802100433B"],
    "file numbers": [f"CN-520100-2023-{i:04d}" for i in range(300)],
    "serial numbers": [f"SN{i:08X}" for i in range(1000, 1400)],
    "column names": ["meanIncomeByDistrict", "medianHouseholdIncome", "shareOfIllness01", "countOfPersons2"],
    "times": [f"2023-01-{d:02d}T10:00:00" for d in range(1, 29)],
    "links": [f"https://data.gov.cn/dataset/{i}/page.html?id={i * 7}" for i in range(50)],
    "figures": [f"{i * 1234.5678:.4e}" for i in range(1, 300)],
}


@pytest.mark.parametrize("name", HONEST)
def test_codes_and_words_are_no_tokens(attack, name):
    assert not random_looking(HONEST[name])
    values = [value for value in HONEST[name] if name != "credit codes"] or ["x"]
    assert not reversible(attack(pl.DataFrame({"v": values})))


def test_tokens_that_came_in_with_the_data_are_not_of_unknown_origin(attack, persons, tmp_path):
    tokens = [CIPHERS["keyed hash"](v).hex() for v in persons["id_no"].head(50)]
    path = tmp_path / "given.parquet"
    pl.DataFrame({"code": tokens}).write_parquet(path)
    given = RawTable("given", path, None)
    assert not reversible(attack(pl.DataFrame({"t": tokens}), raws=[given]))
    other = [CIPHERS["AES-ECB"](v).hex() for v in persons["id_no"].head(50)]
    assert reversible(attack(pl.DataFrame({"t": other}), raws=[given]))


@pytest.mark.requirement("R-131")
def test_hashed_and_encrypted_identifiers_are_refused_and_pseudonyms_withstand_a_dictionary(
    attack, persons, policy, tmp_path
):
    sha256 = [hashlib.sha256(v.encode()).hexdigest() for v in persons["phone"]]
    encrypted = [base64.b64encode(CIPHERS["AES-CBC"](v)).decode() for v in persons["id_no"]]
    for column in (sha256, encrypted):
        report = attack(persons.select("district", "sex").with_columns(t=pl.Series(column)))
        assert (report.verdict, bool(reversible(report))) == ("reject", True)

    dictionary = [f"139{number:08d}" for number in range(1_000_000)]
    phones = dictionary[::2000]
    params = PseudonymParams(key="subject")
    pseudonyms = [code(phone, b"a key that stays inside the domain", params) for phone in phones]
    pl.DataFrame({"phone": dictionary}).write_parquet(tmp_path / "register.parquet")
    pl.DataFrame({"person": pseudonyms}).write_parquet(tmp_path / "primary.parquet")
    raws = [
        RawTable("register", tmp_path / "register.parquet", None, (), (), ("phone",)),
        RawTable("primary", tmp_path / "primary.parquet", None),
    ]

    def tried(tokens):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        pl.DataFrame({"t": tokens}).write_csv(folder / "out.csv")
        return [f.evidence for f in reversible(check([folder], raws, {}, policy, "test@1"))]

    assert tried(pseudonyms) == []
    # The same attack finds every number once there is no key.
    bare = [base64.b32encode(hashlib.sha256(phone.encode()).digest())[:26].decode() for phone in phones]
    found = {evidence["family"]: evidence["count"] for evidence in tried(bare)}
    assert found[2] == len(phones)
    # And done again without the checker: no digest of a number of the dictionary begins like a pseudonym.
    known = {base64.b32decode(token + "=" * 6) for token in pseudonyms}
    for name in ("md5", "sha1", "sha256", "sm3"):
        new = getattr(hashlib, name, None) or (lambda value: hashlib.new("sm3", value))
        assert not [v for v in dictionary if new(v.encode()).digest()[:16] in known]
