"""A creation sent twice under one idempotency key happens once, on both databases."""

from __future__ import annotations

import pytest

from tests.plugins.space import Scene
from tests.refusal import refused


@pytest.mark.parametrize("id", ["", "job-once"])
def test_the_same_creation_under_one_key_makes_one(id: str, granted_on: Scene) -> None:
    who, control = granted_on.who("developer"), granted_on.control
    spec = granted_on.job_spec()
    first = control.create(who, "job", spec, id=id, once="k-1")
    jobs, entries = len(control.find(who, "job")), granted_on.logged()
    again = control.create(who, "job", spec, id=id, once="k-1")
    assert (again.id, again.version) == (first.id, first.version)
    assert (len(control.find(who, "job")), granted_on.logged()) == (jobs, entries)
    assert control.create(who, "job", spec, once="k-2").id != first.id


def test_another_creation_under_a_used_key_is_refused(granted_on: Scene) -> None:
    who, control = granted_on.who("developer"), granted_on.control
    control.create(who, "job", granted_on.job_spec(), once="k-1")
    with refused("IDEMPOTENCY"):
        control.create(who, "job", granted_on.job_spec(purpose="other"), once="k-1")


def test_a_refused_creation_leaves_its_key_free(granted_on: Scene) -> None:
    who, control = granted_on.who("developer"), granted_on.control
    with refused("PURPOSE_MISMATCH"):
        control.create(who, "job", granted_on.job_spec(purpose="other"), once="k-1")
    assert control.create(who, "job", granted_on.job_spec(), once="k-1").state == "queued"
