"""The decoder search and the ciphers, apart from the rest of the checker."""

import random

import polars as pl
import pytest

from sandbox.egress.checks import tokens_ciphers
from sandbox.egress.decoding import accidental, coded, expand
from sandbox.pii.scan import scan
from tests.plugins import identifiers as make

COUNT = 12


def found(texts):
    """The identity numbers that the search finds in ``texts``, and the chain of one."""
    series = pl.Series(texts)
    assert coded(series).height == len(texts)
    _, decoded, chains = expand(series, [1 << 24])
    hits = scan(pl.Series(decoded, dtype=pl.String)).filter("sure")
    return set(hits["found"]), {chains[i] for i in hits["index"]}


@pytest.mark.parametrize("name", [*make.ENCODINGS, *make.CIPHERS])
def test_each_encoding_is_undone(name):
    d = random.Random(name)
    values = [make.resident(d) for _ in range(COUNT)]
    encode = {**make.ENCODINGS, **make.CIPHERS}[name]
    numbers, _ = found([encode(value, d) for value in values])
    # A bare deflate stream of one number may look like something else.
    assert len(set(values) - numbers) <= (COUNT // 3 if name in ("deflate", "rot47") else 0)


@pytest.mark.parametrize("seed", range(6))
def test_chains_of_random_encodings_up_to_three_deep(seed):
    d = random.Random(seed)
    names = ["base16", "base32", "base64", "gzip", "base85", "percent"]
    chosen = [d.choice(names) for _ in range(d.randint(2, 3))]
    value = text = make.resident(d)
    for name in chosen:
        text = make.ENCODINGS[name](text, d)
    numbers, _ = found([text])
    assert value in numbers, chosen


def test_what_chance_may_give_is_marked():
    assert accidental("reversed")
    assert accidental("base64>digits + 3")
    assert not accidental("hex>base64+compressed")


def test_the_budget_is_drawn_down_and_overdrawn():
    budget = [100]
    expand(pl.Series([make.ENCODINGS["base64"]("x" * 300, random.Random(1))]), budget)
    assert budget[0] < 0


@pytest.mark.parametrize("maker", [make.resident, make.mobile])
@pytest.mark.parametrize("seed", range(3))
def test_substitutions_and_key_streams_are_recognised_and_chance_is_not(maker, seed):
    d = random.Random(f"{maker.__name__} {seed}")
    values = list(dict.fromkeys(maker(d) for _ in range(3000)))
    raw = tokens_ciphers._Raw(pl.Series(values))
    some = d.sample(values, 50)
    table = str.maketrans("0123456789", "".join(d.sample("abcdefghij", 10)))
    assert tokens_ciphers.substitution(tokens_ciphers._matrix([v.translate(table) for v in some]), raw) >= 3
    key = d.randbytes(18)
    streamed = ["".join(chr(ord(c) ^ k) for c, k in zip(v, key, strict=False)) for v in some]
    assert tokens_ciphers.stream(tokens_ciphers._matrix(streamed), raw) == "XOR"
    others = tokens_ciphers._matrix([maker(random.Random(f"other {i}")) for i in range(50)])
    assert tokens_ciphers.substitution(others, raw) == 0
    assert tokens_ciphers.stream(others, raw) == ""
