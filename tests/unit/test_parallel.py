"""What stays together when the tests run in several processes."""

from __future__ import annotations

from pathlib import Path

from tests.plugins.parallel import ORDER, SCENES, WHOLE, together

TESTS = Path(__file__).parents[1]


def test_every_folder_of_tests_has_its_place() -> None:
    assert {path.parent.name for path in TESTS.rglob("test_*.py")} == set(ORDER)
    assert set(ORDER) > WHOLE


def test_a_file_with_a_scene_is_not_torn() -> None:
    one = together("tests/functional/test_path.py::test_a")
    assert one == together("tests/functional/test_path.py::test_b[x::y]") == "tests/functional/test_path.py"
    assert together("tests/integration/test_store.py::test_a[sqlite]") == "tests/integration/test_store.py"


def test_the_scenes_of_one_file_may_run_side_by_side() -> None:
    assert {path.name for path in TESTS.rglob("test_*.py")} >= set(SCENES)
    name = "tests/integration/test_crash.py::test_{}[{}]"
    assert together(name.format("a", "sqlite")) == together(name.format("b", "sqlite"))
    assert together(name.format("a", "sqlite")) != together(name.format("a", "postgresql"))


def test_all_others_are_dealt_out_one_by_one() -> None:
    for folder in set(ORDER) - WHOLE:
        assert together(f"tests/{folder}/test_x.py::test_a[1]") != together(
            f"tests/{folder}/test_x.py::test_a[2]"
        )
