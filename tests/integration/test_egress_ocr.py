"""The reader of pictures inside the check container: read-only root, no network, the system-call list."""

from __future__ import annotations

from dataclasses import replace

from sandbox.executor.contract import End
from tests.plugins.engine import ProbeExecutor

READ = """
from PIL import Image, ImageDraw, ImageFont
from sandbox.egress.readers import ocr
image = Image.new("RGB", (600, 120), "white")
ImageDraw.Draw(image).text((30, 40), "telephone 13812345678", font=ImageFont.load_default(28), fill="black")
lines, unread = ocr.read_lines(image, 60)
report["lines"], report["unread"] = [line.text for line in lines], unread
import os, time
begun = time.monotonic()
ocr.read_lines(image, 60)
report["seconds"] = time.monotonic() - begun
report["left"] = os.listdir("/tmp")
"""


def test_a_picture_is_read_inside_the_container(prober: ProbeExecutor) -> None:
    task = replace(prober.task(READ, memory_bytes=1 << 30), image=prober.image("check"))
    outcome = prober.run(task)
    assert outcome.end is End.SUCCEEDED, outcome
    assert outcome.report["unread"] == ""
    assert "13812345678" in " ".join(outcome.report["lines"])
    assert outcome.report["left"] == []
    print(f"a line of text read in {outcome.report['seconds']:.2f} s")


def test_memory_that_runs_short_leaves_the_picture_unread_and_the_checker_alive(
    prober: ProbeExecutor,
) -> None:
    code = READ.replace("lines, unread", "ocr._MEMORY = 8 << 20\nlines, unread", 1)
    task = replace(prober.task(code, memory_bytes=1 << 30), image=prober.image("check"))
    outcome = prober.run(task)
    assert outcome.end is End.SUCCEEDED, outcome
    assert (outcome.report["lines"], outcome.report["unread"]) == ([], "failed")
