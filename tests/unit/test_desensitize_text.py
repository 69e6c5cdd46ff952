"""Free text: no gold entity survives, in Chinese, in English and mixed, however the number is written."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.desensitize.free_text import GONE, redacted
from sandbox.desensitize.scan import scan_column
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import Setting

ID = "520102199001011239"
# text -> what of it must not be found afterwards
GOLD: list[tuple[str, list[str]]] = [
    (f"患者张建国，身份证{ID}，电话13812345678。", ["张建国", ID, "13812345678"]),
    ("联系人：李秀英 手机 138 1234 5678", ["李秀英", "138 1234 5678"]),
    ("家住贵阳市云岩区中华北路123号5栋2单元301室，王小明母亲代诉", ["中华北路123号", "301室", "王小明"]),
    ("欧阳志远先生来电，称其邮箱为 ouyang.zy@example.com", ["欧阳志远", "ouyang.zy@example.com"]),
    ("车牌贵A12345停于楼下，车主刘洋女士", ["贵A12345", "刘洋"]),
    ("卡号6222 0200 1234 5678 919请核对", ["6222 0200 1234 5678 919"]),
    ("护照号E12345678，持有人赵敏同志", ["E12345678", "赵敏"]),
    ("全角号码１３８１２３４５６７８也是号码", ["１３８１２３４５６７８"]),
    ("零宽138\u200b12345678字符", ["12345678"]),
    ("微信号：zhang_san1990，QQ号：123456789", ["zhang_san1990", "123456789"]),
    ("与阿卜杜拉·买买提核实情况", ["阿卜杜拉·买买提"]),
    ("Patient John Smith (DOB: 1990-01-01), call 13987654321", ["John Smith", "1990-01-01", "13987654321"]),
    (
        "Mr Robert Brown 与陈志强 signed, mail r.brown@example.org",
        ["Robert Brown", "陈志强", "r.brown@example.org"],
    ),
    ("Dr. Emily Johnson saw 患者周婷婷 at 14:30", ["Emily Johnson", "周婷婷"]),
    ("医保号：GZ20200012345，住院号 00123456", ["GZ20200012345", "00123456"]),
    ("报送单位统一社会信用代码91520000MA6DXYW1XX", []),
    ("服务器 8.8.8.8 登录，MAC 00:1A:2B:3C:4D:5E", ["00:1A:2B:3C:4D:5E"]),
    ("坐标 26.647112, 106.630153 为其住址", ["26.647112", "106.630153"]),
    ("出生日期：1990年1月1日", ["1990年1月1日"]),
    ("由黄丽华与吴建军共同签收", ["黄丽华", "吴建军"]),
]


def strike(texts: list[str | None], **params: Any) -> list[Any]:
    row = TRANSFORMS["redact"]
    column = pl.Series("x", texts, dtype=pl.String)
    beside = {name: pl.Series(name, ["王", "罗生门", "Van Dyke", None]) for name in params.get("names", ())}
    return row.apply([column], row.params.model_validate(params), Setting({}, beside))[0].to_list()


@pytest.mark.requirement("R-135")
@pytest.mark.parametrize("analyser", [False, True])
def test_no_gold_entity_survives(analyser: bool) -> None:
    made = strike([text for text, _ in GOLD], analyser=analyser)
    left = [
        (text, word) for text, (_, words) in zip(made, GOLD, strict=True) for word in words if word in text
    ]
    assert left == []
    assert scan_column(pl.Series(made)) == {}
    assert sum(text == GONE for text in made) == 0  # each was struck out where it stood


def test_what_names_nobody_stays() -> None:
    plain = ["本季度共受理咨询三千余件，办结率为百分之九十八。", "The office opens at 9:00.", "", None]
    assert strike(plain) == plain


def test_values_of_the_same_table_are_struck_out_of_its_texts() -> None:
    texts = ["今见罗生门于市", "VAN DYKE called", "王先生"]
    assert strike(texts, names=["who"], prose_names=False) == ["今见[姓名]于市", "[姓名] called", "王先生"]
    assert strike(["罗生门"], prose_names=False) == ["罗生门"]


def test_labels_say_what_stood_there() -> None:
    assert strike(["电话13812345678，再拨13812345678"], prose_names=False) == ["电话[手机号]，再拨[手机号]"]


def test_what_cannot_be_located_takes_the_text_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.desensitize.free_text._places", lambda text, folded, found: [])
    assert strike(["电话13812345678", "无"]) == [GONE, "无"]


def test_what_is_found_again_and_again_takes_the_text_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.desensitize.free_text._cut", lambda text, spans: text)
    assert strike(["电话13812345678", "无"]) == [GONE, "无"]


PIECES = st.sampled_from(
    ["13812345678", ID, "张建国", "a.b@example.com", "，", "电话", "abc ", "１３８１２３４５６７８", "。"]
)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=6).map("".join), min_size=1, max_size=4))
def test_nothing_that_the_scan_knows_is_left(texts: list[str]) -> None:
    made = redacted(pl.Series("x", texts, dtype=pl.String), [])
    assert scan_column(made) == {}
    assert made.len() == len(texts)
