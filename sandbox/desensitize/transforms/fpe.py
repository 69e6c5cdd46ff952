"""``fpe``: format-preserving encryption (FF1) of the part of an identifier that is a person's or a firm's.

Forms and check digits stay right, so that programs that test them go on working. What a result can never be
is somebody's live number: the part that a registry assigns is moved, one to one, to what no registry assigns.

=============  =====================================  =======================================================
``form``       enciphered (FF1)                       moved to what is not assigned
=============  =====================================  =======================================================
resident_id    day of birth and sequence, 1900-2099   province (GB/T 2260) to a code of no province
uscc           body of the organisation code          province likewise
bank_card      all after the issuer's six digits      first digit + 5 mod 10: industries without bank cards
mobile         all after the leading 1                leading 1 to 2
digits         all; any length that none of the       —
               above has
=============  =====================================  =======================================================

The scan of a product and the egress checker still know a ``resident_id`` by its form and check digit. That is
meant: it leads back to a person for whoever has the key, so it may not leave (R-131). In a product it is
counted as ``marked`` and refuses nothing (see ``Transform.marks``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sandbox.desensitize.transforms.base import (
    TEXT,
    KeyedParams,
    Setting,
    Transform,
    Unfit,
    each,
    over_distinct,
    subkey,
)

if TYPE_CHECKING:
    import polars as pl

Form = Literal["resident_id", "uscc", "bank_card", "mobile", "digits"]
# form -> kinds of the catalogue of identifiers that its results still look like
MARKS: dict[str, frozenset[str]] = {"resident_id": frozenset({"resident_id"})}


class FpeParams(KeyedParams):
    """``form``: see the module. ``cipher``: aes (FF1-AES-256) or sm4 (FF1 with SM4, GB/T 32907).
    ``on_error``: what a value that has not this form, or a wrong check digit, leads to."""

    form: Form
    cipher: Literal["aes", "sm4"] = "aes"
    on_error: Literal["refuse", "null"] = "refuse"

    def accepts(self) -> frozenset[str]:
        return TEXT


def apply(column: pl.Series, params: FpeParams, setting: Setting) -> pl.Series:
    """Text of the same form. Raises Unfit with the number of cells that have not this form, NoCipher."""
    return _changed(column, params, setting, forward=True)


def restore(column: pl.Series, params: FpeParams, setting: Setting) -> pl.Series:
    """The inverse of ``apply`` under the same key; a value that is no result of it becomes empty."""
    return _changed(column, params.model_copy(update={"on_error": "null"}), setting, forward=False)


def _changed(column: pl.Series, params: FpeParams, setting: Setting, forward: bool) -> pl.Series:
    from sandbox.desensitize.forms import FORMS

    key = subkey(setting.keys[params.key], "fpe", params.form, params.cipher)
    key = key if params.cipher == "aes" else key[:16]
    change = FORMS[params.form]
    changed = over_distinct(column, lambda values: change(values, key, params.cipher, forward))
    lost = changed.null_count() - column.null_count()
    if lost and params.on_error == "refuse":
        raise Unfit(lost)
    return changed


_TITLES = {
    "resident_id": ("居民身份证号", "a resident identity number"),
    "uscc": ("统一社会信用代码", "a unified social credit code"),
    "bank_card": ("银行卡号", "a bank card number"),
    "mobile": ("手机号", "a mobile number"),
    "digits": ("数字串", "a run of digits"),
}


def explain(params: FpeParams) -> tuple[str, str]:
    """One sentence in each language."""
    zh, en = _TITLES[params.form]
    name = {"aes": "FF1-AES-256", "sm4": "FF1-SM4"}[params.cipher]
    return (
        f"以 {name}（密钥 {params.key}）加密为{zh}的形式，校验位重算；结果不会是真实号码，仅限域内使用。",
        f"Enciphers with {name} (key {params.key}) into the form of {en}, check digit recomputed; the "
        "result is nobody's number, and stays in the domain.",
    )


def marks(params: FpeParams) -> frozenset[str]:
    """The kinds of identifier that results look like."""
    return MARKS.get(params.form, frozenset())


TRANSFORM = Transform(
    "fpe", "保留格式加密", "format-preserving encryption", FpeParams, each(apply), explain, "pseudonym",
    desensitises=True, reversible_with_key=True, keeps_joins=True, keeps_order=False, marks=marks,
)  # fmt: skip
