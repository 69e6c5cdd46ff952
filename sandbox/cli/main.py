"""``sandbox``: the command line. The verbs stand in the modules beside this one."""

from __future__ import annotations

import sys

import typer

from sandbox.cli import admin, audit, demo, egress, policy, resources
from sandbox.cli.client import describe
from sandbox.cli.language import language
from sandbox.core.errors import Invalid, SandboxError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="授权运营空间：原始数据不出域，数据可用不可见 / authorisation operating space",
)
for verbs in (resources.app, admin.app, demo.app):
    app.registered_commands += verbs.registered_commands
app.add_typer(admin.account, name="account")
app.add_typer(policy.app, name="policy")
app.add_typer(audit.app, name="audit")
app.add_typer(egress.app, name="egress")


def main() -> None:
    """The entry point: errors of ours become one sentence and exit 2 (bad input) or 3 (everything else)."""
    try:
        app()
    except SandboxError as error:
        typer.echo(describe(error, language()), err=True)
        sys.exit(2 if isinstance(error, Invalid) or error.status == 422 else 3)


if __name__ == "__main__":
    main()
