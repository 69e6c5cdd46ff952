"""The fourth set: sixteen exports as Chinese public bodies make them, each written to a file and read again.

``nice python benchmarks/profile_heldout_fourth.py [--seed N] [--only TITLE …] [--show]``

Written before its writer had read a file of the rules; docs/profile.md has the figures of the first run.
Headers are as exports have them: initials in Pinyin, English, units, cut to a few characters, merged over two
columns (joined, or the second has none). ``profile_heldout_fourth_cells`` says what cells hold.

``truth`` of a column, stated beforehand: ``id`` (number of a person, an enterprise, a device or a
certificate, whole or partly hidden), ``name``, ``address``, ``quasi``, ``sensitive``, ``none``; ``open``: no
identifier, while whether it singles out or is sensitive is a matter of opinion; ``-``: not counted at all
(names and codes of public bodies, authors of books). The first three are to be proposed as identifiers.
"""

from __future__ import annotations

import argparse
import csv
import json
import string
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.profile_heldout_fourth_cells import (
    ILLS,
    MALE,
    NATION,
    NOTHING,
    SCORE,
    SEX12,
    TOWNS,
    VILLAGES,
    Column,
    Draw,
    bell,
    card,
    damaged,
    date,
    day,
    dwelling,
    english_date,
    firm,
    frame,
    guid,
    isbn,
    landline,
    mixed,
    mobile,
    note,
    num,
    numeral_date,
    nums,
    of,
    organisation,
    parted,
    person,
    pinyin,
    plate,
    registration,
    roc,
    serial,
    sfz,
    spread,
    stamp,
    starred,
    two,
    uscc,
    wide,
    wrapped,
)
from sandbox.desensitize.profile.propose import profile
from sandbox.desensitize.profile.table import read

TABLES: dict[str, tuple[int, str, str, tuple[Column, ...]]] = {
    # title: rows, encoding, separator, columns
    "医保结算": (1200, "gb18030", ",", (
        ("结算流水号", serial("", 10), "none"),
        ("人员编号", lambda d: "33010099" + nums(d, 10), "id"),
        ("证件号码", wrapped(lambda d: sfz(d).lower(), "'{}"), "id"),
        ("姓名", person, "name"),
        ("性别", MALE, "quasi"),
        ("年龄(岁)", bell(51, 19), "quasi"),
        ("医保卡号", lambda d: d.choice("AD") + nums(d, 8), "id"),
        ("险种类型", of("职工基本医疗保险", "城乡居民基本医疗保险", "离休人员医疗保障"), "open"),
        ("定点医药机构代码", of("H33010200012", "H33010600417", "P33011001260", "H33011000035"), "-"),
        ("主诊断编码(ICD10)", of(*(code for code, _ in ILLS)), "sensitive"),
        ("主要诊断", of(*(ill for _, ill in ILLS)), "sensitive"),
        ("入院日期", date("{0}{1:02d}{2:02d}"), "open"),
        ("出院科室", of("心血管内科", "内分泌科", "呼吸与危重症", "肿瘤科", "精神科"), "open"),
        ("医疗费总额(元)", bell(9000, 6000, 2), "open"),
        ("统筹支付(元)", bell(6000, 4000, 2), "open"),
        ("个账余额", bell(2400, 1500, 2), "sensitive"),
        ("经办人", of("沈慧芳", "卢国强", "姚立新", "丁欣怡", "蒋文斌", "潘雪", "吕思远", "苏晓东", "魏梅"),
         "name"),
        ("结算时间", stamp, "none"),
        ("票据号", lambda d: "33" + nums(d, 8), "none"),
    )),
    "婚姻登记": (600, "utf-8-sig", ",", (
        ("结婚证字号", lambda d: f"J330106-{d.randint(2012, 2024)}-{nums(d, 6)}", "id"),
        ("男方_姓名", person, "name"),
        ("男方_身份证件号", parted(sfz, (6, 8), " "), "id"),
        ("男方_出生", numeral_date(1960, 2001), "quasi"),
        ("男方_民族", NATION, "quasi"),
        ("男方_文化程度", of("初中", "高中", "大专", "本科", "研究生"), "quasi"),
        ("男方_婚姻状况", of("未婚", "未婚", "离婚", "丧偶"), "quasi"),
        ("女方_姓名", person, "name"),
        ("女方_身份证件号", wide(sfz), "id"),
        ("女方_出生", roc(1962, 2002), "quasi"),
        ("女方_民族", NATION, "quasi"),
        ("女方_常住户口所在地", dwelling, "address"),
        ("登记日期", numeral_date(2012, 2024), "open"),
        ("登记机关", of("杭州市西湖区民政局", "杭州市余杭区民政局"), "-"),
        ("登记员", person, "name"),
        ("颁证序号", num(1, 60), "none"),
    )),
    "不动产": (800, "utf-8", ";", (
        ("业务号", serial("", 6), "none"),
        ("权利人", two(person, "、"), "name"),
        ("权利人证件号", two(sfz, "、"), "id"),
        ("共有情况", of("单独所有", "共同共有", "按份共有"), "none"),
        ("不动产权证号", lambda d: f"浙（{d.randint(2016, 2025)}）杭州市不动产权第{nums(d, 7)}号", "id"),
        ("不动产单元号", lambda d: f"3301060{nums(d, 5)}GB{nums(d, 5)}F{nums(d, 8)}", "-"),
        ("坐落", dwelling, "address"),
        ("建筑面积(㎡)", bell(96, 30, 2), "none"),
        ("规划用途", of("住宅", "商业服务", "车位", "办公"), "none"),
        ("抵押权人", of(*(f"中国{b}银行股份有限公司杭州{p}支行" for b in ("农业", "建设") for p in ("文一",
         "古墩", "城西", "之江", "临平"))), "id"),
        ("成交价(万元)", bell(310, 120, 1), "open"),
        ("联系方式", two(mixed(mobile, landline), "/"), "id"),
        ("登簿时间", stamp, "none"),
        ("档案盒号", lambda d: f"{d.randint(1, 300)}-{d.randint(1, 40)}", "none"),
    )),
    "zhongkao": (2400, "gb18030", ",", (
        ("zkzh", lambda d: "24" + d.choice(("0102", "0106", "0110")) + nums(d, 6), "id"),
        ("xjh", lambda d: "G" + sfz(d, 2008, 2010), "id"),
        ("xm", spread, "name"),
        ("xb", SEX12, "quasi"),
        ("csny", date("{0}{1:02d}", 2008, 2010), "quasi"),
        ("byxx", of("仓前中学", "良渚一中", "文澜中学", "育海外国语学校", "临平三中"), "quasi"),
        ("bj", lambda d: f"90{d.randint(1, 9)}班", "quasi"),
        ("yw", SCORE, "open"), ("sx", SCORE, "open"), ("yy", SCORE, "open"), ("kx", bell(120, 25), "open"),
        ("zf", bell(480, 70), "open"),
        ("kch", lambda d: f"{d.randint(1, 90):03d}", "none"),
        ("zwh", lambda d: f"{d.randint(1, 30):02d}", "none"),
        ("jhr1xm", person, "name"),
        ("jhr1dh", parted(mobile, (3, 4), "-"), "id"),
        ("jhr2dh", wide(mobile), "id"),
        ("jtzz", dwelling, "address"),
        ("bz", note, "id"),
    )),
    "车辆年检": (900, "gb18030", "\t", (
        ("检验流水号", lambda d: "330100" + day(d, 2022, 2025) + nums(d, 7), "none"),
        ("号牌号码", lambda d: plate(d)[:2] + d.choice(("", "", "·", "-")) + plate(d)[2:], "id"),
        ("号牌种类", of("小型汽车", "大型汽车", "小型新能源汽车"), "none"),
        ("车辆识别代号", lambda d: frame(d).lower() if d.random() < 0.2 else frame(d), "id"),
        ("发动机号", lambda d: "".join(d.choices(string.ascii_uppercase, k=2)) + nums(d, 6), "id"),
        ("所有人", mixed(person, person, person, firm), "name"),
        ("厂牌型号", of("大众汽车牌SVW71412ES", "帕萨特牌SVW72010", "比亚迪牌BYD7009BEV1",
         "五菱牌LZW6442JF"), "none"),
        ("初次登记日期", date("{0}.{1}.{2}", 2008, 2024), "open"),
        ("里程表读数(km)", bell(86000, 40000), "none"),
        ("左前轴制动力(daN)", bell(310, 40), "none"),
        ("CO(%)", num(0, 0.5, 2), "none"),
        ("引车员", person, "name"),
        ("检验结论", of("合格", "合格", "合格", "不合格(灯光)"), "none"),
        ("报告编号", lambda d: f"AJ{nums(d, 13)}", "none"),
    )),
    "企业年报": (1500, "utf-8-sig", ",", (
        ("统一社会信用代", uscc, "id"),
        ("注册号", registration, "id"),
        ("组织机构代码", organisation, "id"),
        ("ent_name企业名称", firm, "id"),
        ("法定代表人(负责", person, "name"),
        ("法人证件号", starred(sfz, 6, 4), "id"),
        ("企业联系电话", landline, "id"),
        ("电子邮箱", lambda d: f"{nums(d, 9)}@qq.example.com" if d.random() < 0.6 else "无", "id"),
        ("通信地址", dwelling, "address"),
        ("邮编", of("311100", "310012", "315400", "330008"), "none"),
        ("从业人数", bell(24, 20), "none"),
        ("资产总额(万元)", bell(900, 700, 2), "open"),
        ("营业总收入", bell(1400, 900, 4), "open"),
        ("年报年度", of("2022", "2023", "2024"), "none"),
        ("股东名称", mixed(person, person, firm), "name"),
        ("认缴出资额(万元)", of("10", "50", "100", "500", "1000"), "open"),
        ("网址", lambda d: f"www.{''.join(d.choices(string.ascii_lowercase, k=6))}.example.com", "none"),
        ("行业代码", of("F5179", "C3399", "H6210", "I6510", "E4710"), "none"),
    )),
    "养老金": (1000, "gb18030", ",", (
        ("单位编号", lambda d: "3301" + nums(d, 6), "-"),
        ("个人编号", lambda d: "1000" + nums(d, 6), "id"),
        ("社会保障号码", damaged(lambda d: sfz(d, 1938, 1965), 0.25), "id"),
        ("开户名", person, "name"),
        ("发放账号", parted(card, (4, 4, 4, 4), " "), "id"),
        ("出生年月", date("{0}{1:02d}", 1938, 1965), "quasi"),
        ("参加工作时间", date("{0}.{1:02d}", 1956, 1985), "open"),
        ("离退休类别", of("退休", "退职", "离休", "病退"), "open"),
        ("视同缴费年限(月)", bell(140, 60), "open"),
        ("养老金月额", bell(3900, 1200, 2), "sensitive"),
        ("过渡性补贴.元", bell(260, 90, 2), "open"),
        ("认证状态", of("已认证", "未认证", "停发"), "none"),
        ("供养亲属姓名", lambda d: person(d) if d.random() < 0.4 else "", "name"),
        ("手机", starred(mobile, 3, 4), "id"),
        ("批次", serial("YL", 2), "none"),
    )),
    "120急救": (1000, "utf-8", ",", (
        ("流水号", serial("", 4), "none"),
        ("受理时刻", stamp, "none"),
        ("呼救电话", mixed(mobile, mobile, mobile, landline), "id"),
        ("患者", mixed(*((person,) * 5), of("不详", "无名氏", "匿名女")), "name"),
        ("性别", of("男", "女", "未知"), "quasi"),
        ("年龄", mixed(*((lambda d: f"{d.randint(1, 95)}岁",) * 6), lambda d: f"{d.randint(1, 11)}月"),
         "quasi"),
        ("现场地点", lambda d: dwelling(d) + d.choice(("", "", "门口", "对面", "附近")), "address"),
        ("主诉", of("胸痛2小时", "车祸致右腿疼痛", "突发意识不清", "饮酒后呕吐", "高处坠落", "孕39周腹痛"),
         "sensitive"),
        ("初步诊断", of("急性心肌梗死?", "脑卒中", "酒精中毒", "多发伤", "先兆临产", "癫痫"), "sensitive"),
        ("送往医院", of("浙医二院", "市一医院", "余杭一院", "省中医院"), "-"),
        ("车牌", of("浙A1203D", "浙A5561D", "浙A9020D", "浙A3317D", "浙A8808D", "浙A0725D", "浙A6123D",
         "浙A1771D"), "id"),
        ("出车医生", of("田海波", "任燕", "余鹏", "杜慧", "卢立新", "程秀珍", "董志文", "沈佳"), "name"),
        ("LNG", num(119.8, 120.3, 5), "open"),
        ("LAT", num(30.1, 30.4, 5), "open"),
        ("响应时长(s)", bell(640, 200), "none"),
    )),
    "水电缴费": (3000, "utf-8", "|", (
        ("户号", lambda d: "33" + nums(d, 8), "id"),
        ("户名", mixed(person, person, person, firm), "name"),
        ("用电地址", dwelling, "address"),
        ("表资产号", lambda d: "3330009" + nums(d, 15), "-"),
        ("账期", date("{0}{1:02d}"), "none"),
        ("本期示数(kWh)", bell(20000, 7000, 2), "none"),
        ("电费(元)", bell(180, 90, 2), "open"),
        ("违约金", num(0, 9, 2), "none"),
        ("缴费渠道", of("支付宝", "网上国网", "银行代扣", "营业厅"), "none"),
        ("渠道流水", lambda d: day(d, 2022, 2025) + "2200" + nums(d, 16), "none"),
        ("代扣账号", starred(card, 6, 4), "id"),
        ("抄表员", of("周根水", "郭福德", "高永阿", "韩建国", "于红", "冯阿毛", "邓春", "彭志伟", "曾强"),
         "name"),
        ("通知手机", wrapped(mobile, "\t{}"), "id"),
    )),
    "library": (1500, "utf-8", ",", (
        ("PatronBarcode", lambda d: "0571" + nums(d, 9), "id"),
        ("PatronName", pinyin, "name"),
        ("CertNo", mixed(lambda d: "E" + nums(d, 8), lambda d: "G" + nums(d, 8), sfz), "id"),
        ("DOB", date("{0}{1:02d}{2:02d}", 1950, 2012), "quasi"),
        ("Gender", of("M", "F"), "quasi"),
        ("ReaderType", of("少儿", "成人", "老年", "学生"), "open"),
        ("ItemBarcode", lambda d: "33011" + nums(d, 9), "none"),
        ("ISBN", isbn, "none"),
        ("CallNo", lambda d: f"{d.choice(('TP311', 'I247.5', 'K825', 'R161'))}/{d.randint(1, 900)}", "none"),
        ("Title", of("平凡的世界", "活着", "百年孤独", "明朝那些事儿", "高等数学", "红楼梦", "三体",
         "小王子", "围城"), "none"),
        ("Author", of("路遥", "余华", "钱锺书", "刘慈欣", "曹雪芹", "当年明月", "同济大学数学系"), "-"),
        ("LoanDT",
         lambda d: f"{day(d, 2022, 2025)}{d.randint(8, 20):02d}{d.randint(0, 59):02d}{nums(d, 2)[0]}0",
         "none"),
        ("Renewals", num(0, 3), "none"),
        ("Fine_CNY", num(0, 12, 1), "none"),
        ("eMail",
         lambda d: f"{''.join(d.choices(string.ascii_lowercase, k=6))}{d.randint(70, 99)}@163.example.com",
         "id"),
        ("WeChatOpenID", lambda d: "oX3k" + "".join(d.choices(string.ascii_letters + string.digits + "_-",
         k=24)), "id"),
    )),
    "临住登记": (500, "utf-8", ",", (
        ("中文姓名", lambda d: person(d) if d.random() < 0.5 else "", "name"),
        ("英文姓", of("SMITH", "GARCIA", "KIM", "IVANOV", "SUZUKI", "SINGH", "MUELLER", "CHAN", "DUPONT",
         "ROSSI"), "name"),
        ("英文名", of("JOHN ALAN", "MARIA", "MINJUN", "OLGA", "KENTA", "RAJ", "HANS", "KA WAI", "CLAIRE",
         "LUCA"), "name"),
        ("证件种类", of("普通护照", "港澳居民来往内地通行证", "台湾居民来往大陆通行证"), "none"),
        ("证件号", mixed(lambda d: d.choice("ABCJK") + nums(d, 8), lambda d: "H" + nums(d, 8),
         lambda d: nums(d, 8)), "id"),
        ("国籍(地区)", of("美国", "韩国", "日本", "俄罗斯", "印度", "德国", "中国香港"), "quasi"),
        ("生日",
         english_date, "quasi"),
        ("签证号", lambda d: "Y" + nums(d, 7), "id"),
        ("入境口岸", of("浦东机场", "萧山机场", "罗湖", "珠海拱北"), "open"),
        ("住宿地址", dwelling, "address"),
        ("房间", lambda d: f"{d.randint(2, 30)}{d.randint(1, 40):02d}", "none"),
        ("联络电话", lambda d: d.choice(("+82-10-", "+1 415 ", "+81 90-", "+852 ")) + nums(d,
         4) + d.choice(("-", " ")) + nums(d, 4), "id"),
        ("留宿单位", mixed(firm, lambda d: d.choice("西湖泛武") + "亚商务宾馆"), "id"),
    )),
    "残疾人救助": (700, "gb18030", ",", (
        ("序号", num(1, 700), "none"),
        ("残疾人证号", lambda d: sfz(d) + d.choice("1234567") + d.choice("1234"), "id"),
        ("姓名", starred(person, 1, 0), "name"),
        ("残疾类别", of("视力", "听力", "言语", "肢体", "智力", "精神", "多重"), "sensitive"),
        ("残疾等级", of("一级", "二级", "三级", "四级"), "sensitive"),
        ("户口性质", of("农业", "非农业"), "quasi"),
        ("家庭人口(人)", num(1, 7), "quasi"),
        ("家庭住址", lambda d: f"{d.choice(VILLAGES)}{d.randint(1, 18)}组", "address"),
        ("监护人", person, "name"),
        ("", wrapped(mobile, "'{}"), "id"),
        ("低保类型", of("A类", "B类", "C类"), "sensitive"),
        ("补贴标准(元/月)", of("311", "622", "933"), "open"),
        ("一卡通账号", damaged(card, 0.4), "id"),
        ("开户行", of("余杭农商银行瓶窑支行", "邮储银行径山支行", "农行良渚支行"), "none"),
        ("入户核查情况", note, "id"),
    )),
    "镇街汇总": (300, "utf-8-sig", ",", (
        ("统计月份", date("{0}年{1}月"), "none"),
        ("区划代码", lambda d: "330110" + d.choice(("001", "002", "107")) + nums(d, 3), "none"),
        ("镇街", of(*TOWNS), "none"),
        ("户籍户数", bell(9000, 3000), "none"),
        ("常住人口", bell(52000, 9000), "none"),
        ("其中：男", bell(26000, 5000), "none"),
        ("其中：女", bell(26000, 5000), "none"),
        ("60岁及以上", bell(9000, 1500), "none"),
        ("出生人数", bell(30, 9), "none"),
        ("低保户数", bell(120, 40), "none"),
        ("同比(%)", num(-9, 9, 2), "none"),
        ("财政拨款(万元)", bell(4000, 900, 2), "none"),
    )),
    "采购入库": (1300, "utf-8", ",", (
        ("合同编号", lambda d: f"CG{d.randint(2021, 2025)}-{nums(d, 4)}-{d.choice('AB')}", "none"),
        ("批次号", lambda d: "13" + day(d, 2022, 2025)[2:] + nums(d, 3), "none"),
        ("物料编码", lambda d: "330102" + day(d, 1990, 2019) + nums(d, 4), "none"),
        ("供应商", firm, "id"),
        ("税号", lambda d: uscc(d).lower(), "id"),
        ("SSCC", lambda d: "00" + nums(d, 18), "none"),
        ("69码", lambda d: "692" + nums(d, 10), "none"),
        ("发票号码", lambda d: "2" + nums(d, 19), "none"),
        ("发票代码", lambda d: "0330023" + nums(d, 5), "none"),
        ("单价", num(3, 900, 2), "none"),
        ("数量(箱)", num(1, 400), "none"),
        ("金额合计", lambda d: f"{d.uniform(100, 90000):,.2f}", "none"),
        ("对公账号", lambda d: "3301040160" + nums(d, 9), "id"),
        ("联系人/电话", lambda d: person(d) + d.choice(("", " ", "/")) + mobile(d), "id"),
        ("生产日期", date("{0}{1:02d}{2:02d}"), "none"),
        ("验收人", person, "name"),
        ("GUID",
         guid, "none"),
    )),
    "停车": (400, "utf-8", ",", (
        ("cphm", lambda d: plate(d).lower() if d.random() < 0.3 else plate(d), "id"),
        ("入场", stamp, "none"),
        ("fee", num(0, 60, 1), "none"),
    )),
    "体检": (500, "gb18030", ",", (
        ("基本信息_体检编号", serial("TJ", 4), "-"),
        ("基本信息_XM", person, "name"),
        ("基本信息_SFZH", wrapped(sfz, '="{}"'), "id"),
        ("基本信息_LXDH", parted(mobile, (3, 4), " "), "id"),
        ("基本信息_单位", firm, "id"),
        ("基本信息_XB", of("男", "女"), "quasi"),
        ("基本信息_NL", bell(42, 12), "quasi"),
        ("一般_身高(cm)", bell(166, 8, 1), "sensitive"), ("一般_体重(kg)", bell(64, 10, 1), "sensitive"),
        ("一般_BMI", bell(23, 3, 1), "sensitive"), ("一般_收缩压(mmHg)", bell(124, 14), "sensitive"),
        ("一般_舒张压", bell(79, 9), "sensitive"), ("一般_脉搏(次/分)", bell(74, 9), "sensitive"),
        ("血常规_WBC(10^9/L)", bell(6, 1.4, 2), "sensitive"), ("血常规_RBC", bell(4.7, 0.4, 2), "sensitive"),
        ("血常规_HGB(g/L)", bell(140, 13), "sensitive"), ("血常规_PLT", bell(220, 45), "sensitive"),
        ("生化_GLU(mmol/L)", bell(5.3, 0.8, 2), "sensitive"), ("生化_ALT(U/L)", bell(24, 12), "sensitive"),
        ("生化_TC", bell(4.8, 0.8, 2), "sensitive"), ("生化_TG", bell(1.5, 0.8, 2), "sensitive"),
        ("生化_尿酸", bell(340, 70), "sensitive"), ("生化_肌酐", bell(72, 14), "sensitive"),
        ("乙肝表面抗原", of("阴性", "阴性", "阴性", "阳性"), "sensitive"), ("HIV抗体", of("阴性", "未查"),
         "sensitive"),
        ("ABO血型", of("A", "B", "O", "AB"), "open"),
        ("视力左", of("4.6", "4.8", "5.0", "5.1"), "sensitive"), ("心电图", of("窦性心律", "窦性心动过缓",
         "T波改变"), "sensitive"),
        ("B超", of("脂肪肝", "胆囊息肉", "未见异常", "甲状腺结节"), "sensitive"),
        ("既往史", of("无", "高血压", "糖尿病", "哮喘"), "sensitive"), ("吸烟", of("是", "否", "已戒"),
         "open"),
        ("总检医师", of("徐慧", "孙志文", "胡玉兰", "何斌", "罗秀珍", "梁永新", "谢佳", "唐浩然", "许晨"),
         "name"),
        ("总检日期", date("{0}/{1}/{2}"), "none"),
        ("收费(元)", of("380", "620", "980"), "none"),
        ("条码号", lambda d: "90" + nums(d, 10), "none"),
        ("套餐", of("入职", "常规A", "常规B", "老年"), "none"),
    )),
}  # fmt: skip
WANTED = {"id": "identifier", "name": "identifier", "address": "identifier"}


def write(file: Path, title: str, seed: int) -> None:
    """The table as its body exports it: by its encoding and separator, with holes in every third column."""
    rows, encoding, separator, columns = TABLES[title]
    draw = Draw(f"{seed}-{title}")
    holes = [draw.choice((0.0, 0.0, 0.05)) for _ in columns]
    with file.open("w", encoding=encoding, errors="replace", newline="") as out:
        writer = csv.writer(out, delimiter=separator)
        writer.writerow([header for header, _, _ in columns])
        for _ in range(rows):
            writer.writerow(
                draw.choice(NOTHING) if draw.random() < hole else make(draw)
                for (_, make, _), hole in zip(columns, holes, strict=True)
            )


def share(part: int, whole: int) -> str:
    return f"{part}/{whole} = {part / whole:.3f}" if whole else "-"


def main() -> None:
    """Write, profile, count, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--only", nargs="*", default=list(TABLES))
    parser.add_argument("--show", action="store_true", help="also what was proposed rightly")
    parser.add_argument("--json", type=Path, help="write what was proposed for every column")
    options = parser.parse_args()
    pairs: Counter[tuple[str, str]] = Counter()
    told = []
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for number, title in enumerate(options.only):
            file = Path(folder) / f"{number}.csv"
            write(file, title, options.seed)
            columns = TABLES[title][3]
            found = profile(read(file)).fields
            for (header, _, truth), one in zip(columns, found, strict=True):
                pairs[truth, one.role] += 1
                told.append({"table": title, "header": header, "truth": truth, **one.model_dump(mode="json")})
                right = truth in ("open", "-") and (truth == "-" or one.role != "identifier")
                right |= one.role == WANTED.get(truth, truth) or (truth, one.role) == ("none", "other")
                if options.show or not right:
                    codes = ",".join(reason.code for reason in one.reasons)
                    mark = "      " if right else "WRONG "
                    print(mark, title, header, truth, "->", one.role, one.kind or "-", one.confidence, codes)
    if options.json:
        options.json.write_text(json.dumps(told, ensure_ascii=False, indent=1), "utf-8")
    counted = Counter({pair: count for pair, count in pairs.items() if pair[0] != "-"})
    true = [sum(n for (truth, _), n in counted.items() if truth in group) for group in (WANTED, ("id",))]
    hit = {truth: counted[truth, "identifier"] for truth in WANTED}
    said = sum(count for (_, role), count in counted.items() if role == "identifier")
    print(f"columns {sum(pairs.values())}, counted {sum(counted.values())}; of {true[0]} identifier columns")
    print(
        "identifiers: recall", share(sum(hit.values()), true[0]), "precision", share(sum(hit.values()), said)
    )
    for truth in WANTED:
        print(f"  {truth}: recall", share(hit[truth], sum(n for (t, _), n in counted.items() if t == truth)))
    for role in ("quasi", "sensitive"):
        whole = sum(n for (truth, _), n in counted.items() if truth == role)
        proposed = sum(n for (truth, r), n in counted.items() if r == role and truth != "open")
        right_ = counted[role, role]
        print(f"{role}: recall", share(right_, whole), "precision", share(right_, proposed))
    print(f"{time.process_time() - begun:.0f} CPU s")


if __name__ == "__main__":
    main()
