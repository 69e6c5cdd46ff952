"""A job with a mistake on line 5: what comes back is the class and the line, never the text."""

import sandbox_job

raise ValueError(sandbox_job.inputs("residents").fetchall()[0])
