"""Identifiers of tier C: numbers without a form of their own, known by the word before them or the header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import polars as pl


@dataclass(frozen=True)
class Labelled:
    """One sort: ``label`` are the words that announce it, ``value`` is what it may look like."""

    zh: str
    en: str
    label: str
    value: str

    @cached_property
    def header(self) -> re.Pattern[str]:
        """A header that announces it: the words, at most a few before and the usual ending after them."""
        return re.compile(rf"(?:.{{0,6}})(?:{self.label}){_ENDING}", re.IGNORECASE)

    @cached_property
    def text(self) -> str:
        """The words and the number, standing in text; group 1 is the number (Rust syntax)."""
        return rf"(?i)(?:{self.label}){_ENDING}[为是:= ]{{1,3}}({self.value})(?-u:\b)"


_ENDING = r"(?:号码|编号|证号|卡号|账号|帐号|号|码| ?id|[ _]?no\.?|[ _]?number)"
LABELLED: dict[str, Labelled] = {
    "qq": Labelled("QQ 号", "QQ number", "qq", "[1-9][0-9]{4,10}"),
    "wechat": Labelled("微信号", "WeChat id", "微信|wechat|weixin|wxid", "[A-Za-z][-_0-9A-Za-z]{5,27}"),
    "openid": Labelled("微信 openid", "WeChat openid", "openid|unionid", "o[-_0-9A-Za-z]{27}"),
    "social": Labelled(
        "社保卡号",
        "social security card number",
        "社保卡?|社会保障卡?|社会保障|社保个人",
        "[0-9A-Za-z]{8,18}",
    ),
    "medical": Labelled("医保号", "medical insurance number", "医保卡?|医疗保险|医疗证", "[0-9A-Za-z]{8,20}"),
    "patient": Labelled(
        "病历号",
        "patient number",
        "病历|住院|门诊|病案|就诊卡|诊疗卡|patient[ _]?(?:id|no)|mrn",
        "[0-9A-Za-z]{5,20}",
    ),
    "permit_taiwan": Labelled(
        "台胞证号",
        "mainland travel permit of Taiwan",
        "台胞证|台湾居民来往大陆通行证",
        "[0-9]{8}(?:[0-9]{2})?",
    ),
    "household": Labelled("户号", "household number", "户口簿?|户号|户籍", "[0-9]{6,12}"),
    "birth_certificate": Labelled(
        "出生医学证明编号",
        "birth certificate number",
        "出生医学证明|出生证",
        "[A-Za-z][0-9]{9}",
    ),
    "driver": Labelled("驾驶证档案号", "driver's file number", "档案编?|驾驶证|驾照", "[0-9]{12}"),
    "vehicle_certificate": Labelled(
        "机动车登记证书号",
        "vehicle certificate number",
        "登记证书|行驶证",
        "[0-9]{12}",
    ),
    "engine": Labelled("发动机号", "engine number", "发动机|engine[ _]?no", "[0-9A-Z]{6,14}"),
    "account": Labelled("账号", "account number", "银行账|银行帐|对公账户|账户|收款账|开户账", "[0-9]{9,25}"),
    "student": Labelled(
        "学号、考号",
        "student or candidate number",
        "学籍|学|考生|准考证",
        "[GL0-9][0-9Xx]{7,20}",
    ),
    "staff": Labelled("工号、警号", "staff number", "工|警|员工", "[0-9A-Za-z]{5,12}"),
    "device": Labelled(
        "设备标识",
        "device identifier",
        "oaid|idfa|meid|androidid|android_id|设备",
        "[-0-9A-Fa-f]{14,40}",
    ),
    "user": Labelled(
        "平台账号",
        "platform account",
        "微博|抖音|快手|小红书|淘宝|支付宝",
        "[-_0-9A-Za-z]{5,30}",
    ),
}


def announced(header: str, values: pl.Series) -> tuple[str, pl.Series] | None:
    """The sort that ``header`` (folded) announces and those of ``values`` (folded) that look like it."""
    for name, kind in LABELLED.items():
        if kind.header.fullmatch(header.strip()):
            found = values.filter(values.str.contains(f"^(?:{kind.value})$").fill_null(False))
            if len(found):
                return name, found
    return None


def labelled(folded: pl.Series) -> pl.DataFrame:
    """Rows (index of the value, kind, found) of numbers that a word announces in running text."""
    frame = pl.DataFrame({"index": pl.int_range(0, len(folded), eager=True), "text": folded})
    frame = frame.filter(pl.col("text").str.contains(r"(?i)[\p{Han}a-z][为是:= ]{1,3}[0-9A-Za-z]"))
    parts = [pl.DataFrame(schema={"index": pl.Int64, "kind": pl.String, "found": pl.String})]
    for name, kind in LABELLED.items():
        hits = frame.select("index", found=pl.col("text").str.extract(kind.text, 1)).drop_nulls("found")
        parts.append(hits.select("index", kind=pl.lit(name), found="found"))
    return pl.concat(parts)
