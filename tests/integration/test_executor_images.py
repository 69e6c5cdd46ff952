"""What the images hold and do not hold, and that equal inputs give an equal digest."""

from __future__ import annotations

import importlib.util
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import docker
import pytest

from sandbox.executor.contract import End, Outcome
from tests.plugins.engine import ProbeExecutor

REPO = Path(__file__).resolve().parents[2]

LOOK = """
import importlib.util, sysconfig
LIBRARIES = "duckdb polars pyarrow pandas numpy pydantic yaml PIL pip sqlalchemy fastapi docker"
files, setuid = [], []
for folder, _, names in os.walk("/"):
    if folder.startswith(("/proc", "/sys", "/dev", "/in", "/out", "/tmp")):
        continue
    for name in names:
        path = os.path.join(folder, name)
        files.append(path)
        if not os.path.islink(path) and os.stat(path).st_mode & 0o6000:
            setuid.append(path)
programs = [f for f in files if f.startswith(("/usr/bin/", "/usr/sbin/", "/usr/local/bin/"))]
report.update(
    setuid=setuid,
    programs=sorted(programs),
    etc=sorted(f for f in files if f.startswith("/etc/")),
    ours=sorted({f.split("/")[7] for f in files if "dist-packages/sandbox/" in f}),
    gate=[f for f in files if f.endswith("egress/gate.py")],
    policies=[f for f in files if "dist-packages/policies/" in f],
    found=sorted(name for name in LIBRARIES.split() if importlib.util.find_spec(name)),
    extensions=[],
)
for name in "ssl sqlite3 bz2 lzma zlib ctypes uuid multiprocessing.synchronize decimal".split():
    importlib.import_module(name)
    report["extensions"].append(name)
import duckdb, polars, pyarrow.parquet, pandas
duckdb.sql("copy (select range as a from range(10)) to '/tmp/a.parquet'")
report["rows"] = [len(library.read_parquet("/tmp/a.parquet")) for library in (polars, pandas)]
import multiprocessing.pool
with multiprocessing.Pool(2) as pool:
    report["pool"] = pool.map(abs, [-1, -2])
"""


@pytest.fixture
def look(prober: ProbeExecutor) -> Callable[[str], dict[str, Any]]:
    """What ``LOOK`` reports from inside the image."""

    def inside(image: str) -> dict[str, Any]:
        task = prober.task(LOOK, memory_bytes=1 << 30, cpus=2)
        outcome: Outcome = prober.run(replace(task, image=prober.image(image)))
        assert outcome.end is End.SUCCEEDED
        return outcome.report

    return inside


@pytest.mark.parametrize("image", ["job", "check"])
def test_an_image_holds_python_the_libraries_and_our_data_plane_only(
    look: Callable[[str], dict[str, Any]], image: str
) -> None:
    seen = look(image)
    assert seen["setuid"] == []
    assert {Path(program).name.removesuffix("3.11") for program in seen["programs"]} <= {
        "python", "python3", "pdb", "pydoc", "pygettext",
    }  # fmt: skip
    assert not [name for name in seen["etc"] if "apt" in name or "shadow" in name]
    libraries = ["duckdb", "numpy", "pandas", "polars", "pyarrow", "pydantic", "yaml"]
    assert seen["found"] == sorted([*libraries, *(["PIL"] if image == "check" else [])])
    ours = {"__init__.py", "__pycache__", "core", "policy", "task", "workspace", "desensitize"}
    assert set(seen["ours"]) == ours | ({"egress"} if image == "check" else set())
    assert seen["gate"] == []
    assert seen["policies"]
    assert len(seen["extensions"]) == 9
    assert seen["rows"] == [10, 10]
    assert seen["pool"] == [1, 2]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``images/build.py`` with its records in a folder of the test, on the layers that are there."""
    spec = importlib.util.spec_from_file_location("images_build", REPO / "images/build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "images_build", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RECORD", tmp_path / "images.json")
    return module


def test_a_build_from_equal_inputs_gives_the_digest_that_is_there(
    build: ModuleType, engine_api: docker.APIClient, prober: ProbeExecutor, tmp_path: Path
) -> None:
    image = next(image for image in build.IMAGES if image.name == "job")
    renamed = replace(image, name="test-job")
    try:
        record = build.build(engine_api, renamed, build.recipe_hash())
        again = build.build(engine_api, renamed, build.recipe_hash())
        assert record == again
        assert prober.image("test-job") == record["digest"]
        (tmp_path / "images.json").write_text(json.dumps({"test-job": record}))
        assert build.is_current(engine_api, renamed, record["inputs"])
        assert not build.is_current(engine_api, renamed, "other inputs")
        assert record["packages"]["python3.11-minimal"].startswith("3.11.")
    finally:
        engine_api.remove_image("sandbox/test-job:current")
    assert not build.is_current(engine_api, renamed, record["inputs"])


def test_a_layer_is_the_same_bytes_whatever_the_times_and_modes(build: ModuleType, tmp_path: Path) -> None:
    for name, mode in (("one", 0o600), ("two", 0o4664)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.py").write_text("1")
        (folder / "a.py").chmod(mode)
        (folder / "link").symlink_to("a.py")
        entries = [("usr/x/link", folder / "link"), ("usr/x/a.py", folder / "a.py")]
        build.write_layer(tmp_path / f"{name}.tar", entries if name == "one" else entries[::-1])
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "two.tar") as layer:
        assert layer.getmember("usr/x/a.py").mode & 0o7777 == 0o644


def test_a_change_of_code_changes_the_inputs(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sandbox/core").mkdir(parents=True)
    (tmp_path / "sandbox/egress").mkdir()
    (tmp_path / "policies").mkdir()
    (tmp_path / "sandbox/core/a.py").write_text("1")
    monkeypatch.setattr(build, "REPO", tmp_path)
    job, check = build.IMAGES
    before = build.own_hash(job), build.own_hash(check)
    (tmp_path / "sandbox/egress/b.py").write_text("1")
    assert (build.own_hash(job) == before[0], build.own_hash(check) == before[1]) == (True, False)
    (tmp_path / "sandbox/egress/gate.py").write_text("1")
    (tmp_path / "sandbox/core/__pycache__").mkdir()
    (tmp_path / "sandbox/core/__pycache__/a.pyc").write_text("1")
    assert build.own_hash(job) == before[0]
    names = [name for name, _ in build.own_files(check)]
    assert [name.partition("dist-packages/")[2] for name in names] == [
        "sandbox/core/a.py",
        "sandbox/egress/b.py",
    ]
