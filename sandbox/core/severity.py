"""How much something found weighs. Pure data, shared by both planes."""

from enum import StrEnum


class Severity(StrEnum):
    """``hard`` cannot be lifted by any role; ``hold`` needs people; ``flag`` informs them."""

    HARD = "hard"
    HOLD = "hold"
    FLAG = "flag"
