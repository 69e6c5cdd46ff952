"""Which language a command speaks."""

import os


def language(option: str | None = None) -> str:
    """Chinese ("zh") unless the option, else ``LC_ALL`` or ``LANG``, asks for English ("en")."""
    asked = option or os.environ.get("LC_ALL") or os.environ.get("LANG") or "zh"
    return "en" if asked.lower().startswith("en") else "zh"
