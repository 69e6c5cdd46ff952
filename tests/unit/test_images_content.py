"""Each flaw that ``sandbox images verify`` knows, provoked in a small image; and the command itself."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sandbox
from sandbox.audit.signer import FileSigner
from sandbox.cli.images import _WORDS, app
from sandbox.executor import image_content
from sandbox.executor import images as lists
from sandbox.executor.image_content import Finding, Flaw, examine, from_folder, mirror_hosts
from tests.plugins.images import PYTHON, Entry, SmallImages
from tests.refusal import refused

HOSTS = {"mirror.example"}


def info(name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, **rest: int) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mode = kind, mode
    for field, value in rest.items():
        setattr(made, field, value)
    return made


def look(images: SmallImages, image: lists.Built) -> list[Finding]:
    signed = images.sign().signed()[image.name]
    with from_folder(image) as opened:
        return examine(image, opened, signed, HOSTS)


def test_an_image_that_is_its_list_has_no_flaw(small_images: SmallImages) -> None:
    image = small_images.add(
        "one",
        {PYTHON: b"\x7fELF", "usr/bin/python3": "python3.11", "tmp": info("tmp", tarfile.DIRTYPE, 0o1777)},
        {"usr/lib/x.py": b"1", "usr/lib": info("usr/lib", tarfile.DIRTYPE, 0o755)},
    )
    assert look(small_images, image) == []


FLAWS: dict[str, tuple[Flaw, dict[str, Entry]]] = {
    "setuid": (Flaw.SETUID, {"a": info("a", mode=0o4644)}),
    "setgid folder": (Flaw.SETUID, {"a": info("a", tarfile.DIRTYPE, 0o2755)}),
    "device": (Flaw.DEVICE, {"a": info("a", tarfile.CHRTYPE)}),
    "hard link": (Flaw.DEVICE, {"a": info("a", tarfile.LNKTYPE)}),
    "whiteout": (Flaw.DEVICE, {"x/.wh.a": info("x/.wh.a")}),
    "writable file": (Flaw.WRITABLE, {"a": info("a", mode=0o666)}),
    "writable folder": (Flaw.WRITABLE, {"a": info("a", tarfile.DIRTYPE, 0o777)}),
    "owner": (Flaw.WRITABLE, {"a": info("a", uid=61000)}),
    "program": (Flaw.PROGRAM, {"usr/bin/perl": info("usr/bin/perl", mode=0o755)}),
    "shell": (Flaw.SHELL, {"usr/bin/dash": b""}),
    "shell by link": (Flaw.SHELL, {"bin/sh": "busybox"}),
    "package manager": (Flaw.MANAGER, {"usr/bin/dpkg": b""}),
    "package manager's folder": (Flaw.MANAGER, {"site/pip": info("site/pip", tarfile.DIRTYPE, 0o755)}),
    "setting": (Flaw.SETTING, {"etc/pip.conf": b""}),
    "host": (Flaw.HOST, {"usr/lib/a.py": b"x = 'https://mirror.example/simple'"}),
}


@pytest.mark.parametrize("case", FLAWS)
def test_each_flaw_is_found_by_name_and_place(small_images: SmallImages, case: str) -> None:
    flaw, layer = FLAWS[case]
    image = small_images.add("one", {PYTHON: b"1"}, layer)
    assert Finding(flaw, f"/{next(iter(layer))}") in look(small_images, image)


def test_a_file_beside_the_list_and_one_that_is_not_there(small_images: SmallImages) -> None:
    image = small_images.add("one", {"a": b"1", "b": b"2"}, unlisted=frozenset({"b"}))
    assert look(small_images, image) == [Finding(Flaw.UNLISTED, "/b")]
    fewer = small_images.add("two", {"a": b"1"})
    contents = json.loads(fewer.contents.read_bytes())
    contents["components"][0]["components"].append({"name": "/c", "hashes": [{"content": "0" * 64}]})
    fewer.contents.write_text(json.dumps(contents))
    assert set(look(small_images, fewer)) == {
        Finding(Flaw.CONTENTS, "two.json"),  # and it is not the list that was signed
        Finding(Flaw.MISSING, "/c"),
    }


@pytest.mark.parametrize("text", ["", "[]", '{"components": [{"components": [{}]}]}'])
def test_a_contents_list_that_cannot_be_read_is_a_flaw(small_images: SmallImages, text: str) -> None:
    image = small_images.add("one", {"a": b"1"})
    image.contents.write_text(text)
    assert Finding(Flaw.CONTENTS, "one.json") in look(small_images, image)


def test_other_bytes_under_the_same_name(small_images: SmallImages) -> None:
    image = small_images.add("one", {"a": b"1", "link": "a"})
    signed = small_images.sign().signed()["one"]
    small_images.add("one", {"a": b"2", "link": "b"})  # written over the layer; the record read before stays
    image.contents.write_bytes(
        json.dumps(
            {
                "components": [
                    {
                        "components": [
                            {"name": "/a", "hashes": [{"content": "0" * 64}]},
                            {"name": "/link", "properties": [{"name": "sandbox:link", "value": "a"}]},
                        ]
                    }
                ]
            }
        ).encode()
    )
    with from_folder(image) as opened:
        found = examine(image, opened, signed, HOSTS)
    assert Finding(Flaw.CHAIN, image.layers[0].diff_id) in found
    assert {one.where for one in found if one.flaw is Flaw.ALTERED} == {"/a", "/link"}


def test_a_configuration_or_layers_other_than_signed(small_images: SmallImages) -> None:
    image, other = small_images.add("one", {"a": b"1"}), small_images.add("two", {"a": b"2"})
    signed = small_images.sign().signed()
    with from_folder(image) as opened:
        assert Finding(Flaw.CHAIN, "configuration") in examine(image, opened, signed["two"], HOSTS)
    with from_folder(image) as opened:
        row = {**signed["one"], "layers": signed["two"]["layers"]}
        assert Finding(Flaw.CHAIN, "one") in examine(image, opened, row, HOSTS)
    other.layers[0].file.unlink()
    with from_folder(other) as opened:
        assert examine(other, opened, signed["two"], HOSTS) == [Finding(Flaw.ABSENT, "two")]


def test_the_hosts_are_those_that_this_machine_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://old.example x\ndeb http://one.example/d bookworm main\n"
    )
    (tmp_path / "sources.list.d/a.sources").write_text("URIs: https://user:secret@two.example:8443/d\n")
    monkeypatch.setattr(image_content, "APT", tmp_path)
    monkeypatch.setenv("PIP_INDEX_URL", "https://three.example/simple")
    found = mirror_hosts()
    assert {"one.example", "two.example", "three.example"} <= found
    assert "old.example" not in found


def test_every_flaw_has_its_words() -> None:
    assert set(_WORDS) == {str(flaw) for flaw in Flaw}


# -- the commands


def test_verify_prints_what_is_wrong_and_where(small_images: SmallImages) -> None:
    small_images.add("good", {PYTHON: b"1"})
    small_images.add("bad", {"bin/sh": b"1"})
    small_images.sign()
    done = CliRunner().invoke(app, ["verify", "--layers", "--lang", "en"])
    assert done.exit_code == 1
    assert "✓ good" in done.output
    assert "✗ bad" in done.output
    assert "/bin/sh: is a shell" in done.output
    assert CliRunner().invoke(app, ["verify", "good", "--layers"]).exit_code == 0
    told = CliRunner().invoke(app, ["verify", "bad", "--layers", "--json"])
    assert json.loads(told.stdout) == {"bad": [{"flaw": "shell", "where": "/bin/sh"}]}
    with refused("IMAGE_UNKNOWN"):
        CliRunner().invoke(app, ["verify", "other", "--layers"], catch_exceptions=False)


def test_list_says_what_is_signed(small_images: SmallImages) -> None:
    small_images.add("one", {PYTHON: b"1"})
    small_images.sign()
    later = small_images.add("two", {PYTHON: b"2"})
    told = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert {row["image"]: row["signed"] for row in told["images"]} == {"one": True, "two": False}
    assert told["images"][1]["digest"] == later.digest
    assert told["key"].startswith("sandbox-images+")
    for lang, word in (("zh", "镜像"), ("en", "image")):
        shown = CliRunner().invoke(app, ["list", "--lang", lang])
        assert word in shown.output
        assert shown.exit_code == 0


def test_sign_with_the_key_of_this_node_or_another(small_images: SmallImages, tmp_path: Path) -> None:
    image = small_images.add("one", {PYTHON: b"1"})
    assert CliRunner().invoke(app, ["sign"]).exit_code == 0
    assert lists.ImageList().check(image.digest) == "one"
    FileSigner.create(tmp_path / "other.pem")
    before = (small_images.folder / lists.SIGNED).read_bytes()
    with refused("IMAGE_LIST"):  # a key that nobody here trusts
        CliRunner().invoke(app, ["sign", "--key", str(tmp_path / "other.pem")], catch_exceptions=False)
    assert (small_images.folder / lists.SIGNED).read_bytes() == before
    done = CliRunner().invoke(app, ["sign", "--key", str(tmp_path / "other.pem"), "--publish"])
    assert done.exit_code == 0
    assert lists.ImageList().check(image.digest) == "one"
    image.layers[0].file.write_bytes(b"other")
    with refused("IMAGE_UNTRUSTED"):
        CliRunner().invoke(app, ["sign"], catch_exceptions=False)


def test_build_needs_the_working_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "__file__", str(tmp_path / "site/sandbox/__init__.py"))
    with refused("IMAGE_SOURCE"):
        CliRunner().invoke(app, ["build"], catch_exceptions=False)
    script = tmp_path / "site/images/build.py"
    script.parent.mkdir(parents=True)
    script.write_text("import sys; sys.exit(4 if sys.argv[1:] == ['--force', '--without-engine'] else 5)")
    assert CliRunner().invoke(app, ["build", "--force", "--without-engine"]).exit_code == 4
    assert CliRunner().invoke(app, ["build"]).exit_code == 5
