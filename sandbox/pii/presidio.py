"""Free text through presidio-analyzer, with the recognisers of our catalogue.

Presidio knows no identifier of the mainland, its default models would have to be downloaded, its context
words do nothing for Chinese, and its ``\\b`` sees no boundary beside a Chinese character. So: our patterns
with ASCII boundaries, an engine without any model, and context by a window of characters. It runs on running
text only: on cells it is hundreds of times slower than ``scan``. It is imported when first needed.
"""

from __future__ import annotations

import logging
import re
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from sandbox.pii.kinds import KINDS, Kind
from sandbox.pii.normal import fold

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, RecognizerResult

LANGUAGE = "zh"
OTHERS = {"IBAN_CODE": ("国际银行账号", "IBAN"), "CRYPTO": ("加密货币地址", "crypto wallet")}
_BLOCK = 50_000  # characters at a time: one call costs as much as some thousand characters
_EDGE = r"(?:(?<![0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<=[0-9A-Za-z_])(?![0-9A-Za-z_]))"
_START, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_WINDOW = (30, 12)
_BOOST, _FORM, _CERTAIN = 0.35, 0.4, 0.85  # presidio's own boost; a form alone; a form that leaves no doubt


def _group(pattern: str) -> tuple[int, int]:
    """Where the only capturing group of ``pattern`` begins and ends."""
    depth, start, inside, place = 0, -1, False, 0
    while place < len(pattern):
        char = pattern[place]
        if char == "\\":
            place += 2
            continue
        if inside:
            inside = char != "]"
        elif char == "[":
            inside = True
        elif char == "(":
            if start < 0 and pattern[place + 1] != "?":
                start, depth = place, 0
            depth += 1
        elif char == ")":
            depth -= 1
            if start >= 0 and depth == 0:
                return start, place + 1
        place += 1
    raise ValueError(pattern)


def as_python(kind: Kind) -> str:
    """The pattern of ``kind`` in the syntax of the ``regex`` module; the match is the number itself."""
    pattern = kind.pattern.replace(r"(?-u:\b)", _EDGE).replace(r"(?-u:\b|$)", f"(?:{_EDGE}|$)")
    first, last = _group(pattern)
    before, number, after = pattern[:first], pattern[first:last], pattern[last:]
    if kind.scope == "token":
        before, after = _START + before.removeprefix("^"), after.removesuffix("$") + _END
    return f"{before}\\K{number}(?={after})" if after else f"{before}\\K{number}"


@cache
def analyzer() -> AnalyzerEngine:
    """The engine: our recognisers, IBAN and wallets, no model, nothing that reaches for the network."""
    from presidio_analyzer import (
        AnalyzerEngine,
        ContextAwareEnhancer,
        Pattern,
        PatternRecognizer,
        RecognizerRegistry,
    )
    from presidio_analyzer.nlp_engine import NoOpNlpEngine
    from presidio_analyzer.predefined_recognizers import CryptoRecognizer, IbanRecognizer

    logging.getLogger("presidio-analyzer").setLevel(logging.WARNING)

    class Ours(PatternRecognizer):
        """One kind of the catalogue."""

        def __init__(self, name: str, kind: Kind) -> None:
            self.kind = kind
            score = _CERTAIN if kind.tier == "A" and not kind.certain else _FORM
            pattern = Pattern(name, as_python(kind), score)
            super().__init__(
                supported_entity=name,
                supported_language=LANGUAGE,
                patterns=[pattern],
                global_regex_flags=re.IGNORECASE if kind.upper else 0,
            )

        def validate_result(self, pattern_text: str) -> bool | None:
            """True when it is certain, False when the check digit is wrong, else None."""
            value = pattern_text.upper() if self.kind.upper else pattern_text
            unlike = self.kind.unlike and re.search(self.kind.unlike, value)
            if unlike or not bool(self.kind.valid([value])[0]):
                return False
            sure = self.kind.tier == "A" and (not self.kind.certain or re.search(self.kind.certain, value))
            return True if sure else None

    class Window(ContextAwareEnhancer):
        """Words of the catalogue within some characters of the number."""

        def __init__(self) -> None:
            super().__init__(_BOOST, 0.0, 0, 0)

        def enhance_using_context(
            self,
            text: str,
            raw_results: list[RecognizerResult],
            nlp_artifacts: Any,
            recognizers: Any,
            context: list[str] | None = None,
        ) -> list[RecognizerResult]:
            """Raise the score of what a word beside it names."""
            for result in raw_results:
                kind = KINDS.get(result.entity_type)
                start = max(0, result.start - _WINDOW[0], text.rfind("\n", 0, result.start) + 1)
                end = text.find("\n", result.end)
                end = min(len(text) if end < 0 else end, result.end + _WINDOW[1])
                inner = result.end if text[result.start].isascii() else result.start
                window = text[start : result.start] + "\n" + text[inner:end]
                if kind and kind.context and re.search(kind.context, window, re.IGNORECASE):
                    result.score = min(1.0, result.score + _BOOST)
            return raw_results

    registry = RecognizerRegistry(
        recognizers=[
            *(Ours(name, kind) for name, kind in KINDS.items()),
            IbanRecognizer(supported_language=LANGUAGE),
            CryptoRecognizer(supported_language=LANGUAGE),
        ],
        supported_languages=[LANGUAGE],
    )
    engine = NoOpNlpEngine(models=[{"lang_code": LANGUAGE, "model_name": "none"}])
    return AnalyzerEngine(
        registry=registry,
        nlp_engine=engine,
        supported_languages=[LANGUAGE],
        context_aware_enhancer=Window(),
    )


class _Skipped(logging.Handler):
    """Presidio skips a pattern that runs too long and says so in its log only: here that is an error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen = False

    def emit(self, record: logging.LogRecord) -> None:
        """Remember that something was skipped."""
        self.seen = self.seen or "timed out" in record.getMessage()


def _blocks(texts: list[str]) -> list[list[int]]:
    found: list[list[int]] = [[]]
    size = 0
    for index, text in enumerate(texts):
        if size > _BLOCK:
            found.append([])
            size = 0
        found[-1].append(index)
        size += len(text) + 1
    return found


def analyze(values: pl.Series) -> tuple[pl.DataFrame, float]:
    """What presidio finds in ``values`` (text without nulls).

    Returns rows (index of the value, kind, found, sure, near), as ``scan`` does, and the seconds it took.
    ``kind`` is one of ``KINDS`` or of ``OTHERS``. Raises ``TimeoutError`` if a pattern was skipped.
    """
    started = time.monotonic()
    engine = analyzer()
    texts = [str(text).replace("\n", " ") for text in fold(values)]
    watch = _Skipped()
    log = logging.getLogger("presidio-analyzer")
    log.addHandler(watch)
    rows: list[tuple[int, str, str, bool, bool]] = []
    try:
        for block in _blocks(texts):
            joined = "\n".join(texts[index] for index in block)
            starts = np.cumsum([0, *(len(texts[index]) + 1 for index in block)])
            for result in engine.analyze(joined, language=LANGUAGE):
                found = joined[result.start : result.end]
                if "\n" in found:
                    continue
                index = block[int(np.searchsorted(starts, result.start, side="right")) - 1]
                kind = KINDS.get(result.entity_type)
                sure = result.score >= 1.0 if kind is None or kind.certain else kind.tier == "A"
                near = kind is not None and kind.tier == "B" and result.score > _FORM
                rows.append((index, result.entity_type, found, sure, near))
    finally:
        log.removeHandler(watch)
    if watch.seen:
        raise TimeoutError
    schema = {
        "index": pl.Int64,
        "kind": pl.String,
        "found": pl.String,
        "sure": pl.Boolean,
        "near": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").unique(
        maintain_order=True
    ), time.monotonic() - started
