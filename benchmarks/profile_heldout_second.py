"""The second set of tables for ``profile_heldout``: written after the rules were mended by the first."""

from __future__ import annotations

from random import Random as Draw

from benchmarks.profile_heldout import (
    Col,
    citizen,
    company,
    credit,
    digits,
    lately,
    luhn,
    mail,
    moment,
    number,
    one_of,
    phone,
)

_HK = "陳黃張梁李林劉吳何鄭羅葉蔡鄧許譚馮曾蕭關盧鍾"
_HK_FIRST = "嘉穎詠詩俊傑浩然家豪子軒麗華國強美玲志明慧敏建輝少芬偉業淑儀曉彤樂瑤"
_SPANISH = (
    "María",
    "José",
    "Ana Lucía",
    "Carlos",
    "Lucía",
    "Andrés",
    "Valentina",
    "Diego",
    "Camila",
    "Javier",
    "Rosa",
    "Héctor",
)
_SPANISH_LAST = (
    "Fernández",
    "Quispe",
    "Mamani",
    "Rojas",
    "Vargas",
    "Salazar",
    "Huamán",
    "Cárdenas",
    "Paredes",
    "Gómez",
    "Castillo",
)
_KOREAN = (
    "김민준",
    "이서연",
    "박지훈",
    "최수빈",
    "정하은",
    "강도윤",
    "조예린",
    "윤시우",
    "장지아",
    "임건우",
    "한유진",
    "오세훈",
    "서다은",
    "신태양",
    "권나연",
    "황준서",
)
_RUSSIAN = ("Иванов", "Смирнов", "Кузнецов", "Попов", "Соколов", "Лебедев", "Козлов", "Новиков")
_RUSSIAN_FIRST = (
    "Алексей Петрович",
    "Дмитрий Иванович",
    "Сергей Олегович",
    "Андрей Павлович",
    "Михаил Юрьевич",
)
_STREETS = ("Hauptstr.", "Gartenweg", "Lindenallee", "Bahnhofstraße", "Am Markt", "Schillerplatz")


def hk_name(draw: Draw) -> str:
    return draw.choice(_HK) + "".join(draw.choices(_HK_FIRST, k=2))


def capital_name(draw: Draw) -> str:
    last = draw.choice(("SMITH", "JOHNSON", "GARCIA", "BROWN", "LEE", "CLARK", "WALKER", "YOUNG"))
    first = draw.choice(("JAMES", "MARY", "ROBERT", "LINDA", "DAVID", "SUSAN", "KAREN", "PAUL"))
    return f"{last}, {first} {draw.choice('ABCDEFGH')}."


def spanish(draw: Draw) -> str:
    return f"{draw.choice(_SPANISH)} {draw.choice(_SPANISH_LAST)} {draw.choice(_SPANISH_LAST)}"


def russian(draw: Draw) -> str:
    return f"{draw.choice(_RUSSIAN)} {draw.choice(_RUSSIAN_FIRST)}"


def german_home(draw: Draw) -> str:
    town = draw.choice(("Berlin", "Kassel", "Jena", "Ulm"))
    return f"{draw.choice(_STREETS)} {draw.randint(1, 140)}, {draw.randint(10115, 99998)} {town}"


def village_home(draw: Draw) -> str:
    province, city = draw.choice(("贵州省", "云南省", "四川省")), draw.choice(("毕节市", "曲靖市", "宜宾市"))
    county, town = (
        draw.choice(("大方县", "富源县", "江安县")),
        draw.choice("兴和长大") + draw.choice("隆平乐安"),
    )
    village = draw.choice("红新河石") + draw.choice("星光坝桥")
    return f"{province}{city}{county}{town}镇{village}村{draw.randint(1, 14)}组"


def spanish_id(draw: Draw) -> str:
    value = draw.randint(10_000_000, 99_999_999)
    return f"{value}{'TRWAGMYFPDXBNJZSQVHLCKE'[value % 23]}"


def passport(draw: Draw) -> str:
    return draw.choice((f"E{digits(draw, 8)}", f"EJ{digits(draw, 7)}", f"G{digits(draw, 8)}"))


def school_number(draw: Draw) -> str:
    return "G" + citizen(draw, 2010, 2018)


def phone_zero(draw: Draw) -> str:
    return f"0{draw.choice(('851', '28', '571', '10', '755'))}-{draw.randint(22222222, 88888888)}"


def sim(draw: Draw) -> str:
    return luhn("898600" + digits(draw, 13))


def note(draw: Draw) -> str:
    text = draw.choice(
        ("Delivered to reception", "Customer will call back", "No answer at the door", "Replacement sent")
    )
    return f"{text}; ring {phone(draw)}" if draw.random() < 0.08 else text


SECOND: dict[str, Col] = {
    "hk_name": Col(hk_name, True, ("學生姓名", "student", "Schüler", "xsxm")),
    "capital_name": Col(capital_name, True, ("Inhaber", "HOLDER_NM", "titulaire", "ckrxm")),
    "spanish": Col(spanish, True, ("西班牙语姓名", "beneficiary", "Apellidos y nombres", "wwxm")),
    "korean": Col(lambda d: d.choice(_KOREAN), True, ("韩文名", "nm", "성명", "hwm")),
    "russian": Col(russian, True, ("俄文姓名", "person", "ФИО", "ewxm")),
    "german_home": Col(german_home, True, ("德国地址", "addr1", "Anschrift", "dgdz")),
    "village_home": Col(village_home, True, ("户籍地址", "registered_residence", "住所", "hjdz")),
    "spanish_id": Col(spanish_id, True, ("外国证件号", "foreign id no", "DNI", "wgzjh"), formless=True),
    "passport": Col(passport, True, ("护照号码", "PassportNumber", "Reisepass (passport)", "hzhm")),
    "school_number": Col(school_number, True, ("全国学籍号", "national student no", "Schülernummer", "xjh")),
    "phone_zero": Col(phone_zero, True, ("家庭座机", "home phone", "Festnetztelefon", "jtdh")),
    "sim": Col(sim, True, ("卡序列", "ICCID", "SIM", "kxl")),
    "credit2": Col(
        lambda d: credit(d).lower(), True, ("企业信用代码", "org_credit_code", "corp code", "qyxydm")
    ),
    "mail2": Col(mail, True, ("反馈邮箱", "reply to", "Adresse électronique", "fkyx")),
    "phone_float": Col(lambda d: f"{phone(d)}.0", True, ("号码", "msisdn", "numéro", "hm")),
    "citizen_quote": Col(lambda d: f"'{citizen(d)}", True, ("身份号", "pid_no", "身分", "sfh")),
    "company2": Col(company, True, ("中标人", "winning bidder", "Auftragnehmer", "zbr")),
    "note": Col(note, True, ("配送说明", "delivery_remarks", "Anmerkung", "pssm")),
    "born_compact": Col(
        lambda d: f"{d.randint(1936, 2005)}{d.randint(1, 12):02d}{d.randint(1, 28):02d}",
        False,
        ("出生", "born", "né le", "cs"),
    ),
    "age": Col(lambda d: str(d.randint(18, 91)), False, ("周岁", "age", "Alter", "nl")),
    "blood": Col(one_of("A型", "B型", "O型", "AB型"), False, ("血型", "blood_type", "Blutgruppe", "xx")),
    "nation": Col(
        one_of("汉族", "苗族", "布依族", "侗族", "土家族"), False, ("民族", "ethnic_group", "民族別", "mz")
    ),
    "marry": Col(one_of("未婚", "已婚", "离异", "丧偶"), False, ("婚姻", "marital", "Familienstand", "hyzk")),
    "isbn": Col(
        lambda d: f"978-7-{digits(d, 3)}-{digits(d, 5)}-{digits(d, 1)}", False, ("书号", "ISBN", "ISBN", "sh")
    ),
    "book": Col(
        one_of("红楼梦", "围城", "平凡的世界", "白鹿原", "活着", "边城", "骆驼祥子", "呐喊", "家", "子夜"),
        False,
        ("书名", "title", "Titel", "sm"),
    ),
    "city_en": Col(
        one_of(
            "Springfield",
            "Aurora",
            "Madison",
            "Franklin",
            "Clinton",
            "Georgetown",
            "Salem",
            "Bristol",
            "Lincoln",
            "Florence",
            "Hudson",
            "Marion",
        ),
        False,
        ("城市英文", "city", "Stadt", "cs2"),
    ),
    "product_en": Col(
        one_of(
            "Garden Chair",
            "Blue Kettle",
            "Desk Lamp",
            "Steel Bolt",
            "Cotton Towel",
            "Oak Table",
            "Rose Soap",
            "Wall Clock",
            "Rain Coat",
        ),
        False,
        ("品名", "item", "Artikel", "pm"),
    ),
    "order_letters": Col(
        lambda d: f"E{d.randint(2019, 2025)}{digits(d, 4)}", False, ("凭证号", "voucher", "Beleg", "pzh")
    ),
    "meter": Col(lambda d: digits(d, 12), False, ("电表读号", "meter", "Zähler", "db")),
    "tax": Col(lambda d: f"{d.uniform(0, 9e5):.2f}", False, ("税额", "tax", "Steuer", "se")),
    "station": Col(
        one_of("城东站", "王家湾站", "李家村站", "张公堤站", "陈家墩站", "黄金口站", "刘集站", "高桥站"),
        False,
        ("站名", "stop", "Haltestelle", "zm"),
    ),
    "crop": Col(
        one_of("水稻", "高粱", "马铃薯", "黄豆", "油菜", "花生", "苦荞", "白菜", "金银花"),
        False,
        ("作物", "crop", "Kultur", "zw"),
    ),
    "grade": Col(one_of("甲", "乙", "丙"), False, ("等第", "grade", "Note", "dd")),
    "minutes": Col(number(0, 300), False, ("时长", "minutes", "Dauer", "sc")),
    "day": Col(lately, False, ("日期", "date", "Tag", "rq")),
    "moment2": Col(moment, False, ("登记时刻", "logged", "Zeit", "djsk")),
    "road": Col(
        one_of("人民路", "解放大道", "中山东路", "滨河南路", "学府街", "迎宾大道", "环城北路", "长征路"),
        False,
        ("路名", "road", "Straße", "lm"),
    ),
    "flow": Col(lambda d: str(d.randint(3, 9000)), False, ("车流量", "volume", "Menge", "cll")),
    "hash_short": Col(
        lambda d: f"{d.getrandbits(64):016x}", False, ("版本标识", "commit", "Kennung", "bbbs")
    ),
    "url": Col(
        lambda d: f"https://data.example.org/item/{d.randint(10**10, 10**11)}",
        False,
        ("链接", "url", "Link", "lj"),
    ),
}

TABLES: dict[str, tuple[str, ...]] = {
    "pupils_hk": ("hk_name", "school_number", "nation", "day", "grade"),
    "accounts": ("capital_name", "born_compact", "mail2", "moment2", "order_letters"),
    "beneficiaries": ("spanish", "spanish_id", "age", "phone_zero", "tax"),
    "korean_guests": ("korean", "passport", "born_compact", "day"),
    "russian_guests": ("russian", "german_home", "passport", "minutes"),
    "villagers": ("citizen_quote", "village_home", "marry", "blood", "phone_float"),
    "bids": ("company2", "credit2", "tax", "day", "hash_short"),
    "couriers": ("note", "product_en", "order_letters", "moment2", "flow"),
    "sims": ("sim", "phone_float", "meter", "moment2"),
    "library": ("isbn", "book", "day", "flow", "url"),
    "traffic": ("station", "road", "flow", "moment2", "minutes"),
    "farms": ("crop", "grade", "tax", "flow", "day"),
    "towns": ("city_en", "flow", "product_en", "meter"),
}
