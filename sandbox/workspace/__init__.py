"""Supplies in, snapshots, grant views (data plane). Importing the package loads no data library."""

import sandbox.workspace.codes  # noqa: F401  (its rows join the error table)
