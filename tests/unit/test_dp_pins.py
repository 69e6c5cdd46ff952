"""diffprivlib is importable only beside the scikit-learn and scipy it knows: held in every lock file."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def version(lock: str, package: str) -> tuple[int, ...]:
    found = re.search(rf"^{package}==([0-9.]+)", (ROOT / "requirements" / lock).read_text(), re.M)
    assert found, package
    return tuple(int(part) for part in found[1].split("."))


@pytest.mark.parametrize("lock", ["dev.txt", "images.txt"])
def test_the_locks_hold_what_diffprivlib_works_with(lock: str) -> None:
    assert version(lock, "diffprivlib")[:2] == (0, 6)
    assert (1, 4) <= version(lock, "scikit-learn") < (1, 8)
    assert (1, 13) <= version(lock, "scipy") < (1, 18)


def test_the_next_lock_will_hold_it_too() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for line in ('"diffprivlib>=0.6.6,<0.7"', '"scikit-learn>=1.4,<1.8"', '"scipy>=1.16,<1.18"'):
        assert line in text


def test_it_is_importable_here_with_the_model_that_breaks_first() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffprivlib import mechanisms, models

        drawn = mechanisms.Geometric(epsilon=1.0, sensitivity=1).randomise(5)
        bounded = models.LogisticRegression(epsilon=100.0, data_norm=2.0)
        bounded.fit([[0.0], [1.0], [0.1], [0.9]] * 8, [0, 1, 0, 1] * 8)
    assert isinstance(drawn, int)
    assert bounded.coef_.shape == (1, 1)
