"""What the cells of the fourth set hold: numbers valid by their standards, and what exports do to them.

An apostrophe, a tab or ``="…"`` for text, numbers left in scientific notation, full-width digits, spaces and
hyphens, two owners in a cell, stars, dates in Chinese numerals, of the Republic's years, without separators,
and eight spellings of nothing.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable

Draw = random.Random
Make = Callable[[Draw], str]
Column = tuple[str, Make, str]
"""Header, cell, truth."""

AREAS = ("330102", "330106", "330281", "320114", "340104", "360121", "410105", "420111", "440113", "510104")
FAMILY = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾萧田董袁潘蒋蔡余杜叶程苏魏吕丁任沈姚卢"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰建国志文斌红梅秀珍春燕海波雪鹏宇浩然子轩梓涵欣怡"
    "雨晨嘉豪思远佳慧晓东立新永福根水阿毛德顺"
)
COMPOUND = ("欧阳", "上官", "司马", "诸葛", "皇甫")
TOWNS = ("仓前街道", "乔司街道", "瓶窑镇", "良渚街道", "闲林街道", "径山镇", "五常街道", "临平街道")
ROADS = ("文一西路", "海创路", "余杭塘路", "古墩路", "世纪大道", "人民中路", "新丰路", "高教路")
ESTATES = ("翡翠城", "金地自在城", "绿汀路小区", "西溪里", "景华苑", "阳光水岸", "大华海派风景")
VILLAGES = ("漕桥村", "西安寺村", "长乐村", "麻车头村", "求是村", "潘板村")
NOTHING = ("", "NULL", "N/A", "无", "/", "—", "\\N", "空")


# --- numbers, by the definitions of their standards ------


def nums(draw: Draw, count: int) -> str:
    return "".join(draw.choices(string.digits, k=count))


def day(draw: Draw, first: int, last: int, form: str = "{0}{1:02d}{2:02d}") -> str:
    return form.format(draw.randint(first, last), draw.randint(1, 12), draw.randint(1, 28))


def sfz(draw: Draw, first: int = 1936, last: int = 2006) -> str:
    """GB 11643: ISO 7064 MOD 11-2."""
    body = draw.choice(AREAS) + day(draw, first, last) + f"{draw.randint(1, 999):03d}"
    rest = 0
    for char in body:
        rest = (rest + int(char)) * 2 % 11
    return body + "0123456789X"[(12 - rest) % 11]


def uscc(draw: Draw) -> str:
    """GB 32100: MOD 31; the nine characters of GB 11714 inside it, MOD 11."""
    signs = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = draw.choice(("91", "92", "91", "93")) + draw.choice(AREAS) + organisation(draw).replace("-", "")
    total = sum(signs.index(char) * (3**place % 31) for place, char in enumerate(body))
    return body + signs[-total % 31]


def organisation(draw: Draw) -> str:
    while True:
        body = "MA" + "".join(draw.choices("0123456789ABCDEFGHJKLMNPQRTUWXY", k=6))
        total = sum(
            int(char, 36) * weight for char, weight in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)
        )
        check = "0123456789X"[-total % 11]
        return f"{body}-{check}"


def registration(draw: Draw) -> str:
    """GS 15-2006: fifteen digits, ISO 7064 MOD 11,10."""
    body = draw.choice(AREAS) + nums(draw, 8)
    rest = 10
    for char in body:
        rest = (rest + int(char)) % 10 or 10
        rest = rest * 2 % 11
    return body + str((11 - rest) % 10)


def card(draw: Draw) -> str:
    """ISO 7812: nineteen digits, Luhn."""
    body = draw.choice(("621700", "622848", "621226", "622202", "621081")) + nums(draw, 12)
    total = sum(sum(divmod(int(char) * (2 - place % 2), 10)) for place, char in enumerate(reversed(body)))
    return body + str(-total % 10)


def frame(draw: Draw) -> str:
    """GB 16735: the ninth place checks."""
    signs = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
    worth = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True))
    head = draw.choice(("LSV", "LFV", "LVS", "LGX", "LBV", "LHG")) + "".join(draw.choices(signs, k=5))
    tail = draw.choice("GHJKLMNP") + "".join(draw.choices(signs, k=2)) + nums(draw, 5)
    places = (8, 7, 6, 5, 4, 3, 2, 10, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(
        (int(char) if char.isdigit() else worth[char]) * weight
        for char, weight in zip(head + tail, places, strict=True)
    )
    return head + "0123456789X"[total % 11] + tail


def isbn(draw: Draw) -> str:
    body = "9787" + nums(draw, 8)
    return body + str(-sum(int(char) * (1, 3)[place % 2] for place, char in enumerate(body)) % 10)


def mobile(draw: Draw) -> str:
    return draw.choice(("130", "135", "138", "139", "150", "158", "176", "180", "187", "193")) + nums(draw, 8)


def landline(draw: Draw) -> str:
    return draw.choice(("0571-8", "0571-5", "(0571)8", "0571 8", "8")) + nums(draw, 7)


# --- words ------


def person(draw: Draw) -> str:
    if draw.random() < 0.02:
        return draw.choice(("买合木提·艾力", "热依汗·吐尔地", "丹增·卓玛"))
    first = draw.choice(COMPOUND) if draw.random() < 0.02 else draw.choice(FAMILY)
    return first + "".join(draw.choices(GIVEN, k=draw.choice((1, 2, 2, 2))))


def firm(draw: Draw) -> str:
    place = draw.choice(("杭州", "浙江", "宁波", "余杭", "苏州", "南昌"))
    word = draw.choice("鑫宏盛泰嘉诺博聚") + draw.choice("源达丰鼎辰信")
    trade = draw.choice(("机电设备", "餐饮管理", "劳务", "纺织", "建筑工程", "网络科技", "物业服务"))
    return (
        place
        + word
        + trade
        + draw.choice(("有限公司", "有限公司", "有限责任公司", "厂", "店", "（普通合伙）"))
    )


def dwelling(draw: Draw) -> str:
    block, stairs = f"{draw.choice(ESTATES)}{draw.randint(1, 40)}幢", draw.choice(("", "1单元", "2单元"))
    flat = f"{block}{stairs}{draw.randint(101, 2902)}室"
    farm = f"{draw.choice(VILLAGES)}{draw.randint(1, 18)}组{draw.choice(('', f'{draw.randint(1, 120)}号'))}"
    road = f"{draw.choice(ROADS)}{draw.randint(1, 998)}号{draw.choice(('', f'-{draw.randint(1, 9)}'))}"
    where = draw.choice(("", "", "杭州市余杭区", "浙江省杭州市余杭区"))
    return where + draw.choice(TOWNS) + draw.choice((flat, flat, farm, road))


def spread(draw: Draw) -> str:
    """A name of two characters as wide as one of three."""
    name = person(draw)
    return "\u3000".join(name) if len(name) == 2 else name


def pinyin(draw: Draw) -> str:
    last = draw.choice(("Wang", "Zhang", "Chen", "Ouyang", "Zhao", "Xu", "Lü", "Shen", "Qian", "Jiang"))
    first = draw.choice(("Xiaoming", "Jianguo", "Li", "Haitao", "Yuxin", "Zihan", "Mei", "Wenbo", "Ruoxi"))
    return draw.choice((f"{last} {first}", f"{last.upper()}, {first}", f"{first} {last}"))


def plate(draw: Draw) -> str:
    body = "".join(draw.choices("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", k=2)) + nums(draw, 3)
    green = draw.choice("DF") + nums(draw, 5)
    return draw.choice("浙浙浙沪苏皖赣") + draw.choice("ABCDEF") + (green if draw.random() < 0.2 else body)


# --- what exports do to cells ------


def damaged(make: Make, share: float) -> Make:
    """Some numbers went through Excel and are left in scientific notation."""
    return lambda d: f"{float(value):.5E}" if (value := make(d)).isdigit() and d.random() < share else value


def starred(make: Make, head: int, tail: int) -> Make:
    return lambda d: (v := make(d))[:head] + "*" * (len(v) - head - tail) + (v[-tail:] if tail else "")


def wrapped(make: Make, form: str) -> Make:
    return lambda d: form.format(make(d))


def wide(make: Make) -> Make:
    """Full-width digits in every third cell."""
    table = str.maketrans(string.digits, "０１２３４５６７８９")
    return lambda d: make(d).translate(table) if d.random() < 0.34 else make(d)


def parted(make: Make, sizes: tuple[int, ...], sign: str) -> Make:
    def cell(d: Draw) -> str:
        value, parts = make(d), []
        for size in sizes:
            parts.append(value[:size])
            value = value[size:]
        return sign.join([*parts, value] if value else parts)

    return cell


def mixed(*makes: Make) -> Make:
    return lambda d: d.choice(makes)(d)


def two(make: Make, sign: str, share: float = 0.3) -> Make:
    return lambda d: make(d) + (sign + make(d) if d.random() < share else "")


def of(*words: str) -> Make:
    return lambda d: d.choice(words)


def num(low: float, high: float, places: int = 0, form: str = "{}") -> Make:
    return lambda d: form.format(f"{d.uniform(low, high):.{places}f}")


def bell(middle: float, wide_: float, places: int = 0) -> Make:
    return lambda d: f"{abs(d.gauss(middle, wide_)):.{places}f}"


def date(form: str = "{0}-{1:02d}-{2:02d}", first: int = 2021, last: int = 2025) -> Make:
    return lambda d: day(d, first, last, form)


def numeral_date(first: int, last: int) -> Make:
    signs = "〇一二三四五六七八九"

    def small(value: int) -> str:
        return ("" if value < 10 else ("" if value < 20 else signs[value // 10]) + "十") + (
            signs[value % 10] if value % 10 else ""
        )

    def cell(d: Draw) -> str:
        year = "".join(signs[int(char)] for char in str(d.randint(first, last)))
        return f"{year}年{small(d.randint(1, 12))}月{small(d.randint(1, 28))}日"

    return cell


def english_date(d: Draw) -> str:
    return f"{d.randint(1, 28):02d}-{d.choice(('JAN', 'MAR', 'JUL', 'NOV'))}-{d.randint(1950, 2005)}"


def roc(first: int, last: int) -> Make:
    return lambda d: f"民國{d.randint(first, last) - 1911}年{d.randint(1, 12)}月{d.randint(1, 28)}日"


def stamp(d: Draw) -> str:
    return f"{day(d, 2021, 2025, '{0}/{1}/{2}')} {d.randint(0, 23)}:{d.randint(0, 59):02d}"


def serial(head: str, tail: int) -> Make:
    return lambda d: head + day(d, 2021, 2025) + nums(d, tail)


def guid(d: Draw) -> str:
    parts = f"{d.getrandbits(32):08X}-{nums(d, 4)}-4{nums(d, 3)}-A{nums(d, 3)}"
    return f"{{{parts}-{d.getrandbits(48):012X}}}"


def note(d: Draw) -> str:
    told = d.choice(("已电话通知本人", "系统迁移补录", "原件已退", "", "需复核", "与户籍信息一致", "代办"))
    return told + (f"，代办人{person(d)}，手机{mobile(d)}" if d.random() < 0.08 else "")


MALE, SEX12 = of("男", "女"), of("1", "2", "1", "2", "9")
NATION = of(*(("汉族",) * 12), "畲族", "回族", "土家族", "苗族")
ILLS = (
    ("I10.x00", "特发性高血压"), ("E11.900", "2型糖尿病"), ("J18.903", "社区获得性肺炎"), ("K80.201",
     "胆囊结石"),
    ("M51.202", "腰椎间盘突出"), ("C34.902", "肺恶性肿瘤"), ("F32.900", "抑郁发作"), ("N18.900",
     "慢性肾脏病"),
)  # fmt: skip
SCORE = bell(82, 14)
