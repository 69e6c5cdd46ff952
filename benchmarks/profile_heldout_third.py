"""The third set of tables for ``profile_heldout``: written after the second mending, and meant to be hard."""

from __future__ import annotations

from random import Random as Draw

from benchmarks.profile_heldout import (
    Col,
    citizen,
    company,
    credit,
    digits,
    han_name,
    luhn,
    number,
    one_of,
    phone,
)

_VIET = (
    "Nguyễn Văn An",
    "Trần Thị Bích",
    "Lê Hoàng Nam",
    "Phạm Minh Đức",
    "Vũ Thu Hà",
    "Đặng Quốc Bảo",
    "Bùi Thanh Tùng",
    "Đỗ Ngọc Mai",
)
_ARAB = ("Mohammed", "Ahmed", "Layla", "Omar", "Zainab", "Hassan", "Noor", "Ibrahim", "Mariam", "Tariq")
_ARAB_LAST = ("Al-Rashid", "bin Salem", "El-Sayed", "Mansour", "Nasser", "Farouk", "Qureshi", "Aziz")


def joined_name(draw: Draw) -> str:
    return " ".join(han_name(draw))


def couple(draw: Draw) -> str:
    return f"{han_name(draw)}、{han_name(draw)}"


def name_and_title(draw: Draw) -> str:
    return han_name(draw) + draw.choice(("（法人）", "(经理)", ""))


def office_home(draw: Draw) -> str:
    where = draw.choice(("云岩区", "南明区", "观山湖区"))
    road = draw.choice(("宝山北路", "花果园大街", "林城东路", "富水南路"))
    return f"{where}{road}{draw.randint(1, 300)}号{draw.choice(('', '附2号', 'A座18楼', '3栋2单元'))}"


def island_phone(draw: Draw) -> str:
    return f"09{draw.randint(10, 89)}-{digits(draw, 3)}-{digits(draw, 3)}"


def credit_gap(draw: Draw) -> str:
    value = credit(draw)
    return f"{value[:6]} {value[6:12]} {value[12:]}"


def masked(draw: Draw) -> str:
    value = citizen(draw)
    return value[:6] + "********" + value[14:]


def small_talk(draw: Draw) -> str:
    text = draw.choice(("群众反映路灯不亮", "来电咨询落户政策", "投诉噪音扰民，已转办", "感谢信一封"))
    return text + (f"（{draw.choice(('来电', '手机', ''))}{phone(draw)}）" if draw.random() < 0.1 else "")


THIRD: dict[str, Col] = {
    "viet": Col(lambda d: d.choice(_VIET), True, ("越南籍姓名", "guest", "Họ và tên", "ynxm")),
    "arab": Col(
        lambda d: f"{d.choice(_ARAB)} {d.choice(_ARAB_LAST)}",
        True,
        ("阿语姓名", "client name", "nom et prénom", "ayxm"),
    ),
    "joined_name": Col(joined_name, True, ("学员", "trainee", "受講者", "xy")),
    "couple": Col(couple, True, ("权利人", "owners", "Eigentümer", "qlr")),
    "name_and_title": Col(name_and_title, True, ("代表", "representative", "Vertreter", "db")),
    "office_home": Col(office_home, True, ("通讯地址", "mailing address", "Postanschrift", "txdz")),
    "island_phone": Col(island_phone, True, ("台湾手机", "cell", "携帯番号", "twsj")),
    "phone_86": Col(lambda d: f"0086{phone(d)}", True, ("通知号码", "notify_number", "Rufnummer", "tzhm")),
    "citizen_int": Col(citizen, True, ("身份编码", "uid", "NIF", "sfbm")),
    "bank19": Col(
        lambda d: luhn("6217" + digits(d, 14)), True, ("补贴账户", "subsidy_acct", "cuenta de abono", "btzh")
    ),
    "credit_gap": Col(credit_gap, True, ("主体代码", "entity code", "Kennung", "ztdm")),
    "shop": Col(company, True, ("商户", "merchant", "Händler", "sh")),
    "masked": Col(masked, True, ("证件号（脱敏）", "id no (masked)", "DNI oculto", "zjhtm"), formless=True),
    "small_talk": Col(small_talk, True, ("工单内容", "ticket text", "Text", "gdnr")),
    "wechat": Col(
        lambda d: f"wxid_{''.join(d.choices('abcdefghij0123456789', k=14))}",
        True,
        ("微信号", "wechat id", "WeChat", "wxh"),
        formless=True,
    ),
    "born_us": Col(
        lambda d: f"{d.randint(1, 12)}/{d.randint(1, 28)}/{d.randint(1940, 2004)}",
        False,
        ("出生日", "DOB", "birthday", "csr"),
    ),
    "income": Col(number(0, 240000), False, ("家庭年收入", "household income", "Einkommen", "jtnsr")),
    "minutes": Col(
        lambda d: f"{d.randint(0, 23):02d}:{d.randint(0, 59):02d}", False, ("时刻", "clock", "Uhrzeit", "sk")
    ),
    "lottery": Col(lambda d: digits(d, 15), False, ("摇号编码", "ballot", "Los", "yhbm")),
    "gtin": Col(lambda d: luhn("0" + digits(d, 12)), False, ("包装码", "gtin14", "GTIN", "bzm")),
    "asset": Col(
        lambda d: f"ZC{d.randint(2015, 2025)}{digits(d, 8)}",
        False,
        ("资产编号", "asset_no", "Inventarnummer", "zcbh"),
    ),
    "percent": Col(lambda d: f"{d.uniform(0, 100):.1f}%", False, ("完成率", "rate", "Quote", "wcl")),
    "mineral": Col(
        one_of("方解石", "黄铁矿", "石英", "云母", "金红石", "白云石", "高岭土", "严格", "石膏"),
        False,
        ("矿物", "mineral", "Mineral", "kw"),
    ),
    "opera": Col(
        one_of("牡丹亭", "长生殿", "白蛇传", "穆桂英挂帅", "贵妃醉酒", "霸王别姬", "空城计", "花木兰"),
        False,
        ("剧目", "play", "Stück", "jm"),
    ),
    "doctor_dept": Col(
        one_of("心内科", "骨科", "儿科", "眼科", "急诊科", "康复科"), False, ("科别", "ward", "Station", "kb")
    ),
    "county": Col(
        one_of(
            "花溪", "乌当", "白云", "修文", "息烽", "开阳", "清镇", "平坝", "普定", "镇宁", "关岭", "紫云"
        ),
        False,
        ("县市", "county", "Kreis", "xs"),
    ),
    "colour": Col(
        one_of("Red", "Olive", "Navy", "Amber", "Violet", "Hazel", "Ruby", "Coral", "Jade", "Ivory"),
        False,
        ("颜色", "colour", "Farbe", "ys"),
    ),
    "tree": Col(
        one_of("Rowan", "Willow", "Laurel", "Holly", "Myrtle", "Juniper", "Aspen", "Linden", "Hazel"),
        False,
        ("树种", "tree", "Baum", "sz"),
    ),
    "area": Col(number(10, 9000, 2), False, ("占地面积", "site area", "Fläche", "zdmj")),
    "phase": Col(lambda d: f"第{d.choice('一二三四五')}期", False, ("期次", "phase", "Phase", "qc")),
    "long_id": Col(
        lambda d: str(d.randint(10**17, 10**18 - 1)), False, ("雪花编号", "snowflake", "Schlüssel", "xhbh")
    ),
    "plan": Col(
        lambda d: f"{d.choice('ABCDEFGH')}{d.randint(100000, 999999)}{d.randint(0, 9)}",
        False,
        ("计划代码", "plan_code", "Plan", "jhdm"),
    ),
}

TABLES: dict[str, tuple[str, ...]] = {
    "hotel": ("viet", "born_us", "island_phone", "minutes"),
    "clients": ("arab", "phone_86", "income", "percent"),
    "trainees": ("joined_name", "citizen_int", "doctor_dept", "phase"),
    "estate": ("couple", "office_home", "area", "asset"),
    "merchants": ("credit_gap", "shop", "name_and_title", "bank19", "percent"),
    "hotline": ("small_talk", "minutes", "county", "asset"),
    "social": ("wechat", "masked", "born_us", "income", "phone_86"),
    "lots": ("lottery", "gtin", "colour", "area", "plan"),
    "park": ("tree", "area", "county", "minutes"),
    "museum": ("mineral", "opera", "phase", "long_id", "percent"),
}
