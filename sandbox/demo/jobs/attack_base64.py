"""Attack: identity numbers hidden in base64, in what looks like a table of tokens."""

import base64
import csv

import sandbox_job

numbers = sandbox_job.inputs("residents").to_arrow_table().column("resident_id").to_pylist()[:200]
with sandbox_job.output("tokens.csv").open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["token"])
    writer.writerows([base64.b64encode(number.encode()).decode()] for number in numbers)
