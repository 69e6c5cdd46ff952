"""Three synthetic domains as raw tables: visits to hospitals, enterprises with dominance, trips in a city.

``world(domain, seed)`` draws one: its size, column names (Chinese or English), code lists and persons depend
on the seed. Persons have several rows in two of them, cells are missing, texts are Chinese. Identity numbers
are well formed (GB 11643-1999, GB 32100-2015) because a checker that is tried on malformed ones is not tried;
they are drawn, not looked up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import polars as pl

DOMAINS = ("health", "enterprise", "mobility")
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾萧田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
)
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国文辉力健世广志义兴良海山仁波宁贵福生龙元全"
PLACES = "清河云岩南明花溪乌当白云观山湖修文开阳息烽双龙惠水龙里贵定都匀福泉瓮安独山平塘罗甸荔波三都长顺"
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
REGIONS = ("520102", "520103", "520111", "520112", "520113", "520115", "520121", "520122", "520181", "522701")


@dataclass(frozen=True, eq=False)
class World:
    """One domain drawn from one seed.

    ``frame`` is the raw table; ``entity`` its person (or enterprise) column, ``ids`` the columns that
    identify alone, ``name`` the column of names, ``labels`` the categories that cells are formed by, ``date``
    a date of the entity or event, ``number`` a mild measure that no cell of many lets one person dominate,
    ``heavy`` a skewed one, ``sensitive`` a sensitive category, ``text`` free text.
    """

    domain: str
    seed: int
    frame: pl.DataFrame
    entity: str
    ids: tuple[str, ...]
    name: str
    labels: tuple[str, ...]
    date: str
    number: str
    heavy: str
    sensitive: str
    text: str
    quasi: tuple[str, ...]
    strict: bool = False
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def least(self) -> int:
        """The cell threshold that honest work over this world keeps."""
        return 20 if self.strict else 10

    @property
    def sensitives(self) -> tuple[str, ...]:
        """Columns declared sensitive."""
        return (self.sensitive, self.heavy)

    def persons(self, rng: np.random.Generator, n: int) -> pl.DataFrame:
        """``n`` rows of ``n`` different entities, drawn from those whose cells are all filled."""
        each = self._each()
        rows = rng.choice(each.height, size=min(n, each.height), replace=False)
        return each[rows.tolist()]

    def _each(self) -> pl.DataFrame:
        return _first_rows(self)


@lru_cache(maxsize=8)
def _first_rows(world: World) -> pl.DataFrame:
    full = world.frame.filter(pl.all_horizontal(pl.all().is_not_null()))
    return full.unique(subset=world.entity, keep="first", maintain_order=True)


def identity(rng: np.random.Generator, birth: np.ndarray) -> list[str]:
    """18-digit identity numbers (GB 11643-1999) for birth days (datetime64), all different."""
    seen: set[str] = set()
    found = []
    for day in birth.astype("datetime64[D]").astype(str):
        while True:
            body = f"{REGIONS[rng.integers(len(REGIONS))]}{day.replace('-', '')}{rng.integers(1000):03d}"
            total = sum(int(d) * w for d, w in zip(body, _ID_WEIGHTS, strict=True))
            number = body + "10X98765432"[total % 11]
            if number not in seen:
                break
        seen.add(number)
        found.append(number)
    return found


def credit_codes(rng: np.random.Generator, n: int) -> list[str]:
    """Unified social credit codes (GB 32100-2015), all different."""
    found: dict[str, None] = {}
    while len(found) < n:
        tail = "".join(_USCC[i] for i in rng.integers(0, 31, 9))
        body = f"91{REGIONS[rng.integers(len(REGIONS))]}{tail}"
        total = sum(_USCC.index(c) * pow(3, i, 31) for i, c in enumerate(body))
        found[body + _USCC[(31 - total % 31) % 31]] = None
    return list(found)


def mobiles(rng: np.random.Generator, n: int) -> list[str]:
    """Mobile numbers, all different."""
    found: dict[str, None] = {}
    while len(found) < n:
        found[f"1{rng.choice([35, 36, 38, 39, 50, 58, 77, 86, 87, 99])}{rng.integers(10**8):08d}"] = None
    return list(found)


def names(rng: np.random.Generator, n: int) -> list[str]:
    """Personal names of two or three characters; several may bear the same."""
    sizes = rng.choice([1, 2], size=n, p=[0.25, 0.75])
    return [
        SURNAMES[rng.integers(len(SURNAMES))]
        + "".join(GIVEN[i] for i in rng.integers(0, len(GIVEN), size=size))
        for size in sizes
    ]


def _shares(rng: np.random.Generator, n: int) -> np.ndarray:
    """Shares of ``n`` categories, none of them tiny."""
    raw = rng.gamma(2.0, 1.0, n) + 0.35
    return raw / raw.sum()


def _draw(rng: np.random.Generator, values: list[str], n: int) -> np.ndarray:
    return rng.choice(np.array(values), size=n, p=_shares(rng, len(values)))


def _some(rng: np.random.Generator, values: tuple[str, ...], least: int, most: int) -> list[str]:
    size = int(rng.integers(least, most + 1))
    return [values[i] for i in sorted(rng.choice(len(values), size=min(size, len(values)), replace=False))]


def _districts(rng: np.random.Generator) -> list[str]:
    pairs = [PLACES[i : i + 2] for i in range(0, len(PLACES), 2)]
    return [name + str(rng.choice(["区", "县"])) for name in _some(rng, tuple(pairs), 6, 10)]


def _days(rng: np.random.Generator, first: str, last: str, n: int) -> np.ndarray:
    low, high = np.datetime64(first), np.datetime64(last)
    return low + rng.integers(0, (high - low).astype(int), n).astype("timedelta64[D]")


def _gaps(rng: np.random.Generator, frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """Some cells of ``columns`` go missing."""
    share = float(rng.uniform(0.01, 0.04))
    return frame.with_columns(
        pl.when(pl.Series(rng.random(frame.height) < share)).then(None).otherwise(pl.col(c)).alias(c)
        for c in columns
    )


def _named(rng: np.random.Generator, pairs: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Column names of this world: all Chinese or all English."""
    side = int(rng.integers(2))
    return {key: pair[side] for key, pair in pairs.items()}


DIAGNOSES = (
    "高血压",
    "2型糖尿病",
    "冠心病",
    "肺炎",
    "骨折",
    "急性阑尾炎",
    "慢性胃炎",
    "哮喘",
    "白内障",
    "脑梗死",
)
DEPARTMENTS = ("内科", "外科", "骨科", "儿科", "妇产科", "眼科", "神经内科", "呼吸科")


def _health(rng: np.random.Generator, seed: int) -> World:
    people = int(rng.integers(3_500, 5_000))
    birth = _days(rng, "1935-01-01", "2015-12-31", people)
    sex = _draw(rng, ["男", "女"], people)
    person = pl.DataFrame(
        {
            "id": identity(rng, birth),
            "name": names(rng, people),
            "phone": mobiles(rng, people),
            "sex": sex,
            "birth": birth,
            "district": _draw(rng, _districts(rng), people),
            "insurance": _draw(rng, _some(rng, ("职工医保", "居民医保", "自费", "公费"), 3, 4), people),
        }
    )
    visits = rng.poisson(1.2, people) + 1
    frame = person[np.repeat(np.arange(people), visits).tolist()]
    n = frame.height
    diagnosis = _draw(rng, _some(rng, DIAGNOSES, 6, 8), n)
    cost = np.round(rng.gamma(4.0, 450.0, n) + 80, 2)
    days = rng.poisson(4, n) + 1
    department = _draw(rng, _some(rng, DEPARTMENTS, 4, 6), n)
    note = [
        f"{d}天前因{what}到{where}就诊，{how}。"
        for d, what, where, how in zip(
            rng.integers(1, 30, n), diagnosis, department,
            rng.choice(["予以口服药物", "收入院治疗", "门诊随访", "建议手术"], n), strict=True,
        )
    ]  # fmt: skip
    frame = frame.with_columns(
        visited=pl.Series(_days(rng, "2024-01-01", "2025-12-31", n)),
        department=pl.Series(department),
        diagnosis=pl.Series(diagnosis),
        days=pl.Series(days),
        cost=pl.Series(cost),
        fee=pl.Series(np.round(rng.lognormal(7.5, 1.3, n), 2)),
        note=pl.Series(note),
    )
    c = _named(
        rng,
        {
            "id": ("id_no", "身份证号"), "name": ("patient_name", "姓名"), "phone": ("mobile", "手机"),
            "sex": ("sex", "性别"), "birth": ("birth_date", "出生日期"), "district": ("district", "居住区县"),
            "insurance": ("insurance", "医保类型"), "visited": ("visit_date", "就诊日期"),
            "department": ("department", "科室"), "diagnosis": ("diagnosis", "诊断"),
            "days": ("los", "住院天数"),
            "cost": ("cost", "费用"), "fee": ("drug_fee", "药费"), "note": ("note", "病历摘要"),
        },
    )  # fmt: skip
    frame = _gaps(rng, frame.rename(c), (c["insurance"], c["cost"], c["note"]))
    return World(
        "health", seed, frame, c["id"], (c["id"], c["phone"]), c["name"],
        (c["district"], c["sex"], c["department"], c["insurance"], c["diagnosis"]), c["birth"], c["cost"],
        c["fee"], c["diagnosis"], c["note"],
        (c["sex"], c["birth"], c["district"], c["insurance"], c["visited"]), bool(rng.integers(2)),
        {"numbers": (c["cost"], c["fee"], c["days"]), "event": (c["visited"],)},
    )  # fmt: skip


INDUSTRIES = ("制造业", "建筑业", "批发零售", "住宿餐饮", "信息技术", "金融业", "房地产", "教育", "采矿业")
FORMS = ("有限责任公司", "股份有限公司", "个人独资", "合伙企业", "外商投资")


def _enterprise(rng: np.random.Generator, seed: int) -> World:
    n = int(rng.integers(3_000, 4_500))
    industry = _draw(rng, _some(rng, INDUSTRIES, 5, 7), n)
    district = _draw(rng, _districts(rng), n)
    revenue = np.round((rng.pareto(1.1, n) + 1) * 80_000, 0)
    staff = np.round(rng.lognormal(2.5, 0.9, n)).astype(int) + 1
    founded = _days(rng, "1985-01-01", "2024-12-31", n)
    brands = [
        "".join(GIVEN[i] for i in rng.integers(0, len(GIVEN), 2))
        + str(rng.choice(["兴", "达", "通", "源", "盛"]))
        for _ in range(n)
    ]
    frame = pl.DataFrame(
        {
            "id": credit_codes(rng, n),
            "name": [
                f"{d[:2]}{b}{i[:2]}{f}"
                for d, b, i, f in zip(
                    district, brands, industry, rng.choice(["公司", "厂", "中心"], n), strict=True
                )
            ],
            "person": names(rng, n),
            "phone": mobiles(rng, n),
            "district": district,
            "industry": industry,
            "form": _draw(rng, _some(rng, FORMS, 3, 4), n),
            "scale": _draw(rng, ["大型", "中型", "小型", "微型"], n),
            "rating": _draw(rng, ["甲级", "乙级", "丙级"], n),
            "founded": founded,
            "staff": staff,
            "score": np.round(rng.normal(640, 55, n), 1),
            "revenue": revenue,
            "scope": [
                f"主营{i}相关业务，兼营{j}服务。"
                for i, j in zip(industry, rng.permutation(industry), strict=True)
            ],
        }
    )  # fmt: skip
    c = _named(
        rng,
        {
            "id": ("uscc", "统一社会信用代码"), "name": ("company", "企业名称"),
            "person": ("legal_rep", "法定代表人"),
            "phone": ("contact_phone", "联系电话"), "district": ("county", "所在区县"),
            "industry": ("industry", "行业"),
            "form": ("form", "企业类型"), "scale": ("scale", "规模"), "rating": ("rating", "信用等级"),
            "founded": ("founded", "成立日期"),
            "staff": ("staff", "从业人数"), "score": ("score", "信用评分"),
            "revenue": ("revenue", "营业收入"),
            "scope": ("scope", "经营范围"),
        },
    )  # fmt: skip
    frame = _gaps(rng, frame.rename(c), (c["form"], c["score"], c["scope"]))
    return World(
        "enterprise", seed, frame, c["id"], (c["id"], c["phone"]), c["name"],
        (c["district"], c["industry"], c["scale"], c["form"], c["rating"]),
        c["founded"], c["score"], c["revenue"],
        c["rating"], c["scope"], (c["district"], c["industry"], c["form"], c["founded"], c["staff"]), False,
        {"numbers": (c["score"], c["revenue"], c["staff"]), "people": (c["person"],)},
    )  # fmt: skip


MODES = ("地铁", "公交", "共享单车", "出租车", "网约车", "步行")


def _mobility(rng: np.random.Generator, seed: int) -> World:
    people = int(rng.integers(3_000, 4_200))
    districts = _districts(rng)
    person = pl.DataFrame(
        {
            "id": [f"86{rng.integers(10**13):013d}" for _ in range(people)],
            "phone": mobiles(rng, people),
            "name": names(rng, people),
            "sex": _draw(rng, ["男", "女"], people),
            "birth": _days(rng, "1945-01-01", "2010-12-31", people),
            "home": _draw(rng, districts, people),
            "home_lon": np.round(106.55 + rng.normal(0, 0.12, people), 6),
            "home_lat": np.round(26.60 + rng.normal(0, 0.09, people), 6),
        }
    )
    frame = person[np.repeat(np.arange(people), rng.poisson(2.0, people) + 1).tolist()]
    n = frame.height
    moment = _days(rng, "2025-03-01", "2025-05-31", n).astype("datetime64[us]")
    hour = np.clip(
        np.round(rng.choice([8, 13, 18], n, p=[0.4, 0.2, 0.4]) + rng.normal(0, 1.5, n)), 5, 22
    ).astype(int)
    frame = frame.with_columns(
        start=pl.Series(
            moment
            + (hour * 3600 + rng.integers(0, 3600, n)).astype("timedelta64[s]").astype("timedelta64[us]")
        ),
        hour=pl.Series(hour),
        to=pl.Series(_draw(rng, districts, n)),
        mode=pl.Series(_draw(rng, _some(rng, MODES, 4, 5), n)),
        lon=pl.Series(np.round(106.55 + rng.normal(0, 0.12, n), 6)),
        lat=pl.Series(np.round(26.60 + rng.normal(0, 0.09, n), 6)),
        distance=pl.Series(np.round(rng.gamma(3.0, 2.1, n) + 0.3, 3)),
        fare=pl.Series(np.round(rng.lognormal(1.8, 1.1, n), 2)),
    )
    frame = frame.with_columns(memo=pl.format("{}乘{}前往{}。", pl.col("home"), pl.col("mode"), pl.col("to")))
    c = _named(
        rng,
        {
            "id": ("imei", "设备号"), "phone": ("msisdn", "用户号码"), "name": ("user_name", "用户姓名"),
            "sex": ("gender", "性别"), "birth": ("birthday", "生日"), "home": ("home_zone", "居住地"),
            "home_lon": ("home_lon", "家经度"), "home_lat": ("home_lat", "家纬度"),
            "start": ("start_time", "出发时间"),
            "hour": ("hour", "小时"), "to": ("to_zone", "目的地"), "mode": ("mode", "方式"),
            "lon": ("lon", "经度"),
            "lat": ("lat", "纬度"), "distance": ("distance", "里程"), "fare": ("fare", "费用"),
            "memo": ("memo", "说明"),
        },
    )  # fmt: skip
    frame = _gaps(rng, frame.rename(c), (c["distance"], c["fare"], c["memo"]))
    return World(
        "mobility", seed, frame, c["id"], (c["id"], c["phone"]), c["name"],
        (c["home"], c["sex"], c["mode"], c["to"]), c["birth"], c["distance"], c["fare"], c["to"], c["memo"],
        (c["sex"], c["birth"], c["home"], c["start"], c["lon"], c["lat"]), False,
        {"numbers": (c["distance"], c["fare"], c["lon"], c["lat"]), "event": (c["start"],),
         "point": (c["lon"], c["lat"]), "address": (c["home_lon"], c["home_lat"])},
    )  # fmt: skip


_MAKE = {"health": _health, "enterprise": _enterprise, "mobility": _mobility}


@lru_cache(maxsize=12)
def world(domain: str, seed: int) -> World:
    """The world of ``domain`` drawn from ``seed``; the same arguments give the same world."""
    return _MAKE[domain](np.random.default_rng([DOMAINS.index(domain), seed]), seed)
