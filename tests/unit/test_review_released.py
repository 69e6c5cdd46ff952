"""Which release a request is held against, and what the pictures of a report show."""

from __future__ import annotations

import re
from typing import Any

from sandbox.core.resource import Resource
from sandbox.egress.report.pictures import drawn
from sandbox.review.released import last_release


class Shelf:
    """Requests and jobs by id."""

    def __init__(self, *kept: Resource) -> None:
        self.kept = kept

    def get(self, kind: str, id: str) -> Resource | None:
        return next((one for one in self.kept if (one.kind, one.id) == (kind, id)), None)

    def find(self, kind: str, *, state: Any = None, labels: Any = None) -> list[Resource]:
        return [
            one
            for one in self.kept
            if one.kind == kind and one.state == state and (labels or {}).items() <= one.labels.items()
        ]


def request(id: str, scenario: str, at: str, path: str = "a.csv", agreement: str = "ag") -> Resource:
    check = {"canonical": [{"path": path, "sha256": "0" * 64}]}
    labels = {"scenario": scenario, "agreement": agreement}
    status = {"check": check, "release": {"at": at}}
    return Resource(
        "egress-request", id, "dev", "released", {"job": f"job-{id}"}, status=status, labels=labels
    )


def job(request: str, *products: str) -> Resource:
    return Resource("job", f"job-{request}", "dev", "", {}, status={"lineage": {"products": list(products)}})


def test_the_newest_of_the_scenario_comes_before_any_of_the_product() -> None:
    mine, old, new = request("eg-x", "s", "9"), request("eg-1", "s", "1"), request("eg-2", "s", "2")
    other = request("eg-3", "t", "3")
    jobs = [job("eg-x", "pr"), job("eg-3", "pr")]
    shelf = Shelf(mine, old, new, other, *jobs)
    assert last_release(shelf, mine, "a.csv") == new
    assert last_release(Shelf(mine, other, *jobs), mine, "a.csv") == other
    assert last_release(shelf, mine, "b.csv") is None


def test_neither_other_products_nor_other_agreements_count() -> None:
    mine = request("eg-x", "s", "9")
    apart = [request("eg-1", "t", "1"), request("eg-2", "t", "2", agreement="ag-two")]
    jobs = [job("eg-x", "pr"), job("eg-1", "pr-two"), job("eg-2", "pr")]
    assert last_release(Shelf(mine, *apart, *jobs), mine, "a.csv") is None
    assert last_release(Shelf(mine, *apart), mine, "a.csv") is None


REPORT: dict[str, Any] = {
    "findings": [],
    "capacity": {"bits": 40, "spent": 100, "budget": 1000, "files": []},
    "ledger": {"seen": ["eg-1", "eg-2"]},
    "pictures": [
        {
            **{"path": "a.csv", "part": "", "threshold": 10, "cells": 6, "states": "..sd0?"},
            "sizes": [
                {"label": "1–4", "cells": 2, "below": True},
                {"label": "5–9", "cells": 1, "below": True},
                {"label": "10–19", "cells": 3, "below": False},
            ],
        }
    ],
    "attacks": [
        {
            **{
                "path": "m.onnx",
                "raw": "residents",
                "auc": 0.71,
                "threshold": 0.6,
                "tpr": 0.125,
                "rows": 3000,
            },
            "curve": [[0.001, 0.0], [0.01, 0.125], [1.0, 1.0]],
        }
    ],
}


def test_the_numbers_of_a_check_stand_in_its_pictures() -> None:
    page = drawn(REPORT, "zh", None)
    for told in (
        "40 位",
        "100 位",
        "1,000 位",
        "已出域成果: 2",
        "2 单元格",
        "3 单元格",
        "门限 10",
        "低于门限 1",
    ):
        assert told in page, told
    line = re.search(r'<line x1="0.0" y1="([\d.]+)"', page)
    rows = [float(y) for y in re.findall(r'<rect x="86" y="(\d+)"', page)]
    assert line is not None
    assert sorted(y < float(line[1]) for y in rows) == [False, True, True]  # two bands are too small


def test_a_curve_is_drawn_by_decades_and_what_is_too_small_at_its_foot() -> None:
    page = drawn(REPORT, "en", None)
    assert "AUC 0.71" in page
    assert "12.5%" in page
    told = re.search(r'<polyline points="([^"]*)"', page)
    assert told is not None
    points = [tuple(map(float, one.split(","))) for one in told[1].split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert (points[0], points[-1]) == ((58.0, 178.0), (398.0, 18.0))
    assert "polyline" not in drawn({**REPORT, "attacks": []}, "en", None)
