"""A real person-level survey as CSV: ``python -m sandbox.demo.fair OUT.csv``.

The data set ``fair`` that statsmodels ships (Fair 1978, "A Theory of Extramarital Affairs"; 6,366
answers to a 1974 magazine survey, public domain): one row per respondent, no identifier, one
sensitive answer (``affairs``). Columns that hold only whole numbers are written as integers.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo.fair")
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args(arguments)
    from statsmodels.datasets import fair

    table = fair.load_pandas().data
    whole = [name for name in table.columns if (table[name] % 1 == 0).all()]
    table.astype(dict.fromkeys(whole, "int64")).to_csv(chosen.out, index=False, lineterminator="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
