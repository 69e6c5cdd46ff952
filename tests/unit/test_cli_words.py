"""The command line loads what is asked for: the table of words is the commands, no more and no fewer."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
import typer

from sandbox.cli import main
from sandbox.cli.main import MODULES, application


@pytest.mark.parametrize("name", MODULES)
def test_the_words_of_a_module_are_its_commands(name: str) -> None:
    groups, verbs = MODULES[name]
    module = import_module(f"sandbox.cli.{name}")
    assert all(isinstance(getattr(module, attribute), typer.Typer) for attribute in groups.values())
    if verbs or "app" not in groups.values():
        commands = module.app.registered_commands
        assert tuple(one.name or one.callback.__name__ for one in commands) == verbs


def test_every_word_alone_is_the_word_among_all() -> None:
    everything = typer.main.get_command(application()).commands
    words = [word for groups, verbs in MODULES.values() for word in (*groups, *verbs)]
    assert sorted(everything) == sorted(words)
    for word in words:
        alone = typer.main.get_command(application(word)).commands
        assert alone[word].help == everything[word].help


def test_a_word_that_is_none_is_answered_with_the_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sandbox", "gett"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert "gett" in capsys.readouterr().err


def test_a_verb_loads_no_other_room() -> None:
    program = """
import sys
from sandbox.cli.main import application
application("get")
print(sorted(name for name in sys.modules if name.startswith("sandbox.")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = ["cli", "cli.client", "cli.language", "cli.main", "cli.resources", "core", "core.errors"]
    assert done.stdout.strip() == str([f"sandbox.{name}" for name in loaded])
