"""The pictures of the guides: ``make screenshots``.

Reads what the browser tests took (``SCREENSHOTS=folder``), writes those that the guides show to
``docs/screenshots``, small: at most ``WIDE`` pixels wide and ``HIGH`` high, few colours, in sum at most
``IN_SUM`` bytes. What no guide shows any more is removed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parents[1] / "docs"
TARGET = DOCS / "screenshots"
WIDE, HIGH, COLOURS, IN_SUM = 1200, 1000, 48, 2 << 20


def wanted() -> set[str]:
    """The names that the guides show."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((DOCS / "guides").glob("*.md"))]
    return set(re.findall(r"\(\.\./screenshots/([a-z-]+\.png)\)", "\n".join(texts)))


def small(path: Path) -> Image.Image:
    """The upper part of a page, with few colours."""
    with Image.open(path) as taken:
        page = taken.convert("RGB")
    if page.width > WIDE:
        page = page.resize((WIDE, round(page.height * WIDE / page.width)), Image.Resampling.LANCZOS)
    page = page.crop((0, 0, page.width, min(page.height, HIGH)))
    return page.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main(taken: Path) -> int:
    names = wanted()
    missing = sorted(name for name in names if not (taken / name).is_file())
    if missing:
        print(f"没有拍到 / not taken: {', '.join(missing)}", file=sys.stderr)
        return 1
    TARGET.mkdir(exist_ok=True)
    for old in TARGET.glob("*.png"):
        if old.name not in names:
            old.unlink()
    for name in sorted(names):
        small(taken / name).save(TARGET / name, optimize=True)
    total = sum(path.stat().st_size for path in TARGET.glob("*.png"))
    print(f"{len(names)} 幅，{total:,} 字节 / pictures, bytes")
    return int(total > IN_SUM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
