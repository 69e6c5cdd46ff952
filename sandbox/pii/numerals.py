"""Chinese numerals, common and financial, said digit by digit or with tens and thousands."""

from __future__ import annotations

import re

HAN_DIGITS = {
    **dict(zip("零一二三四五六七八九", "0123456789", strict=True)),
    **dict(zip("〇壹贰叁肆伍陆柒捌玖", "0123456789", strict=True)),
    **dict(zip("貳參叄陸弍弎", "233623", strict=True)),
    **{"幺": "1", "两": "2", "兩": "2", "洞": "0", "拐": "7", "勾": "9", "弌": "1"},
}
_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_HAN = "".join(HAN_DIGITS)
_PLACES = "".join([*_UNITS, *_MYRIADS])
_GAP = r"[ \-_.·•‧・/|~]{0,2}"
# Eleven digits are the shortest identifier that is written without a word beside it.
DIGIT_RUN = f"[0-9{_HAN}](?:{_GAP}[0-9{_HAN}]){{10,}}"
PLACE_RUN = f"[{_HAN}{_PLACES}]{{9,}}"
_DIGITS = re.compile(DIGIT_RUN)
_SPOKEN = re.compile(f"{PLACE_RUN}(?![{_PLACES}元圆块])")
_TABLE = str.maketrans(HAN_DIGITS)
_TELLING = 8  # digits before the closing zeros: a rounded amount has fewer, a number of somebody has not


def spoken(text: str) -> int | None:
    """The value of a numeral with units such as 一千二百三十四万; None if it is none."""
    total = part = digit = 0
    for char in text:
        if char in HAN_DIGITS:
            digit = int(HAN_DIGITS[char])
        elif char in _UNITS:
            part += (digit or 1) * _UNITS[char]
            digit = 0
        elif char in _MYRIADS:
            value = part + digit
            if not value and not total:
                return None
            # 亿 after 万 multiplies all that was said; 万 after 亿 only what came since.
            total = (
                (total + value) * _MYRIADS[char]
                if total and total < _MYRIADS[char]
                else (total + value * _MYRIADS[char])
            )
            part = digit = 0
        else:
            return None
    return total + part + digit


def _place(match: re.Match[str]) -> str:
    text = match.group()
    if not any(char in _UNITS or char in _MYRIADS for char in text):
        return text
    value = spoken(text)
    telling = value is not None and len(str(value)) >= 11 and len(str(value).rstrip("0")) >= _TELLING
    return str(value) if telling else text


def to_digits(text: str) -> str:
    """``text`` with every numeral that may be a number of somebody written in ASCII digits."""
    text = _SPOKEN.sub(_place, text)
    return _DIGITS.sub(lambda match: match.group().translate(_TABLE), text)
