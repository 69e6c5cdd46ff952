"""The corpus: attacks by technique, benign outputs, all made by seed over three synthetic domains.

A *case* is (technique, domain, dose, container, seed); ``cases.build`` turns its id into files, declarations,
raw tables and what is expected. Public seeds serve the suite, held-out seeds the benchmark: the worlds, the
column names, the parameters and the persons differ, so a check that learnt the one is measured on the other.
Nobody in it is real; see ``domains``.
"""

PUBLIC = range(0, 1_000)
HELD_OUT = range(1_000_000, 1_001_000)
