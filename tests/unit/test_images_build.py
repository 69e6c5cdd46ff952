"""How layers are made: nothing unowned, nothing that depends on day or machine, nothing superfluous."""

from __future__ import annotations

import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from images import build, components, layers, recipe
from images.layers import Content
from sandbox.executor import images as lists

IMAGES = {image.name: image for image in recipe.IMAGES}


def content(folder: Path, mode: int = 0o644) -> Content:
    made = Content(folder / "root", parts={"x": {"name": "x"}})
    (made.root / "usr/x").mkdir(parents=True)
    (made.root / "usr/x/a.py").write_text("1")
    (made.root / "usr/x/a.py").chmod(mode)
    (made.root / "usr/x/link").symlink_to("a.py")
    (made.root / "tmp").mkdir(mode=0o700)
    made.owner = {"usr/x/a.py": "x", "usr/x/link": "x"}
    return made


def test_a_layer_is_the_same_bytes_whatever_the_times_and_modes(tmp_path: Path) -> None:
    one, two = content(tmp_path / "one", 0o600), content(tmp_path / "two", 0o4775)
    os.utime(two.root / "usr/x/a.py", (1, 1))
    listed = layers.write_layer(tmp_path / "one.tar", one)
    assert layers.write_layer(tmp_path / "two.tar", two) == listed
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "two.tar") as tar:
        assert {member.name: oct(member.mode) for member in tar} == {
            "tmp": "0o1777",
            "usr": "0o755",
            "usr/x": "0o755",
            "usr/x/a.py": "0o644",
            "usr/x/link": "0o777",
        }
    assert [file["name"] for file in listed[0]["components"]] == ["/usr/x/a.py", "/usr/x/link"]


def test_a_file_of_no_package_ends_the_build(tmp_path: Path) -> None:
    made = content(tmp_path)
    (made.root / "stray").write_text("1")
    with pytest.raises(SystemExit, match="stray is of no known package"):
        layers.write_layer(tmp_path / "layer.tar", made)


def test_every_locked_package_is_in_one_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = layers.locked(layers.LOCK.read_text())
    layers.check_complete(lock)
    assert lock["duckdb"].count("--hash=sha256:") > 1
    assert not lock["duckdb"].replace("duckdb==", "").count("==")
    with pytest.raises(SystemExit, match="pandas"):
        layers.check_complete({name: text for name, text in lock.items() if name != "pandas"})
    monkeypatch.setitem(recipe.WHEELS, "science", (*recipe.WHEELS["science"], "numpy"))
    with pytest.raises(SystemExit, match="two layers"):
        layers.check_complete(lock)


def test_the_libraries_of_each_image_are_those_of_its_purpose() -> None:
    held = {
        name: {package for layer in image.layers for package in recipe.WHEELS.get(layer, ())}
        for name, image in IMAGES.items()
    }
    assert held["sql"] == {"duckdb"}
    analysts = {"duckdb", "polars", "pyarrow", "numpy", "pandas", "scikit-learn", "statsmodels", "scipy"}
    assert analysts <= held["python"]
    assert "pillow" not in held["python"]
    assert not {"onnx", "pikepdf", "skops", "presidio-analyzer"} & held["python"]


def test_of_our_own_an_image_holds_its_rooms_and_what_they_import() -> None:
    found = {
        name: {str(file.relative_to(layers.REPO)) for file in layers.own_files(image)}
        for name, image in IMAGES.items()
    }
    for name in ("sql", "python"):
        assert {"sandbox/task/job.py", "sandbox/core/errors.py", "sandbox/__init__.py"} <= found[name]
        assert "sandbox/workspace/duck.py" in found[name]  # imported by the room of SQL jobs
        assert not any(
            file.startswith(("sandbox/egress", "sandbox/policy", "policies")) for file in found[name]
        )
    assert {"sandbox/egress/task.py", "sandbox/desensitize/task.py", "policies/national.yaml"} <= found[
        "check"
    ]
    control = ("control", "store", "audit", "engine", "api", "cli", "executor")
    for files in found.values():
        assert "sandbox/egress/gate.py" not in files
        assert not any(file.startswith(tuple(f"sandbox/{name}/" for name in control)) for file in files)
        assert not any("__pycache__" in file for file in files)


def test_a_change_of_code_changes_the_images_that_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sandbox/task").mkdir(parents=True)
    (tmp_path / "sandbox/core").mkdir()
    (tmp_path / "sandbox/other").mkdir()
    (tmp_path / "sandbox/task/a.py").write_text("def f():\n    from sandbox.core.b import g\n")
    for name in ("core/b", "core/c", "other/d"):
        (tmp_path / f"sandbox/{name}.py").write_text("1")
    image = replace(IMAGES["sql"], roots=("sandbox.task",))
    names = [str(file.relative_to(tmp_path / "sandbox")) for file in layers.own_files(image, tmp_path)]
    assert names == ["core/b.py", "task/a.py"]
    monkeypatch.setattr(layers, "REPO", tmp_path)
    monkeypatch.setattr(layers.own_files, "__defaults__", (tmp_path,))
    workshop = build.Workshop(tmp_path / "var")
    before = workshop.own_hash(image)
    (tmp_path / "sandbox/other/d.py").write_text("2")
    assert workshop.own_hash(image) == before
    (tmp_path / "sandbox/core/b.py").write_text("2")
    assert workshop.own_hash(image) != before


def test_what_is_left_out() -> None:
    assert layers.excluded("usr/share/doc/x/copyright")
    assert layers.excluded("usr/bin/pdb3.11")
    assert not layers.excluded("usr/share/docs")
    assert layers.merged("./lib/x86_64-linux-gnu/libc.so.6") == "usr/lib/x86_64-linux-gnu/libc.so.6"
    assert layers.merged("./usr/lib/x/") == "usr/lib/x"
    kept = [Path("a/b.py"), Path("a/_flight_helper.py"), Path("a.dist-info/METADATA"), Path("tests.py")]
    assert [path for path in kept if layers.wanted_of_wheel(path)] == kept
    out = ["a/tests/b.py", "bin/x", "a/b.pyi", "a/libarrow_flight.so", "a.dist-info/RECORD", "a/_s3fs.so"]
    assert not [path for path in out if layers.wanted_of_wheel(Path(path))]


# -- the contents list


def test_a_wheel_says_its_licence_in_one_of_three_ways() -> None:
    def licence(**metadata: Any) -> list[dict[str, Any]]:
        return components.wheel_licences(metadata)

    mit = "License :: OSI Approved :: MIT License"
    assert licence(license_expression="MIT OR Apache-2.0", classifier=[mit]) == [
        {"expression": "MIT OR Apache-2.0"}
    ]
    assert licence(classifier=[mit, "Topic :: X"], license="text") == [{"license": {"name": "MIT License"}}]
    assert licence(license="BSD-3-Clause") == [{"license": {"name": "BSD-3-Clause"}}]
    assert licence(license="x" * 500) == [{"license": {"name": "not stated"}}]


def test_a_distribution_package_says_its_licences_by_name() -> None:
    text = b"Format: x\nLicense: GPL-2+\n text\n\nLicense:  PSF-2 \n\nFiles: *\nLicense: GPL-2+\n"
    assert [one["license"]["name"] for one in components.debian_licences(text)] == ["GPL-2+", "PSF-2"]
    assert components.debian_licences(b"free")[0]["license"]["name"].startswith("see")


def test_metadata_keeps_no_description_and_no_link() -> None:
    said = b"Metadata-Version: 2.4\nName: x\nVersion: 1\n"
    link = b"Project-URL: Home, https://mirror.example\n"
    given = said + link + b"Requires-Dist: y\n\n# https://mirror.example\n"
    assert components.header(given) == said + b"Requires-Dist: y\n"


def test_equal_images_have_equal_contents_lists() -> None:
    parts = [{"bom-ref": "b", "name": "b"}, {"bom-ref": "a", "name": "a"}]
    one = components.document("sql", "sha256:1", parts)
    assert one == components.document("sql", "sha256:1", [dict(part) for part in parts])
    assert one != components.document("sql", "sha256:2", parts)
    made = json.loads(one)
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert made["dependencies"] == [{"ref": "sql", "dependsOn": ["a", "b"]}]


# -- the build's last steps


def test_the_list_is_signed_only_with_the_key_that_is_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.sign(tmp_path, {})
    first = (tmp_path / lists.SIGNED).stat()
    assert lists.ImageList(tmp_path).signed() == {}
    build.sign(tmp_path, {})
    assert (tmp_path / lists.SIGNED).stat().st_mtime_ns == first.st_mtime_ns  # nothing new, nothing written
    (tmp_path / lists.PRIVATE).unlink()
    (tmp_path / lists.SIGNED).unlink()
    build.sign(tmp_path, {})
    assert "sandbox images sign" in capsys.readouterr().out
    assert not (tmp_path / lists.SIGNED).exists()


def test_layers_that_no_image_names_are_removed(tmp_path: Path) -> None:
    workshop = build.Workshop(tmp_path)
    for name in ("kept-1.tar", "old-2.tar", "rootfs.json", "base.json"):
        (workshop.cache / name).write_text("")
    (workshop.contents / "sql.cdx.json").write_text("")
    (workshop.contents / "job.cdx.json").write_text("")
    workshop.tidy({"sql": {"layers": [{"file": "image-layers/kept-1.tar"}]}})
    assert sorted(path.name for path in workshop.cache.iterdir()) == ["kept-1.tar", "rootfs.json"]
    assert [path.name for path in workshop.contents.iterdir()] == ["sql.cdx.json"]
