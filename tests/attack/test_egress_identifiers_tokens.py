"""Tokens that turn back into persons: salted, keyed, cut, in any cipher; and honest numbers beside them."""

import base64
import hashlib
import hmac
import random

import polars as pl
import pytest

from sandbox.egress.findings import Severity


def reversible(report):
    return [f for f in report.findings if f.rule == "REVERSIBLE" and f.severity == Severity.HARD]


def sha(text):
    return hashlib.sha256(text.encode()).digest()


def digest(name, text):
    return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def base58(data):
    signs, number, found = (
        "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
        int.from_bytes(data),
        "",
    )
    while number:
        number, rest = divmod(number, 58)
        found = signs[rest] + found
    return found


# Each: (a cell of the output, from the raw row and the random source).
TOKENS = {
    "salt: column name": lambda row, d: sha("token" + row["phone"]).hex(),
    "salt: file name": lambda row, d: sha(row["phone"] + "out").hex(),
    "salt: year": lambda row, d: sha(f"{row['id_no']}2024").hex(),
    "salt: small number": lambda row, d: sha(f"7{row['phone']}").hex(),
    "HMAC with a guessable key": lambda row, d: hmac.digest(b"secret", row["id_no"].encode(), "sha256").hex(),
    "HMAC-MD5 keyed with the data's name": lambda row, d: hmac.digest(
        b"persons", row["phone"].encode(), "md5"
    ).hex(),
    "another column": lambda row, d: sha(f"{row['id_no']}|{row['birth']}").hex(),
    "name and number": lambda row, d: digest("md5", f"{row['name']}{row['phone']}"),
    "cut to eight digits": lambda row, d: sha(row["phone"]).hex()[:8],
    "cut to twelve digits, capitals": lambda row, d: digest("sha1", row["id_no"])[:12].upper(),
    "base58": lambda row, d: base58(sha(row["phone"])),
    "decimal": lambda row, d: str(int.from_bytes(sha(row["phone"]))),
    "base32": lambda row, d: base64.b32encode(sha(row["id_no"])).decode().rstrip("="),
    "SM3": lambda row, d: hashlib.new("sm3", row["phone"].encode()).hexdigest(),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_tokens_that_can_be_tried_out(attack, persons, kind):
    d = random.Random(kind)
    rows = persons.sample(80, seed=d.randrange(1000)).to_dicts()
    frame = pl.DataFrame({"token": [TOKENS[kind](row, d) for row in rows]})
    found = reversible(attack(frame))
    assert {f.evidence["family"] for f in found} & {2, 3}
    assert not any(row["phone"] in str(found) for row in rows)


def exchanged(d, signs):
    table = str.maketrans("0123456789", "".join(d.sample(signs, 10)))
    return lambda text: text.translate(table)


def each(make):
    """A cipher that treats every character with its place."""
    return lambda text: "".join(make(place, char) for place, char in enumerate(text))


def shifted(keys):
    return each(lambda place, char: str((int(char) + keys[place]) % 10) if char.isdigit() else char)


def xored(keys):
    return lambda text: bytes(ord(char) ^ key for char, key in zip(text, keys, strict=False))


def added(number):
    return lambda text: str(int(text.replace("X", "0")) + number)


def spelled(cipher, spell):
    return lambda text: spell(cipher(text))


CIPHERS = {
    "digits exchanged": lambda d: exchanged(d, "0123456789"),
    "signs for digits": lambda d: exchanged(d, "甲乙丙丁戊己庚辛壬癸"),
    "shifted": lambda d: shifted([d.randint(1, 9)] * 18),
    "key digits": lambda d: shifted([d.randrange(10) for _ in range(18)]),
    "XOR with one byte": lambda d: spelled(xored([d.randint(1, 255)] * 18), bytes.hex),
    "one key stream": lambda d: spelled(xored(d.randbytes(18)), lambda b: base64.b64encode(b).decode()),
    "a number added": lambda d: added(d.randint(10**5, 10**8)),
}


@pytest.mark.parametrize("cipher", CIPHERS)
def test_ciphers_are_broken_with_the_raw_data_at_hand(attack, persons, cipher):
    """One column of each identifier in a cipher of its own, random key."""
    d = random.Random(cipher)
    rows = persons.sample(60, seed=d.randrange(1000))
    first, second = CIPHERS[cipher](d), CIPHERS[cipher](d)
    frame = pl.DataFrame({"x": [first(v) for v in rows["id_no"]], "y": [second(v) for v in rows["phone"]]})
    found = reversible(attack(frame))
    assert len({f.where for f in found}) == 2


@pytest.mark.parametrize("stray", ["none", "0" * 21, "="])
def test_a_stray_token_does_not_hide_the_others(attack, persons, stray):
    d = random.Random(3)
    cipher = CIPHERS["one key stream"](d)
    tokens = [cipher(value) for value in persons["phone"].head(40)]
    assert reversible(attack(pl.DataFrame({"y": [*tokens, stray]})))


HONEST = {
    "order numbers": lambda d: f"2023{d.randrange(10**7):07d}",
    "random digits": lambda d: "".join(d.choice("0123456789") for _ in range(18)),
    "amounts": lambda d: str(d.randrange(10**10, 10**11)),
    "commits": lambda d: f"{d.getrandbits(32):08x}",
}


@pytest.mark.parametrize("kind", HONEST)
def test_numbers_of_the_same_shape_are_not_reversible(attack, kind):
    d = random.Random(kind)
    report = attack(pl.DataFrame({"x": [HONEST[kind](d) for _ in range(60)]}))
    # Random hexadecimal tokens cannot be told from keyed ones.
    assert [
        f.evidence for f in reversible(report) if f.evidence.get("method") != "tokens of unknown origin"
    ] == []
