"""The API against its own description: what schemathesis makes of the OpenAPI, in this process.

For every operation: requests that the description allows and requests that it does not, from a fixed seed. No
answer is a defect, none tells of our code, and every answer is of the form that the description gives it.
"""

from __future__ import annotations

import re
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from sandbox.api.app import create_app
from tests.plugins.space import Scene

EXAMPLES = 2  # of each operation and kind of request
TRACE = re.compile(r"Traceback|sqlalchemy|site-packages|\.py\b|sqlite3|psycopg", re.IGNORECASE)
CONFORMS = [content_type_conformance, response_schema_conformance]


def test_the_description_holds_and_nothing_breaks(granted: Scene) -> None:
    app = create_app(granted.space)
    described = schemathesis.openapi.from_asgi("/openapi.json", app)
    token = granted.token("operator")
    asked: dict[str, int] = {}
    operations = []
    for result in described.get_all_operations():
        assert isinstance(result, Ok), result
        operations.append(result.ok())
    for operation in operations:
        # where path and headers take any text, nothing can be asked wrongly
        wrongly = [GenerationMode.NEGATIVE] if list(operation.body) or list(operation.query) else []
        for mode in (GenerationMode.POSITIVE, *wrongly):
            tried(operation, mode, {"authorization": f"Bearer {token}"}, asked)
    assert set(asked) == {one.label for one in operations}
    assert len(asked) > 30


def tried(operation: Any, mode: GenerationMode, headers: dict[str, str], asked: dict[str, int]) -> None:
    """One operation, ``EXAMPLES`` times."""

    @seed(20261122)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def once(case: Any) -> None:
        answer = case.call(headers=headers)
        asked[operation.label] = asked.get(operation.label, 0) + 1
        case.validate_response(answer, checks=CONFORMS)
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert set(answer.json()) == {"code", "message_zh", "message_en", "details"}
            assert not TRACE.search(answer.text), answer.text[:300]

    once()
