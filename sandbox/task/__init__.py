"""The one entry inside a container: ``python3 -m sandbox.task`` (data plane)."""

import sandbox.task.codes  # noqa: F401  (its rows join the error table)
