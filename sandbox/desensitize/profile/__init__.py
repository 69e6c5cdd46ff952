"""Profiling of a table: what each field is, proposed with reasons, for a person to confirm.

Importing the package loads no data library: the control plane reads ``model``, ``reasons`` and ``fields``.
"""

import sandbox.desensitize.profile.codes  # noqa: F401  (its rows join the error table)
