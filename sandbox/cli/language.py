"""Which language a command speaks."""

import os

from sandbox.core.errors import SandboxError


def language(option: str | None = None) -> str:
    """Chinese ("zh") unless the option, else ``LC_ALL`` or ``LANG``, asks for English ("en")."""
    asked = option or os.environ.get("LC_ALL") or os.environ.get("LANG") or "zh"
    return "en" if asked.lower().startswith("en") else "zh"


def describe(error: SandboxError, lang: str) -> str:
    """An error as the command line prints it: code and sentence."""
    return f"{error.code}: {error.message(lang)}"
