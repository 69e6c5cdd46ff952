"""What is told of an answer beside the answer, from the question alone; the estimate is the same."""

from __future__ import annotations

from typing import Any

from sandbox.desensitize.dp.accounting import (
    components,
    cost,
    epsilon,
    expected,
    pure_epsilon,
    query_sha256,
)
from sandbox.desensitize.dp.keys import threshold
from sandbox.desensitize.dp.spec import Query

REPORT_DELTA = 1_000_000_000  # 1e-6, in units of 1e-15: at which epsilon is told where nothing else is said


def report(query: Query, delta_e15: int = REPORT_DELTA) -> dict[str, Any]:
    """What an answer costs and how exact it is, from the question alone; ``delta_e15`` is the whole delta."""
    price = cost(query)
    return {
        "query_sha256": query_sha256(query),
        "mechanism": query.mechanism,
        "nano_rho": price.nano_rho,
        "delta_e15": price.delta_e15,
        "epsilon": epsilon(price.nano_rho, delta_e15 + price.delta_e15, price.delta_e15),
        "epsilon_delta_e15": delta_e15 + price.delta_e15,
        "pure_epsilon": pure_epsilon(query),
        "threshold": threshold(query),
        "expected": expected(query),
        "noise": [
            {
                "measure": one.measure,
                "kind": one.kind,
                "width": one.width,
                "bound": one.bound,
                "grain": one.grain,
                "scale": [one.scale.top, one.scale.bottom],
                "nano_rho": one.nano_rho,
            }
            for one in components(query)
        ],
    }
