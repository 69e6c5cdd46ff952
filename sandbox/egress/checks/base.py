"""What a check is. A plug-in is one file with one ``CHECK``; the registry in this package lists it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document

_MODELS = {"onnx", "safetensors", "skops"}
Run = Callable[[Document, Context], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """``rules`` it may raise (rows of ``messages.RULES``, which give point, severity and version);
    ``needs`` what a document must hold for it to apply ("table", "text", "image", "model", "file");
    ``thresholds`` the policy keys without which it cannot run; ``raw`` whether it needs a raw table.
    ``exact``: it takes values for exact. About an answer that was paid for neither such a check nor one
    with ``raw`` is asked: of values with noise their outcome proves nothing, and as they compare with rows it
    would tell what the noise hides, or who is among them (a key or a column may be called like a person).
    The others are given a context without rows for such a file.
    ``run`` reads one document and gives findings; what it raises becomes a hard finding.
    """

    rules: tuple[str, ...]
    needs: str
    run: Run
    thresholds: tuple[str, ...] = ()
    raw: bool = False
    whole_set: bool = False  # run once, with the first document, instead of once a document
    exact: bool = False

    def applies(self, document: Document, context: Context) -> bool:
        """Whether there is anything for it to look at."""
        present = {
            "table": bool(document.tables),
            "text": bool(document.pieces or document.tables),
            "image": bool(document.pictures),
            "model": document.form in _MODELS and document.readable,
            "file": True,
        }
        return present[self.needs] and (bool(context.raws) or not self.raw)
