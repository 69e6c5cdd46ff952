"""What a provider may state of a column beside its name and type: what its values can be.

Public metadata as a data dictionary holds it (code lists, ranges, forms, keys), for developers who write code
without seeing a row and for the dummy data made for them (``sandbox.desensitize.dummy``). The provider writes
it; nothing of it is counted from rows.
"""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field as Bound
from pydantic import model_validator

from sandbox.core.lifecycle import Model


class Stated(Model):
    """All of it is optional. ``code_list``: every value there is. ``minimum``, ``maximum``: numbers or days,
    both inclusive. ``pattern``: the form of a text, ``#`` a digit, ``@`` a capital letter, anything else
    itself. ``null_share``: part of the rows without a value, 0 to 1, in round figures. ``unique``: no value
    stands twice. ``references``: ``entry.column`` whose values these are. ``determined_by``: the column of
    the same entry that settles this one (a code its name)."""

    code_list: tuple[str, ...] = Bound(default=(), max_length=2_000)
    minimum: float | date | None = None
    maximum: float | date | None = None
    pattern: str | None = Bound(default=None, min_length=1, max_length=64)
    null_share: float | None = Bound(default=None, ge=0, le=1)
    unique: bool = False
    references: str | None = Bound(
        default=None, pattern=r"^[a-z0-9][a-z0-9-]{1,62}\.[A-Za-z_][A-Za-z0-9_]{0,62}$"
    )
    determined_by: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        ends = [one for one in (self.minimum, self.maximum) if one is not None]
        if len({isinstance(one, date) for one in ends}) > 1:
            raise ValueError("minimum and maximum are both numbers or both days")
        if len(ends) == 2 and ends[0] > ends[1]:  # type: ignore[operator]
            raise ValueError("minimum is above maximum")
        if len(set(self.code_list)) != len(self.code_list):
            raise ValueError("code_list holds a value twice")
        return self
