"""The documents are true of the code: commands, kinds, settings, examples, links, tests that they name."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import typer
import yaml

from sandbox.api.app import create_app
from sandbox.cli.main import application
from sandbox.cli.resources import Plain
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Role
from sandbox.core.errors import CODES
from sandbox.core.lifecycle import Nothing

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
EVERYTHING = "\n".join(TEXTS.values())


def read(text: str) -> Any:
    """YAML as the command line reads it."""
    return yaml.load(text, Plain)  # noqa: S506  (a safe loader)


PLACEHOLDER = re.compile(r"…")  # an example that says "put yours here"


def generator() -> ModuleType:
    """``docs/make_errors.py``; loading all of our modules fills the error table."""
    spec = importlib.util.spec_from_file_location("make_errors", ROOT / "docs" / "make_errors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- what the documents say, taken apart


@dataclass(frozen=True)
class Command:
    """One ``sandbox …`` line of a code block, with the heredoc that follows it."""

    document: str
    words: tuple[str, ...]
    text: str = ""

    def __str__(self) -> str:
        return f"{self.document}: {' '.join(self.words)[:60]}"


def blocks(text: str, *languages: str) -> Iterator[str]:
    """The fenced code blocks of the given languages ("" is one without)."""
    for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S):
        if language in languages:
            yield body


def commands(document: str, text: str) -> Iterator[Command]:
    """Every ``sandbox`` command of the shell blocks, also in backticks of the running text."""
    for block in blocks(text, "bash", ""):
        joined = re.sub(r"\\\n\s*|\n\s+(?=\[?--)", " ", block)  # continued lines
        lines = iter(joined.splitlines())
        for line in lines:
            body: list[str] = []
            if mark := re.search(r"<<'(\w+)'", line):
                for inner in lines:
                    if inner == mark[1]:
                        break
                    body.append(inner)
                line = line.replace(mark[0], "")
            yield from _parsed(document, line, "\n".join(body))
    for inline in re.findall(r"`(sandbox [^`\n]+)`", text):
        yield from _parsed(document, inline, "")


def _parsed(document: str, line: str, body: str) -> Iterator[Command]:
    found = re.search(r"(?:^|[\s;/])sandbox\s+([a-z].*)", line)
    if found is None or line.lstrip().startswith(("#", "mkdir")):
        return
    words = re.sub(r"\$\(.*?\)(?=\s|$)", "ab" * 32, found[1])
    words = re.sub(r"\s*(?:\s#.*|\s&|;.*|\s\|.*)$", "", words)
    yield Command(document, tuple(shlex.split(words)), body)


ALL = [command for name, text in TEXTS.items() for command in commands(name, text)]


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the command line with its words."""
    inside = getattr(command, "commands", None)
    if inside is None:
        yield path, command
        return
    for name, below in inside.items():
        yield from leaves(below, (*path, name))


LEAVES = dict(leaves(typer.main.get_command(application())))


def resolve(words: tuple[str, ...]) -> Any | None:
    """The command that ``words`` begin with."""
    return LEAVES.get(words[:2]) or LEAVES.get(words[:1])


# --- commands


def test_every_command_is_documented() -> None:
    said = {command.words[: len(path)] for command in ALL for path in LEAVES}
    assert sorted(set(LEAVES) - said) == []


@pytest.mark.parametrize("command", ALL, ids=str)
def test_every_command_in_the_documents_exists_with_its_options(command: Command) -> None:
    if command.words == ("--help",) or command.words[0].startswith("-"):
        return
    found = resolve(command.words)
    if found is None:  # a sentence about a group: `sandbox policy`
        assert any(path[: len(command.words)] == command.words for path in LEAVES), command.words
        return
    known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    asked = {word.strip("[]").split("=")[0] for word in command.words if word.strip("[]").startswith("--")}
    assert asked - known - {"--help", "--profile=guizhou"} == set()


def test_the_reading_of_commands_sees_what_is_wrong() -> None:
    text = "```bash\nsandbox fly --high <<'E'\na: 1\nE\nsandbox do job/x stop | less\n```"
    seen = list(commands("d", text))
    assert [(one.words, one.text) for one in seen] == [
        (("fly", "--high"), "a: 1"),
        (("do", "job/x", "stop"), ""),
    ]
    assert resolve(seen[0].words) is None


# --- resources


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every manifest in the documents: heredocs of ``apply`` and YAML blocks with a kind."""
    for name, text in TEXTS.items():
        bodies = [*blocks(text, "yaml")]
        bodies += re.findall(r"<<'YAML'\n(.*?)^YAML$", text, re.M | re.S)
        for body in bodies:
            for document in yaml.load_all(body, Plain):
                if isinstance(document, dict) and "kind" in document and "spec" in document:
                    yield f"{name}: {document['kind']}/{document.get('id', '')}", document


MANIFESTS = list(manifests())


@pytest.mark.parametrize("manifest", [one for _, one in MANIFESTS], ids=[name for name, _ in MANIFESTS])
def test_manifests_fit_their_kind(manifest: dict[str, Any]) -> None:
    assert set(manifest) <= {"kind", "id", "spec"}
    spec = dict(manifest["spec"])
    if "files" in spec:  # the command line reads them
        spec["code"] = dict.fromkeys(spec.pop("files"), "")
        assert spec["entry"] in spec["code"]
    KINDS[manifest["kind"]].spec.model_validate(spec)


def transitions() -> list[Command]:
    """The ``sandbox do`` commands."""
    return [one for one in ALL if one.words[0] == "do" and len(one.words) > 2]


@pytest.mark.parametrize("command", transitions(), ids=str)
def test_transitions_are_in_the_tables_and_payloads_fit(command: Command) -> None:
    kind, _, id = command.words[1].partition("/")
    rows = [row for row in KINDS[kind].transitions if row.event == command.words[2] and row.source]
    assert id
    assert rows, f"{kind} has no {command.words[2]}"
    payload: dict[str, Any] = read(command.text) or {}
    for word, value in zip(command.words, command.words[1:], strict=False):
        if word == "--set":
            key, _, text = value.partition("=")
            payload[key] = read(text)
    if payload or rows[0].payload is Nothing:
        if not PLACEHOLDER.search(str(payload)):
            rows[0].payload.model_validate(payload)
        else:
            assert set(payload) <= set(rows[0].payload.model_fields)


def test_every_kind_and_role_is_in_the_guides() -> None:
    guides = "\n".join(path.read_text(encoding="utf-8") for path in GUIDES)
    assert [name for name in KINDS if f"kind: {name}" not in guides and f"{name}/" not in guides] == []
    assert [str(role) for role in Role if role != Role.SYSTEM and f"`{role}`" not in guides] == []


def test_every_route_is_on_the_api_page_and_no_other() -> None:
    space: Any = SimpleNamespace(control=None, gate=None, settings=None)  # routes are listed, not called
    verbs = {"GET", "POST", "PUT"}
    known = {
        f"{method} {getattr(route, 'path', '')}"
        for route in create_app(space).routes
        for method in verbs & (getattr(route, "methods", None) or set())
    }
    said = set(re.findall(r"`((?:GET|POST|PUT) /[^`]*)`", TEXTS["docs/api.md"]))
    assert said == known


def test_every_setting_is_in_the_administrators_guide() -> None:
    sources = [
        *(ROOT / "sandbox").rglob("*.py"),
        *(ROOT / "images").glob("*.py"),
        *(path for path in (ROOT / "scripts").iterdir() if path.is_file()),
    ]
    used = {name for path in sources for name in re.findall(r"SANDBOX_[A-Z_]+", path.read_text("utf-8"))}
    assert {"SANDBOX_HOME", "SANDBOX_ENGINE", "SANDBOX_TOKEN"} <= used
    guide = TEXTS["docs/guides/administrator.md"]
    assert sorted(name for name in used if f"`{name}`" not in guide) == []
    assert sorted(set(re.findall(r"SANDBOX_[A-Z_]+", EVERYTHING)) - used) == []


# --- generated, named, linked


def test_the_error_table_is_up_to_date() -> None:
    made = generator()
    assert made.TARGET.read_text(encoding="utf-8") == made.render(), "run: python docs/make_errors.py"
    assert len(CODES) > 100


def test_codes_in_the_guides_exist() -> None:
    made = generator()
    made.load()
    for path in GUIDES:
        refusals = path.read_text(encoding="utf-8").partition("## 可能的拒绝")[2]
        assert refusals, f"{path.name} has no refusals"
        named = set(re.findall(r"`([A-Z][A-Z_]{2,})`", refusals)) - {"SANDBOX_ORIGIN", "SANDBOX_HASH"}
        assert named
        assert named - set(CODES) - {"SANDBOX_URL"} == set(), path.name


def test_the_tests_that_are_named_exist() -> None:
    last, missing = "", []
    named = re.findall(r"`((?:tests/[\w/]+\.py)?(?:::\w+)?)`", EVERYTHING)
    for one in named:
        path, _, test = one.partition("::")
        last = path or last
        if not one:
            continue
        file = ROOT / last
        if not file.is_file() or (test and f"def {test}(" not in file.read_text(encoding="utf-8")):
            missing.append(f"{last}::{test}")
    assert missing == []
    assert len(named) > 10


def anchor(heading: str) -> str:
    """The fragment that a forge gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("name", TEXTS)
def test_links_resolve(name: str) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", TEXTS[name], flags=re.M | re.S)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, fragment = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists():
            broken.append(target)
        elif fragment:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M)
            broken += [target] if fragment not in map(anchor, headings) else []
    assert broken == []


def test_every_document_is_linked() -> None:
    linked = set()
    for name, text in TEXTS.items():
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            linked.add(((ROOT / name).parent / target).resolve())
    pages = [path for path in DOCUMENTS if path.parent.name != "adr" and path.name != "README.md"]
    assert [path.name for path in pages if path.resolve() not in linked] == []


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_of_a_single_machine_is_said(name: str) -> None:
    assert re.findall(r"(?<![\w.])/(?:work|root|home|tmp)/\w[/\w]*", TEXTS[name]) == []
    assert re.findall(r"https?://(?:pypi|registry|files\.pythonhosted)\S*", TEXTS[name]) == []
