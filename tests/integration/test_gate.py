"""The one exit: what it withholds, to whom it hands out, what it never leaves behind."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

import sandbox
from sandbox.api.app import create_app
from sandbox.store.blobs import Blobs
from tests.plugins.space import OUTPUT, Scene
from tests.refusal import refused

SOURCE = Path(sandbox.__file__).parent


@pytest.fixture
def scene(granted: Scene) -> Scene:
    """A space with a job's outputs in quarantine (SQLite)."""
    granted.job()
    return granted


@pytest.fixture
def scene_on(granted_on: Scene) -> Scene:
    """The same once per kind of database."""
    granted_on.job()
    return granted_on


def package_folder(scene: Scene) -> Blobs:
    return Blobs(scene.space.settings.home / "released")


def reviewed_file(scene: Scene, request: str = "eg-a") -> Path:
    """The canonical file as it lies in the review room."""
    told = scene.get("egress-request", request)
    review = scene.space.places.blobs(told.labels["agreement"], told.labels["scenario"], "review")
    return review.path(told.status["check"]["canonical"][0]["sha256"])


def read(chunks: Iterator[bytes]) -> bytes:
    return b"".join(chunks)


def test_what_was_reviewed_leaves_and_nothing_else(scene_on: Scene) -> None:
    scene_on.request()
    developer, gate = scene_on.who("developer"), scene_on.space.gate
    content = read(gate.open(developer, "eg-a", gate.token(developer, "eg-a")))
    with zipfile.ZipFile(BytesIO(content)) as bundle:
        assert bundle.read("data/out.csv").decode() == OUTPUT
        record = json.loads(bundle.read("package.json"))
    assert record["files"] == [
        {"path": "out.csv", "sha256": hashlib.sha256(OUTPUT.encode()).hexdigest(), "bytes": len(OUTPUT)}
    ]
    release = scene_on.get("egress-request", "eg-a").status["release"]
    assert hashlib.sha256(content).hexdigest() == release["package_sha256"]
    assert release["bytes"] == len(content)


@pytest.mark.parametrize("damage", ["changed", "removed", "replaced by a link"])
def test_what_is_not_what_was_reviewed_is_withheld(scene: Scene, damage: str, tmp_path: Path) -> None:
    scene.request(until="releasing")
    file = reviewed_file(scene)
    if damage == "changed":
        file.write_bytes(OUTPUT.encode().replace(b"120", b"121"))
    else:
        file.unlink()
    if damage == "replaced by a link":
        other = tmp_path / "other"
        other.write_text("resident_id\n52010219900101001X\n")
        file.symlink_to(other)
    scene.space.gate.release("eg-a")
    request = scene.get("egress-request", "eg-a")
    assert request.state == "recalled"
    assert request.status["withhold"]["cause"] in ("ARTEFACT_CHANGED", "BLOB_MISSING")
    assert scene.product_of("eg-a").state == "recalled"
    assert package_folder(scene).names() == []
    developer = scene.who("developer")
    with refused("NOT_RELEASED"):
        scene.space.gate.token(developer, "eg-a")
    with refused("NOT_RELEASED"):
        scene.space.gate.open(developer, "eg-a", "rel_" + "0" * 64)


def test_a_row_that_names_no_cells_is_withheld(scene: Scene) -> None:
    """As whoever has the database could make it, or a version from before the ledger."""
    scene.request(until="releasing")
    with closing(sqlite3.connect(scene.space.settings.home / "facts.db")) as database, database:
        told = "UPDATE resource SET status = json_remove(status, '$.check.ledger') WHERE id = 'eg-a'"
        assert database.execute(told).rowcount == 1
    scene.space.gate.release("eg-a")
    request = scene.get("egress-request", "eg-a")
    assert (request.state, request.status["withhold"]["cause"]) == ("recalled", "LEDGER_MISSING")
    assert package_folder(scene).names() == []


@pytest.mark.parametrize(
    "state", ["requested", "human_review", "approved", "releasing", "rejected", "auto_rejected"]
)
def test_nothing_can_be_opened_before_the_release(scene: Scene, state: str) -> None:
    scene.request(until=state)
    developer = scene.who("developer")
    with refused("NOT_RELEASED"):
        scene.space.gate.token(developer, "eg-a")
    with refused("NOT_RELEASED"):
        scene.space.gate.open(developer, "eg-a", "rel_" + "0" * 64)
    assert package_folder(scene).names() == []


@pytest.mark.requirement("R-155")
def test_the_token_is_the_recipients_alone_and_ends(scene: Scene) -> None:
    scene.request()
    gate, developer = scene.space.gate, scene.who("developer")
    token = gate.token(developer, "eg-a")
    before = scene.logged()
    with refused("NOT_RECIPIENT") as _:
        gate.open(scene.who("rival"), "eg-a", token)
    with refused("TOKEN_INVALID"):
        gate.open(developer, "eg-a", token[:-1] + ("0" if token[-1] != "0" else "1"))
    assert [entry.reason for entry in scene.log(before)] == ["NOT_RECIPIENT", "TOKEN_INVALID"]
    read(gate.open(developer, "eg-a", token))
    taken = [entry for entry in scene.log(before) if entry.action == "download" and entry.outcome == "done"]
    assert [(entry.actor, entry.organisation, entry.object) for entry in taken] == [
        ("developer", "dev", "egress-request/eg-a")
    ]
    request = scene.get("egress-request", "eg-a")
    recorded = request.status["downloads"]
    assert [one["package_sha256"] for one in recorded] == [request.status["release"]["package_sha256"]]
    assert [one["organisation"] for one in recorded] == ["dev"]
    assert token not in json.dumps(request.status) + str(scene.log())
    scene.clock.move(days=int(scene.control.policy.get("release.token_days")), seconds=1)
    with refused("TOKEN_EXPIRED"):
        gate.open(developer, "eg-a", token)


def test_other_refusals_are_the_same_for_what_there_is_and_what_there_is_not(scene: Scene) -> None:
    scene.request()
    for name in ("eg-a", "eg-none"):
        with refused("NOT_RECIPIENT"):
            scene.space.gate.open(scene.who("rival"), name, "rel_" + "0" * 64)
        with refused("NOT_FOUND"):
            scene.space.gate.token(scene.who("rival"), name)


def test_the_tokens_of_two_releases_do_not_open_each_other(scene: Scene) -> None:
    scene.request()
    scene.job("job-b")
    scene.request("eg-b", job="job-b")
    gate, developer = scene.space.gate, scene.who("developer")
    with refused("TOKEN_INVALID"):
        gate.open(developer, "eg-b", gate.token(developer, "eg-a"))


def test_a_recalled_package_is_not_handed_out(scene: Scene) -> None:
    scene.request()
    gate, developer = scene.space.gate, scene.who("developer")
    token = gate.token(developer, "eg-a")
    scene.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "found wrong"})
    with refused("NOT_RELEASED"):
        gate.open(developer, "eg-a", token)
    with refused("NOT_RELEASED"):
        gate.token(developer, "eg-a")


def test_a_damaged_package_is_not_handed_out(scene: Scene) -> None:
    scene.request()
    gate, developer = scene.space.gate, scene.who("developer")
    token = gate.token(developer, "eg-a")
    package = package_folder(scene).path(
        scene.get("egress-request", "eg-a").status["release"]["package_sha256"]
    )
    package.write_bytes(package.read_bytes() + b"x")
    with refused("BLOB_DAMAGED"):
        gate.open(developer, "eg-a", token)


def test_a_suspended_agreement_stops_release_and_download(scene: Scene) -> None:
    scene.request(until="releasing")
    scene.act("body", "agreement", "ag-a", "suspend", {"reason": "danger"})
    before = scene.logged()
    for _ in range(2):
        with pytest.raises(sandbox.core.errors.SandboxError):
            scene.space.gate.release("eg-a")
    assert scene.state("egress-request", "eg-a") == "releasing"
    assert package_folder(scene).names() == []  # tried again every few seconds: nothing may pile up
    assert scene.log(before) == []
    scene.act("body", "agreement", "ag-a", "resume", {"reason": "mended"})
    scene.space.gate.release("eg-a")
    developer, gate = scene.who("developer"), scene.space.gate
    token = gate.token(developer, "eg-a")
    scene.act("body", "agreement", "ag-a", "suspend", {"reason": "danger"})
    with pytest.raises(sandbox.core.errors.SandboxError):
        gate.open(developer, "eg-a", token)


def test_released_once_whoever_asks_how_often(scene_on: Scene) -> None:
    scene_on.request(until="releasing")
    start, failures = threading.Barrier(4), []

    def release() -> None:
        start.wait()
        try:
            scene_on.space.gate.release("eg-a")
        except sandbox.core.errors.SandboxError as error:
            failures.append(error.code)

    threads = [threading.Thread(target=release) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scene_on.space.gate.release("eg-a")
    scene_on.space.gate.release("eg-none")
    assert set(failures) <= {"STATE", "STALE"}
    assert [entry.action for entry in scene_on.log() if entry.action == "release"] == ["release"]
    scene_on.space.gate.sweep()
    named = scene_on.get("egress-request", "eg-a").status["release"]["package_sha256"]
    assert package_folder(scene_on).names() == [named]
    package_folder(scene_on).verified(named)


def test_the_sweep_takes_what_no_release_names(scene_on: Scene) -> None:
    scene_on.request()
    named = scene_on.get("egress-request", "eg-a").status["release"]["package_sha256"]
    orphan, _ = package_folder(scene_on).take(iter([b"left by a crash"]))
    assert scene_on.space.gate.sweep() == [orphan]
    assert scene_on.space.gate.sweep() == []
    scene_on.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "found wrong"})
    assert scene_on.space.gate.sweep() == []
    assert package_folder(scene_on).names() == [named]  # kept as evidence, readable by no one


def test_the_sweep_leaves_a_package_alone_that_is_being_released(scene: Scene) -> None:
    scene.request(until="releasing")
    fresh, _ = package_folder(scene).take(iter([b"just written"]))
    assert scene.space.gate.sweep() == []
    assert package_folder(scene).names() == [fresh]


# --- there is no other exit


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield str(path.relative_to(SOURCE)), ast.parse(path.read_text(encoding="utf-8"))


def test_no_other_module_knows_where_the_packages_lie() -> None:
    joined, reached = set(), set()
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                part = node.right
                if isinstance(part, ast.Constant) and "released" in str(part.value):
                    joined.add(name)
            if isinstance(node, ast.Attribute) and node.attr == "_released":
                reached.add(name)
    # space.py tells the gate; the demonstration keeps what it was handed in a folder of its own
    assert joined == {"control/space.py", "demo/story.py"}
    assert reached == {"egress/gate.py"}


def test_the_space_gives_the_folder_to_nobody_but_the_gate() -> None:
    tree = ast.parse((SOURCE / "control/space.py").read_text(encoding="utf-8"))
    calls = [
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if any(
            isinstance(argument, ast.BinOp)
            and isinstance(argument.right, ast.Constant)
            and argument.right.value == "released"
            for argument in node.args
        )
    ]
    assert calls == ["Gate"]


def test_the_routes_that_answer_with_bytes_are_the_gates_and_the_logs(scene: Scene) -> None:
    app = create_app(scene.space)
    binary = {
        route.path: route.endpoint
        for route in app.routes
        if isinstance(route, APIRoute)
        if "Response" in str(inspect.signature(route.endpoint).return_annotation)
    }
    assert set(binary) == {
        "/",  # leads on to the console
        "/public/checkpoint",
        "/v1/audit/bundle",
        "/v1/egress-request/{id}/package",
        "/v1/egress-request/{id}/report",
        "/v1/egress-request/{id}/review/{path}",
        "/v1/job/{id}/log",
        "/v1/job/{id}/outputs/{path}",
        "/v1/reidentification/{id}/answer",
    }
    for path, verb in (("package", "open"), ("review/{path}", "review")):
        endpoint = binary[f"/v1/egress-request/{{id}}/{path}"]
        assert "gate" in endpoint.__code__.co_freevars
        assert verb in endpoint.__code__.co_names
    page = binary["/v1/egress-request/{id}/report"].__code__  # of the answer to ``get``, no file is opened
    assert page.co_freevars == ("control", "space")
    assert "get" in page.co_names
    assert not {"gate", "places"} & set(page.co_names)
    tree = ast.parse((SOURCE / "api/app.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    outputs = functions[binary["/v1/job/{id}/outputs/{path}"].__name__]
    assert not [node for node in ast.walk(outputs) if isinstance(node, ast.Return)]  # it only ever refuses
    assert "open_log" in binary["/v1/job/{id}/log"].__code__.co_names  # to a reviewer inside the domain
    answer = binary["/v1/reidentification/{id}/answer"].__code__  # to the provider that the values came from
    assert "open_answer" in answer.co_names
    mounted = [route.path for route in app.routes if not isinstance(route, APIRoute)]
    assert mounted == ["/openapi.json", "/console"]
    for page in (SOURCE / "console").rglob(
        "*.py"
    ):  # its pages hand out what the gate gives, and open nothing
        assert ".places" not in page.read_text(encoding="utf-8"), page.name
