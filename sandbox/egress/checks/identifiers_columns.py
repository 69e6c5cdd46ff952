"""What only a column, its header or the word before it tells: names, numbers without form, and which
attributes that the law calls sensitive stand beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.identifiers import Source, batch, sources
from sandbox.egress.clean import fold, mask
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.pii.labelled import LABELLED, announced, labelled
from sandbox.pii.names import SHARE, SURE, like_names, share

_PERSON = re.compile(
    r"姓名|名字|联系人|患者|户主|法人代表|法定代表|当事人|申请人|收件人|经办人|^xm$|"
    r"(?:first|last|full|given|family|sur|fore|patient|customer)[ _]?names?$",
    re.IGNORECASE,
)
_NAME_ZH, _NAME_EN = "姓名", "names of persons"
_LATIN = r"^[A-Za-z][A-Za-z'.\- ]{1,30}$"
_FEW, _SOME = 3, 0.2  # distinct names, and their share, in a column whose header says so
# PIPL Art. 28 and the classes of GB/T 45574-2025: words of a header.
ATTRIBUTES = {
    "health": "疾病|病名|诊断|病史|用药|药品|手术|残疾|医疗|血型|icd|disease|diagnos|illness",
    "religion": "宗教|信仰|religion",
    "biometrics": "指纹|人脸|虹膜|声纹|基因|biometric|fingerprint",
    "finance": "收入|工资|存款|余额|征信|信用|负债|income|salary|balance",
    "whereabouts": "轨迹|行踪|住宿|位置|出行|location|trace",
    "identity": "民族|籍贯|婚姻|党派|政治面貌|犯罪|前科|ethnic|marital|criminal",
    "minor": "未成年|监护人|学籍|guardian",
}


def beside(columns: Iterable[str]) -> list[str]:
    """The classes of sensitive personal information that ``columns`` are headed with."""
    text = "\n".join(columns)
    return [name for name, words in ATTRIBUTES.items() if re.search(words, text, re.IGNORECASE)]


def _names(source: Source) -> tuple[int, Severity] | None:
    """How many names of persons a column holds, and what that weighs."""
    values = fold(source.values.cast(pl.String))
    headed = _PERSON.search(source.header) is not None
    if headed:
        latin = values.str.contains(_LATIN).fill_null(False)
        for found in (values.filter(like_names(values)), values.filter(latin)):
            if len(found) >= _FEW and len(found) >= _SOME * len(values):
                return len(found), Severity.HARD
    part = share(values)
    if part >= SHARE:
        sure = headed or part >= SURE
        return round(part * len(values)), Severity.HARD if sure else Severity.HOLD
    return None


def _column(document: Document, source: Source, columns: list[str]) -> Iterable[Finding]:
    found = None if source.number else _names(source)
    if found:
        count, severity = found
        evidence: dict[str, object] = {"count": count, "beside": beside(columns)}
        words = {"kind_zh": _NAME_ZH, "kind_en": _NAME_EN}
        yield finding("IDENTIFIER", document.shown, source.where, evidence, severity, **words)
    told = announced(source.header, fold(source.values.cast(pl.String)))
    if told:
        kind, numbers = LABELLED[told[0]], told[1].unique()
        if len(numbers) >= 0.5 * source.values.n_unique():
            evidence = {
                "count": len(numbers),
                "samples": [mask(str(numbers[0]))],
                "beside": beside(columns),
            }
            severity = Severity.HARD if len(numbers) >= _FEW else Severity.HOLD
            words = {"kind_zh": kind.zh, "kind_en": kind.en}
            yield finding("IDENTIFIER", document.shown, source.where, evidence, severity, **words)


def _text(document: Document, source: Source, hits: pl.DataFrame) -> Iterable[Finding]:
    for (name,), group in hits.group_by("kind", maintain_order=True):
        kind, numbers = LABELLED[str(name)], group["found"].unique(maintain_order=True)
        first = int(group["index"][0])
        where = source.places[first] if source.places else source.where
        evidence = {"count": len(numbers), "samples": [mask(str(numbers[0]))]}
        severity = Severity.HARD if len(numbers) >= _FEW else Severity.HOLD
        words = {"kind_zh": kind.zh, "kind_en": kind.en}
        yield finding("IDENTIFIER", document.shown, where, evidence, severity, **words)


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Names and announced numbers, a finding a place and sort."""
    columns = [name for table in document.tables for name in table.columns]
    for source in sources(document, context):
        if source.cells:
            yield from _column(document, source, columns)
        hits = batch(context).part("labelled", source, _labelled)
        if hits.height:
            yield from _text(document, source, hits)


def _labelled(values: pl.Series) -> pl.DataFrame:
    return labelled(fold(values))


CHECK = Check(("IDENTIFIER",), "file", run)
