"""Desensitising recipes and transforms (data plane). Importing the package loads no data library."""

import sandbox.desensitize.codes  # noqa: F401  (its rows join the error table)
