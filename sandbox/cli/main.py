"""``sandbox``: the command line. The verbs stand in the modules beside this one; only what is asked for is
loaded, as an interpreter that imports everything would spend most of a command on it."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from sandbox.cli.language import describe, language
from sandbox.core.errors import Invalid, SandboxError

# module -> its groups (name -> attribute) and its verbs; the order is that of the help
MODULES: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "resources": (
        {},
        ("apply", "get", "describe", "do", "wait", "supply", "take", "log", "answer", "lineage", "catalogue"),
    ),
    "admin": ({"account": "account"}, ("init", "serve", "worker", "doctor")),
    "demo": ({}, ("demo",)),
    "policy": ({"policy": "app"}, ()),
    "audit": ({"audit": "app"}, ()),
    "egress": ({"egress": "app"}, ()),
    "images": ({"images": "app"}, ()),
    "profile": ({}, ("profile",)),
    "job_try": ({"job": "app"}, ()),
    "recipe": ({"recipe": "app"}, ()),
    "anonymise": ({}, ("anonymise",)),
    "dp": ({"dp": "app"}, ()),
    "keys": ({"keys": "app"}, ()),
}


def application(word: str = "") -> typer.Typer:
    """The command line with what the verb or group ``word`` needs; with everything if there is none such."""
    asked = [name for name, (groups, verbs) in MODULES.items() if word in groups or word in verbs]
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        help="授权运营空间：原始数据不出域，数据可用不可见 / authorisation operating space",
    )
    app.callback()(lambda: None)  # a single command would otherwise stand for the whole
    for name in asked or MODULES:
        module = import_module(f"sandbox.cli.{name}")
        groups, verbs = MODULES[name]
        for group, attribute in groups.items():
            app.add_typer(getattr(module, attribute), name=group)
        if verbs:
            app.registered_commands += module.app.registered_commands
    return app


def main() -> None:
    """The entry point: errors of ours become one sentence and exit 2 (bad input) or 3 (everything else)."""
    try:
        application(*sys.argv[1:2])()
    except SandboxError as error:
        typer.echo(describe(error, language()), err=True)
        sys.exit(2 if isinstance(error, Invalid) or error.status == 422 else 3)


if __name__ == "__main__":
    main()
