"""The room that leads tokens back: a token vault and the product they stand in, to a sealed answer.

Inputs ``/in/tokens`` (the vault as the product's job left it) and ``/in/data`` (the product), params
``{"key": "<hex>", "domain": "<name>", "column": "<of the product>", "tokens": [...]}``. Writes
``answer.json``: ``{"salt", "column", "values": [{"token", "value"}]}``; a token that does not stand in that
very column has the value null, whatever the vault knows: one vault serves columns of several resources. The
salt is random, so that the answer's hash tells nobody who guesses a value whether it is right. What is
returned to the control plane says nothing of what was found.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import polars as pl

from sandbox.core.errors import fail
from sandbox.desensitize import codes as codes  # registers the error codes
from sandbox.desensitize.task import key_of
from sandbox.desensitize.tokens import TokenVault

ANSWER = "answer.json"


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text. Raises RECIPE_KEY, RECIPE_TOKENS, RECIPE_SOURCE."""
    column, domain = str(params["column"]), str(params["domain"])
    tokens = [str(token) for token in params["tokens"]]
    vault = TokenVault.load(inputs / "tokens", key_of("tokens", params.get("key")))
    try:
        held = pl.read_parquet(inputs / "data", columns=[column])[column]
    except (OSError, pl.exceptions.PolarsError):
        raise fail("RECIPE_SOURCE") from None
    there = set(held.filter(held.is_in(tokens)).to_list())
    found = vault.reidentify(domain, tokens)
    values = [
        {"token": token, "value": value if token in there else None}
        for token, value in zip(tokens, found, strict=True)
    ]
    body = {"salt": secrets.token_hex(32), "column": column, "values": values}
    (out / ANSWER).write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
    return {"ok": True}
