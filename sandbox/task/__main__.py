"""``python3 -m sandbox.task``: see :mod:`sandbox.task.entry`."""

from sandbox.task.entry import main

raise SystemExit(main())
