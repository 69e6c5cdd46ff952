"""Differential privacy: declared questions, their price, exact noise. Importing loads no data library."""

import sandbox.desensitize.dp.codes  # noqa: F401  (its rows join the error table)
