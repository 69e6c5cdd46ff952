"""What the console's pages load: named by the hash of its bytes, in a fixed table, from nowhere else."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from sandbox.console import assets
from tests.refusal import refused

CONSOLE = Path(assets.__file__).parent
TEMPLATES = sorted((CONSOLE / "templates").glob("*.html"))
STYLES = sorted(assets.STATIC.glob("*.css"))


def ask(path: str, method: str = "GET", accepts: str = "identity") -> tuple[httpx.Response, bytes]:
    """What is answered, and the body as it came over the wire."""

    async def asked() -> tuple[httpx.Response, bytes]:
        application = Starlette(routes=[Mount("/console", routes=assets.routes())])
        headers = {"accept-encoding": accepts}
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://x") as client,
            client.stream(method, path, headers=headers) as answer,
        ):
            return answer, b"".join([part async for part in answer.aiter_raw()])

    return asyncio.run(asked())


def folder_with(tmp_path: Path, **files: bytes) -> Path:
    for name in assets.REQUIRED:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 99)
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    return tmp_path


def test_a_file_is_served_for_ever_under_the_hash_of_its_bytes() -> None:
    for name, one in assets.served().by_name.items():
        answer, body = ask(assets.asset(name))
        assert answer.status_code == 200, name
        assert hashlib.sha256(body).hexdigest()[:12] in one.url
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == assets.TYPES[Path(name).suffix]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "content-encoding" not in answer.headers


def test_other_bytes_are_another_address(tmp_path: Path) -> None:
    before = assets.Assets(folder_with(tmp_path)).url("app.css")
    after = assets.Assets(folder_with(tmp_path, **{"app.css": b"y"})).url("app.css")
    assert before != after
    assert re.fullmatch(r"/console/static/app\.[0-9a-f]{12}\.css", after)


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_where_it_is_taken(accepts: str, packed: bool) -> None:
    answer, raw = ask(assets.asset("vendor/charts.js"), accepts=accepts)
    assert answer.headers["vary"] == "Accept-Encoding"
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    plain = (assets.STATIC / "vendor/charts.js").read_bytes()
    assert (gzip.decompress(raw) if packed else raw) == plain
    assert int(answer.headers["content-length"]) == len(raw)


@pytest.mark.parametrize(
    "path",
    [
        "/console/static/app.css",  # without its hash
        "/console/static/app.000000000000.css",
        "/console/static/../assets.py",
        "/console/static/%2e%2e/assets.py",
        "/console/static/..%2fassets.py",
        "/console/static//etc/passwd",
        "/console/static/app.css%00",
        "/console/static/",
    ],
)
def test_a_path_that_is_not_in_the_table_is_not_there(path: str) -> None:
    assert ask(path)[0].status_code == 404


def test_only_reading() -> None:
    assert ask(assets.asset("app.css"), "POST")[0].status_code == 405


def test_what_npm_brought_for_the_tests_is_not_served() -> None:
    assert (assets.STATIC / "vendor/test/axe.js").is_file()
    assert not [name for name in assets.served().by_name if "axe" in name]


@pytest.mark.parametrize("name", assets.REQUIRED)
def test_a_missing_file_is_told_at_the_start(tmp_path: Path, name: str) -> None:
    (folder_with(tmp_path) / name).unlink()
    with refused("ASSETS_MISSING"):
        assets.Assets(tmp_path)


def test_an_unknown_name_is_a_mistake_of_the_template() -> None:
    with pytest.raises(KeyError):
        assets.asset("other.css")


def test_the_lock_file_names_hashes_and_no_address() -> None:
    text = (CONSOLE / "frontend/package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    wanted = json.loads((CONSOLE / "frontend/package.json").read_text(encoding="utf-8"))
    assert "://" not in text
    assert "resolved" not in text
    assert [
        name for name, one in packages.items() if name and not one["integrity"].startswith("sha512-")
    ] == []
    asked = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in asked} == asked  # no ranges


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_holds_no_script_no_style_and_nothing_unescaped(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    logic = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    markup = re.sub(r"\{%.*?%\}", "", logic, flags=re.DOTALL)
    assert not re.search(r"<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:|hx-on|hx-vals='js", markup)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", markup))
    assert not re.search(r"\|\s*safe\b|autoescape\s+false|Markup", logic)
    assert "://" not in logic


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_the_style_loads_nothing(path: Path) -> None:
    assert not re.search(r"url\(|@import|://", path.read_text(encoding="utf-8"))


def test_both_themes_have_every_colour_and_no_other_is_used() -> None:
    styles = {path.name: path.read_text(encoding="utf-8") for path in STYLES}
    light, dark = (
        set(re.findall(r"^  (--[a-z-]+):", styles[name], re.M)) for name in ("app.css", "dark.css")
    )
    assert light - dark == {"--text", "--code", "--radius", "--gap", "--bar-height", "--menu-width"}
    assert dark <= light
    used = {name for text in styles.values() for name in re.findall(r"var\((--[a-z-]+)", text)}
    assert used <= light
