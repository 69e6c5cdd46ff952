"""Broken files of every format end with a verdict, and nothing that cannot be read again leaves."""

from benchmarks.egress_fuzz import mutated, run, seeds


def test_a_verdict_every_time():
    rows = list(run(300, seed=20))
    assert sum(int(str(row["files"])) for row in rows) >= 285
    assert {row["format"] for row in rows} == set(seeds())
    assert [row for row in rows if row["dead"] or row["unstable"]] == []
    assert 30 < sum(int(str(row["read"])) for row in rows) < 285  # neither all sound nor all noise


def test_mutations_depend_on_the_seed_alone():
    import random

    for name, sound in seeds()["xlsx"][:3]:
        assert name
        assert mutated(sound, random.Random(3)) == mutated(sound, random.Random(3))
        assert any(mutated(sound, random.Random(i)) != sound for i in range(5))
