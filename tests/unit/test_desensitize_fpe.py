"""FF1 against the published samples, and identifiers that keep their form, check digits included."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.desensitize.ff1 import FF1
from sandbox.desensitize.forms import NOWHERE, PROVINCES
from sandbox.desensitize.scan import scan_column
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import NoCipher, Setting, Unfit
from sandbox.desensitize.transforms.fpe import FpeParams, restore
from sandbox.pii.kinds import KINDS

# NIST, "FF1 samples" of SP 800-38G (csrc.nist.gov, examples with intermediate values): AES-128, 192, 256
KEY = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
SAMPLES = [
    (16, "", "0123456789", "2433477484"),
    (16, "39383736353433323130", "0123456789", "6124200773"),
    (16, "3737373770717273373737", "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (24, "", "0123456789", "2830668132"),
    (24, "39383736353433323130", "0123456789", "2496655549"),
    (24, "3737373770717273373737", "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (32, "", "0123456789", "6657667009"),
    (32, "39383736353433323130", "0123456789", "1001623463"),
    (32, "3737373770717273373737", "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]
SETTING = Setting({"k": bytes(range(32)), "other": bytes(range(1, 33))})
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@pytest.mark.parametrize(("size", "tweak", "plain", "cipher"), SAMPLES)
def test_the_samples_of_the_standard(size: int, tweak: str, plain: str, cipher: str) -> None:
    radix = 36 if "a" in plain else 10
    machine = FF1(bytes.fromhex(KEY)[:size], radix, "aes", bytes.fromhex(tweak))
    numerals = np.array([[LETTERS.index(char) for char in plain]] * 3, dtype=np.uint8)
    made = machine.encrypt(numerals)
    assert ["".join(LETTERS[place] for place in row) for row in made] == [cipher] * 3
    assert (machine.decrypt(made) == numerals).all()


def plain_ff1(key: bytes, cipher: str, radix: int, tweak: bytes, numerals: list[int]) -> list[int]:
    """Algorithm 7 of the standard, step by step with Python's integers and one block at a time."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    made = {"aes": algorithms.AES, "sm4": algorithms.SM4}[cipher](key)

    def block(data: bytes) -> bytes:
        return Cipher(made, modes.ECB()).encryptor().update(data)  # noqa: S305 - one block

    def number(digits: list[int]) -> int:
        total = 0
        for digit in digits:
            total = total * radix + digit
        return total

    n, t = len(numerals), len(tweak)
    u, v = n // 2, n - n // 2
    a, b_ = numerals[:u], numerals[u:]
    bits = 0
    while 2**bits < radix**v:
        bits += 1
    b = -(-bits // 8)
    d = 4 * -(-b // 4) + 4
    p = (
        bytes([1, 2, 1])
        + radix.to_bytes(3, "big")
        + bytes([10, u])
        + n.to_bytes(4, "big")
        + t.to_bytes(4, "big")
    )
    for i in range(10):
        q = tweak + bytes((-t - b - 1) % 16) + bytes([i]) + number(b_).to_bytes(b, "big")
        state = bytes(16)
        for at in range(0, len(p + q), 16):
            state = block(bytes(x ^ y for x, y in zip(state, (p + q)[at : at + 16], strict=True)))
        s, j = state, 1
        while len(s) < d:
            s += block(bytes(x ^ y for x, y in zip(state, j.to_bytes(16, "big"), strict=True)))
            j += 1
        m = u if i % 2 == 0 else v
        c = (number(a) + int.from_bytes(s[:d], "big")) % radix**m
        digits = []
        for _ in range(m):
            c, rest = divmod(c, radix)
            digits.append(rest)
        a, b_ = b_, digits[::-1]
    return a + b_


@settings(max_examples=80, deadline=None)
@given(st.data(), st.sampled_from(["aes", "sm4"]), st.sampled_from([2, 10, 31, 36, 256]))
def test_it_is_the_standards_algorithm_for_any_radix_length_and_tweak(
    data: st.DataObject, cipher: Any, radix: int
) -> None:
    key = data.draw(st.binary(min_size=16, max_size=16))
    tweak = data.draw(st.binary(max_size=40))
    machine = FF1(key, radix, cipher, tweak)
    least = next(n for n in range(2, 64) if radix**n >= 1_000_000)
    size = data.draw(st.integers(least, machine.longest()))
    numerals = data.draw(st.lists(st.integers(0, radix - 1), min_size=size, max_size=size))
    made = machine.encrypt(np.array([numerals], dtype=np.uint8))
    assert made[0].tolist() == plain_ff1(key, cipher, radix, tweak, numerals)
    assert machine.decrypt(made)[0].tolist() == numerals


def test_ff1_refuses_small_domains_and_what_does_not_fit() -> None:
    machine = FF1(bytes(16), 10)
    for bad in ([[0] * 5], [[0] * (machine.longest() + 1)], [[0, 1, 2, 3, 4, 10]]):
        with pytest.raises(ValueError, match="FF1"):
            machine.encrypt(np.array(bad, dtype=np.uint8))
    for key, radix, cipher in ((bytes(15), 10, "aes"), (bytes(32), 10, "sm4"), (bytes(16), 1, "aes")):
        with pytest.raises(ValueError, match="FF1"):
            FF1(key, radix, cipher)  # type: ignore[arg-type]


def apply(values: list[Any], form: str, key: str = "k", **more: Any) -> list[Any]:
    params = FpeParams.model_validate({"key": key, "form": form, **more})
    return TRANSFORMS["fpe"].apply([pl.Series("x", values, dtype=pl.String)], params, SETTING)[0].to_list()


def check_of(body: str) -> str:
    return "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


def identity(region: str, day: str, sequence: int) -> str:
    body = f"{region}{day}{sequence:03d}"
    return body + check_of(body)


USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ORG = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def credit_code(head: str, organisation: str) -> str:
    """By GB 11714 and GB 32100, written here a second time."""
    rest = (
        11 - sum(ORG.index(c) * w for c, w in zip(organisation, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)) % 11
    )
    body = head + organisation + {10: "X", 11: "0"}.get(rest, str(rest))
    total = sum(USCC.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return body + USCC[(31 - total % 31) % 31]


def luhn(body: str) -> str:
    total = sum(sum(divmod(int(d) * (2 if i % 2 == 0 else 1), 10)) for i, d in enumerate(reversed(body)))
    return body + str(-total % 10)


IDS = [
    identity("520102", f"{y}{m:02d}28", s)
    for y in (1931, 1990, 2020)
    for m in (1, 2, 12)
    for s in (0, 17, 999)
]
CODES = [
    credit_code(f"91{p}0000", f"{n:08d}") for n, p in ((1, "11"), (77_777_777, "52"), (31_415_926, "44"))
]
CARDS = [luhn("62220212345678901"[:n] + "4") for n in (13, 15, 17)] + [luhn("411111111111111")]
VALUES: dict[str, list[str]] = {
    "resident_id": IDS,
    "uscc": [*CODES, credit_code("91520000", "MA6DXYW1")],
    "bank_card": CARDS,
    "mobile": ["13800000001", "13800000002", "19912345678"],
    "digits": ["000000", "123456", "1234567890", "9" * 32],
}


@pytest.mark.parametrize("form", sorted(VALUES))
@pytest.mark.parametrize("cipher", ["aes", "sm4"])
def test_every_form_is_kept_hidden_and_led_back_by_its_key_only(form: str, cipher: str) -> None:
    values = [*VALUES[form], None, VALUES[form][0]]
    made = apply(values, form, cipher=cipher)
    assert made[-1] == made[0]
    assert made[-2] is None
    assert [len(code) for code in made if code] == [len(value) for value in values if value]
    assert len(set(made)) == len(set(values))
    assert not set(made) & set(VALUES[form])
    params = FpeParams.model_validate({"key": "k", "form": form, "cipher": cipher})
    assert restore(pl.Series(made), params, SETTING).to_list() == values
    other = restore(pl.Series(made), params.model_copy(update={"key": "other"}), SETTING).to_list()
    assert not set(other) & set(VALUES[form])
    assert apply(values, form, "other", cipher=cipher) != made


def test_check_digits_are_right_and_no_result_is_a_live_number() -> None:
    made = apply(IDS, "resident_id")
    assert [code[17] for code in made] == [check_of(code[:17]) for code in made]
    assert {int(code[:2]) for code in made} <= set(NOWHERE)
    assert {code[2:6] for code in made} == {"0102"}  # the place within the province stays
    assert not set(NOWHERE) & set(PROVINCES)
    codes = apply(VALUES["uscc"], "uscc")
    assert codes == [credit_code(code[:8], code[8:16]) for code in codes]
    assert {int(code[2:4]) for code in codes} <= set(NOWHERE)
    assert scan_column(pl.Series(codes)) == {}
    cards = apply(CARDS, "bank_card")
    assert cards == [luhn(card[:-1]) for card in cards]
    assert {card[0] for card in cards} <= set("01789")
    assert scan_column(pl.Series(cards)) == {}
    assert {code[0] for code in apply(VALUES["mobile"], "mobile")} == {"2"}
    assert not any(
        KINDS["mobile"].pattern and code.startswith("1") for code in apply(["13800000001"], "mobile")
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.dates(), st.integers(0, 999)), min_size=1, max_size=30))
def test_any_person_of_two_centuries_is_led_back(people: list[tuple[Any, int]]) -> None:
    chosen = [(day, seq) for day, seq in people if 1900 <= day.year < 2100]
    values = [identity("110101", f"{day:%Y%m%d}", seq) for day, seq in chosen]
    made = apply(values, "resident_id")
    assert [code[17] for code in made] == [check_of(code[:17]) for code in made]
    back = restore(pl.Series(made, dtype=pl.String), FpeParams(key="k", form="resident_id"), SETTING)
    assert back.to_list() == values


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("resident_id", IDS[0][:-1] + ("1" if IDS[0][-1] != "1" else "2")),
        ("resident_id", identity("520102", "20230229", 1)),
        ("resident_id", identity("170102", "19900101", 1)),  # no such province
        ("resident_id", "5201021990010112"),
        ("uscc", CODES[0][:-1] + "?"),
        ("uscc", CODES[0][:16] + "0" + CODES[0][17]),
        ("bank_card", "6222020000000000003"),
        ("mobile", "12800000001"),
        ("digits", "12345"),
        ("digits", "13800000001"),
        ("digits", "1" * 18),
        ("digits", "12a456"),
        ("digits", ""),
    ],
)
def test_what_has_not_the_form_is_refused_or_emptied(form: str, value: str) -> None:
    with pytest.raises(Unfit) as caught:
        apply([VALUES[form][0], value, value], form)
    assert caught.value.rows == 2
    assert apply([VALUES[form][0], value, None], form, on_error="null")[1:] == [None, None]


def test_without_a_cipher_library_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(NoCipher):
        apply(VALUES["mobile"], "mobile")
