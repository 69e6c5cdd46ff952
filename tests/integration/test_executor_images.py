"""What the images hold and do not hold, from inside and from outside; equal inputs give one digest."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import duckdb
import pytest

from images import build, components, recipe
from images.load import engine_layers, has, load
from sandbox.executor import images as lists
from sandbox.executor.contract import End, Input, Limits, Outcome, Task, TaskKind
from sandbox.executor.docker import DockerExecutor
from sandbox.executor.image_content import Finding, Flaw, examine, from_engine, from_folder, mirror_hosts
from tests.plugins.engine import ProbeExecutor
from tests.plugins.images import SmallImages
from tests.refusal import refused

LOOK = """
import importlib, importlib.util
LIBRARIES = "duckdb polars pyarrow pandas numpy scipy sklearn statsmodels PIL pydantic yaml rfc8785"
OTHERS = " cryptography pip setuptools distutils sqlalchemy fastapi docker dbos"
files = []
for folder, _, names in os.walk("/"):
    if not folder.startswith(("/proc", "/sys", "/dev", "/in", "/out", "/tmp")):
        files += [os.path.join(folder, name) for name in names]
report.update(
    setuid=[path for path in files if not os.path.islink(path) and os.stat(path).st_mode & 0o6000],
    programs=sorted(path for path in files if "/bin/" in path or "/sbin/" in path),
    etc=sorted(path for path in files if path.startswith("/etc/")),
    ours=sorted({path.split("/")[7] for path in files if "dist-packages/sandbox/" in path}),
    policies=[path for path in files if "dist-packages/policies/" in path],
    found=sorted(name for name in (LIBRARIES + OTHERS).split() if importlib.util.find_spec(name)),
    extensions=[],
)
for name in "ssl sqlite3 bz2 lzma zlib ctypes uuid multiprocessing.synchronize decimal zoneinfo".split():
    importlib.import_module(name)
    report["extensions"].append(name)
for name in params["uses"]:
    importlib.import_module(name)
import multiprocessing.pool
with multiprocessing.Pool(2) as pool:
    report["pool"] = pool.map(abs, [-1, -2])
"""
ANALYST = """
import duckdb, polars, pandas, numpy, scipy.stats, statsmodels.api, sklearn.linear_model
duckdb.sql("copy (select range as a, range * 2.0 as b from range(10)) to '/tmp/a.parquet'")
frames = [polars.read_parquet("/tmp/a.parquet"), pandas.read_parquet("/tmp/a.parquet")]
report["rows"] = [len(frame) for frame in frames]
x, y = frames[1][["a"]].to_numpy(float), frames[1]["b"].to_numpy(float)
slopes = [
    sklearn.linear_model.LinearRegression().fit(x, y).coef_[0],
    statsmodels.api.OLS(y, x).fit().params[0],
    scipy.stats.linregress(x[:, 0], y).slope,
]
report["slopes"] = [round(float(slope), 6) for slope in slopes]
"""
HELD: dict[
    str, tuple[set[str], set[str], list[str]]
] = {  # image -> libraries, packages of ours, modules to import
    "sql": ({"duckdb"}, {"core", "task", "workspace"}, ["sandbox.task.entry", "sandbox.task.sql_job"]),
    "python": (
        {"duckdb", "polars", "pyarrow", "pandas", "numpy", "scipy", "sklearn", "statsmodels"},
        {"core", "task", "workspace"},
        ["sandbox.task.entry", "sandbox.task.python_job", "sandbox.task.sandbox_job"],
    ),
    "check": (
        {
            "duckdb",
            "polars",
            "pyarrow",
            "pandas",
            "numpy",
            "scipy",
            "sklearn",
            "statsmodels",
            "PIL",
            "pydantic",
            "yaml",
            "rfc8785",
            "cryptography",
        },
        {"core", "task", "workspace", "policy", "desensitize", "egress", "pii"},
        [
            "sandbox.workspace.ingest",
            "sandbox.workspace.view",
            "sandbox.desensitize.task",
            "sandbox.desensitize.ff1",
            "sandbox.egress.task",
        ],
    ),
}


@pytest.fixture
def inside(prober: ProbeExecutor) -> Callable[..., dict[str, Any]]:
    """What a probe reports from inside an image."""

    def run(image: str, code: str, **params: Any) -> dict[str, Any]:
        task = replace(
            prober.task(code, memory_bytes=1 << 30, cpus=2, seconds=300), image=prober.image(image)
        )
        outcome: Outcome = prober.run(replace(task, params={**task.params, **params}))
        assert outcome.end is End.SUCCEEDED
        return outcome.report

    return run


@pytest.mark.parametrize("image", HELD)
def test_an_image_holds_python_the_libraries_and_our_data_plane_only(
    inside: Callable[..., dict[str, Any]], image: str
) -> None:
    libraries, ours, uses = HELD[image]
    seen = inside(image, LOOK, uses=uses)
    assert seen["setuid"] == []
    reader = ["/usr/bin/tesseract"] if image == "check" else []
    assert seen["programs"] == ["/usr/bin/python3", "/usr/bin/python3.11", *reader]
    assert {path.split("/")[2] for path in seen["etc"]} <= {
        "group", "hostname", "hosts", "ld.so.conf.d", "mtab", "nsswitch.conf", "passwd",
        "python3.11", "resolv.conf", "ssl",
    }  # fmt: skip
    assert seen["found"] == sorted(libraries)
    assert set(seen["ours"]) - {"__init__.py", "__pycache__"} == ours
    assert bool(seen["policies"]) == (image == "check")
    assert len(seen["extensions"]) == 10
    assert seen["pool"] == [1, 2]


def test_the_analysts_libraries_compute(inside: Callable[..., dict[str, Any]]) -> None:
    seen = inside("python", ANALYST)
    assert seen["rows"] == [10, 10]
    assert seen["slopes"] == [2, 2, 2]


# -- from outside


@pytest.fixture(scope="module")
def record() -> dict[str, lists.Built]:
    """The images of this machine."""
    return lists.read_record(lists.home())


@pytest.mark.parametrize("image", HELD)
def test_the_engines_image_is_what_was_signed(
    record: dict[str, lists.Built], prober: ProbeExecutor, image: str
) -> None:
    signed = lists.ImageList().signed()[image]
    with from_engine(record[image], prober.engine) as opened:
        assert examine(record[image], opened, signed, mirror_hosts()) == []


def test_the_layers_of_the_build_are_the_engines(record: dict[str, lists.Built]) -> None:
    with from_folder(record["sql"]) as opened:
        assert examine(record["sql"], opened, lists.ImageList().signed()["sql"], set()) == []


def test_a_name_that_stands_in_the_image_is_found(record: dict[str, lists.Built]) -> None:
    with from_folder(record["sql"]) as opened:
        found = examine(record["sql"], opened, lists.ImageList().signed()["sql"], {"class JSONDecoder"})
    assert Finding(Flaw.HOST, "/usr/lib/python3.11/json/decoder.py") in found


@pytest.mark.parametrize("image", HELD)
def test_each_package_is_listed_with_version_licence_and_hash(
    record: dict[str, lists.Built], image: str
) -> None:
    contents = json.loads(record[image].contents.read_bytes())
    packages = [part for part in contents["components"] if part["type"] == "library"]
    names = {components.normal(part["name"]) for part in packages if part["purl"].startswith("pkg:pypi/")}
    made = next(one for one in recipe.IMAGES if one.name == image)
    assert names == {name for layer in made.layers for name in recipe.WHEELS.get(layer, ())}
    debs = {name for layer in made.layers for name in recipe.DEB_LAYERS.get(layer, ())}
    assert {part["name"] for part in packages if part["purl"].startswith("pkg:deb/debian/")} == debs
    for part in packages:
        assert part["version"]
        assert part["licenses"]
        assert len(part["hashes"][0]["content"]) == 64
    stated = [
        one for part in packages for one in part["licenses"] if one != {"license": {"name": "not stated"}}
    ]
    assert len(stated) >= len(packages)
    assert len(record[image].packages) == len(packages)


def test_the_engine_must_have_it(
    record: dict[str, lists.Built], prober: ProbeExecutor, tmp_path: Path
) -> None:
    absent = replace(record["sql"], digest=f"sha256:{'0' * 64}")
    with from_engine(absent, prober.engine) as opened:
        assert examine(absent, opened, absent.statement(), set()) == [Finding(Flaw.ABSENT, "sql")]
    with refused("ENGINE_UNREACHABLE"), from_engine(absent, f"unix://{tmp_path}/none.sock"):
        pass


# -- the executor goes by the signed list


def test_an_image_that_the_engine_has_but_nobody_signed_is_not_run(
    prober: ProbeExecutor, small_images: SmallImages
) -> None:
    small_images.add("other", {"a": b"1"})
    strict = ProbeExecutor(prober.root, images=small_images.sign())
    task = prober.task("pass")  # the machine's own image, on the machine's own list
    with refused("IMAGE_UNTRUSTED"):
        strict.run(task)
    assert strict.known() == []
    with refused("IMAGE_UNKNOWN"):
        strict.image("python")
    with refused("IMAGE_UNKNOWN"):  # signed, but the engine has no such image
        strict.image("other")
    (small_images.folder / lists.SIGNED).unlink()
    for call in (lambda: strict.image("other"), lambda: strict.run(task)):
        with refused("IMAGE_LIST"):
            call()
    assert prober.run(task).end is End.SUCCEEDED


def test_a_tag_decides_nothing(prober: ProbeExecutor, engine_api: docker.APIClient) -> None:
    sql, python = prober.image("sql"), prober.image("python")
    tag = f"sandbox-test/{uuid.uuid4().hex[:12]}"
    engine_api.tag(python, tag, "current")
    try:
        with refused("IMAGE_UNKNOWN"):
            prober.image(tag)
        assert prober.image("sql") == sql != python
    finally:
        engine_api.remove_image(f"{tag}:current")


# -- the build


def test_images_share_their_lower_layers(record: dict[str, lists.Built]) -> None:
    chains = {name: [layer.diff_id for layer in built.layers] for name, built in record.items()}
    assert chains["sql"][:2] == chains["python"][:2] == chains["check"][:2]
    assert chains["python"][:3] == chains["check"][:3]
    assert record["sql"].bytes * 2 < record["check"].bytes


def test_equal_inputs_give_one_digest_wherever_it_is_built(tmp_path: Path) -> None:
    image = next(image for image in recipe.IMAGES if image.name == "sql")
    folders = [tmp_path / "a", tmp_path / "another place"]
    for folder in folders:
        debs = folder / "image-layers/debs"
        source = (
            lists.home() / "image-layers/debs" if folder is folders[0] else folders[0] / "image-layers/debs"
        )
        shutil.copytree(source, debs)  # what is there is not fetched anew
        build.build(folder, None, "none", (image,), force=False)
    one, two = (lists.read_record(folder)["sql"] for folder in folders)
    assert [layer.diff_id for layer in one.layers] == [layer.diff_id for layer in two.layers]
    assert one.digest == two.digest
    assert one.contents_sha256 == two.contents_sha256
    for layer, other in zip(one.layers, two.layers, strict=True):
        assert layer.file.read_bytes() == other.file.read_bytes()
    signed = lists.ImageList(folders[0])
    assert signed.digest("sql") == one.digest
    with from_folder(one) as opened:
        assert examine(one, opened, signed.signed()["sql"], mirror_hosts()) == []
    before = (folders[0] / lists.RECORD).stat().st_mtime_ns, one.layers[0].file.stat().st_mtime_ns
    build.build(folders[0], None, "none", (image,), force=False)  # nothing has changed
    assert ((folders[0] / lists.RECORD).stat().st_mtime_ns, one.layers[0].file.stat().st_mtime_ns) == before


def test_the_engine_takes_the_layers_that_it_lacks_and_keeps_the_digest(
    record: dict[str, lists.Built], engine_api: docker.APIClient, tmp_path: Path
) -> None:
    whole = record["sql"]
    config = json.loads(whole.configuration)
    config["history"][0]["created_by"] = "a test"
    written = json.dumps(config).encode()
    digest = f"sha256:{hashlib.sha256(written).hexdigest()}"
    other = replace(whole, digest=digest, configuration=written)
    tag = f"sandbox-test/{tmp_path.name.replace('_', '-')[:40].strip('-')}:current"
    assert tuple(layer.diff_id for layer in whole.layers) in engine_layers(engine_api)
    try:
        assert not has(engine_api, digest, tag)
        load(engine_api, other, tag, tmp_path)
        assert has(engine_api, digest, tag)
        with pytest.raises(SystemExit, match="another digest"):
            load(engine_api, replace(other, digest=f"sha256:{'0' * 64}"), tag, tmp_path)
    finally:
        engine_api.remove_image(tag)
    assert not has(engine_api, digest, tag)


# -- the rooms, each in its image

JOBS = {
    "sql": ("main.sql", "CREATE TABLE totals AS SELECT sum(n) AS n FROM numbers;"),
    "python": (
        "main.py",
        "import polars, sandbox_job\n"
        "frame = sandbox_job.inputs('numbers').pl()\n"
        "frame.select(polars.col('n').sum()).write_csv(sandbox_job.output('totals.csv'))\n",
    ),
}


@pytest.mark.parametrize("language", JOBS)
def test_a_job_runs_in_the_image_of_its_language(
    executor: DockerExecutor, tmp_path: Path, language: str
) -> None:
    entry, text = JOBS[language]
    data, code = tmp_path / "data", tmp_path / "code"
    for folder in (data, code):
        folder.mkdir(mode=0o755)
    duckdb.sql("COPY (SELECT range AS n FROM range(5)) TO ?", params=[str(data / "numbers.parquet")])
    (code / entry).write_text(text)
    params = {
        "language": language,
        "entry": entry,
        "inputs": ["numbers"],
        "outputs": [{"path": "totals.csv"}],
    }
    outcome = executor.run(
        Task(
            f"room-{language}",
            TaskKind.JOB,
            executor.image(language),
            params,
            (Input("data", data), Input("code", code)),
            Limits(seconds=120, memory_bytes=1 << 30),
        )
    )
    assert outcome.report.get("ok"), outcome.report
    assert (outcome.files / "totals.csv").read_text().split() == ["n", "10"]
