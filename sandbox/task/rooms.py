"""Which module does a task of which kind, and what a container imports for it before it is given one.

Imports nothing but what it is asked to: see ``waiting``.
"""

from __future__ import annotations

import os
import sys

# The kind of sandbox.executor.contract.TaskKind -> the module whose ``run`` does it. Imported when
# called: an image holds only the libraries (and, for ``job``, only the packages) its kinds need.
ROOMS = {
    "ingest": "sandbox.workspace.ingest",
    "profile": "sandbox.desensitize.profile.room",
    "view": "sandbox.workspace.view",
    "recipe": "sandbox.desensitize.task",
    "preview": "sandbox.desensitize.preview_task",
    "reidentify": "sandbox.desensitize.reidentify",
    "anonymise": "sandbox.desensitize.search.task",
    "dp": "sandbox.desensitize.dp.task",
    "dummy": "sandbox.desensitize.dummy.task",
    "job": "sandbox.task.job",
    "check": "sandbox.egress.task",
}
JOB = ROOMS["job"]
# Image -> what its containers import. ``spare`` is first: the interpreter that it starts imports beside us.
OF_IMAGE = {
    "sql": (JOB, "sandbox.task.sql_job"),
    "python": ("sandbox.task.spare", JOB, "sandbox.task.python_job"),
    "check": (ROOMS["ingest"], ROOMS["profile"], ROOMS["view"], ROOMS["recipe"], ROOMS["dp"], ROOMS["check"]),
}
AHEAD = "ahead"  # instead of a kind: no task is known yet


def get_ready(word: str) -> None:
    """Import what a task of the kind ``word`` needs, or with ``AHEAD`` any task of this image; unknown words
    and images need nothing. A module that has ``get_ready`` is asked to."""
    ours = OF_IMAGE.get(os.environ.get("TASK_IMAGE", ""), ())
    wanted = ours if word in (AHEAD, "job") else (ROOMS[word],) if word in ROOMS else ()
    for name in wanted:
        __import__(name)
        getattr(sys.modules[name], "get_ready", lambda: None)()
