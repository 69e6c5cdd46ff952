"""Words of headers, each with what it says: patterns over ``concepts.normal``, asked in this order.

Languages: Chinese (with the initials of Pinyin that registers use), English, and those that neighbouring
states and the portals of open data publish in. A word counts only as far as the content does not contradict
it.
"""

from __future__ import annotations

import re

# Units of what is measured of a body; in a table about nobody they are those of anything.
MEASURED = re.compile(r"mm ?hg|mmol ?l|[μu]mol ?l|\b[im]?u ?l\)|\bg ?l\)|10\^(9|12) ?l|次 分")
HEADERS: dict[str, str] = {
    "disability_card": "残疾人?证(号|编号|$)|disability (card|certificate) (no|num|id)",
    "minor_guardian": "监护|guardian",
    "resident_id": (
        "身份证|身分證|公民身份|身份号|证件号|證件號|sfz|zjh|idcard|id ?card|identity (card|no|num)|"
        r"resident (id|no|num)|\bid (no|num(ber)?)$|national id|citizen|"
        r"\bssn\b|\bdni\b|\bnif\b|\bcpf\b|주민등록|"
        "マイナンバー"
    ),
    "passport": "护照|護照|passport|pasaporte|passnummer|паспорт|여권",
    "home_permit": "通行证|通行證|回乡证",
    "mobile": r"手机|手機|移动电话|sjh|mobile|cell ?phone|\bcell\b|móvil|movil|handy|휴대|携帯",
    "landline": r"电话|電話|座机|联系方式|lxdh|\bdh\b|phone|\btel\b|telefon|téléphone|телефон|전화",
    "email": "邮箱|郵箱|邮件|e ?mail|correo|courriel|メール|이메일",
    "social": "社保卡?号|社会保障(卡|号)|社保编号|sbkh|social security (no|num)",
    "medical": "医保卡?号|医疗保险号|医保编号|ybkh|insurance (no|num|id)",
    "bank_card": r"银行卡|卡号|bank ?card|card (no|num)|\bpan\b|credit ?card|tarjeta",
    "account": (
        r"账号|帐号|账户|帐户|銀行賬|yhzh|account (no|num|id)|bank account|\biban\b|cuenta|kontonummer"
    ),
    "uscc": "信用代码|信用代碼|uscc|tyshxy|credit code|税号|纳税人识别",
    "organisation_code": "组织机构代码|机构代码|zzjgdm|org(anisation|anization)? code",
    "business_licence": "营业执照|注册号|工商注册|licen[cs]e no",
    "plate": "车牌|[號号]牌(?!种|类|颜)|车号|cph|plate|matricul|kennzeichen",
    "vin": r"车架|识别代号|\bvin\b|chassis",
    "imei": "imei|串号",
    "mac": r"\bmac\b( addr.*)?$|物理地址",
    "ipv4": r"\bip(v4|v6)?\b( addr.*)?$|ip地址|客户端地址",
    "patient": (
        "病历号|病案号|住院号|门诊号|就诊卡|患者(编号|id|号)|^(zyh|blh|bah|mzh|jzkh)$|"
        r"patient(en|e)? ?(id|no|nr|num)|\bmrn\b"
    ),
    "student": "学号|學號|学籍|考生号|考号|准考证|^(zkzh|xjh|ksh)$|(student|candidate) (id|no|num)|matrikel",
    "staff": "工号|警号|^(yg|zg)?gh$|员工(编号|号|id)|employee (id|no|num)|staff (id|no|num)|personalnummer",
    "engine": r"发动机(号|编号)|^fdjh$|engine (no|num|id|serial)",
    "vehicle_certificate": "登记证书(号|编号)|行驶证(号|编号|芯)",
    "person_number": (
        r"(个人|人员|参保人?|居民|市民|职工|学员|考生|旅客|租户)(编号|编码|代码|识别号|标识|id$)|^(grbh|rybh|ryid)$|"
        r"\b(person(al)?|citizen|resident) (id|no|num(ber)?|code)$"
    ),
    "certificate": (
        "(结婚|离婚|婚姻|居住|暂住|学生|毕业|学位|资格|执业|从业|工作|老年|优待|退役|服刑|签)证书?(字号|编号|号)|"
        r"[证證]字号|^(visa|permit) (no|num(ber)?|id)$|(marriage|diploma) (certificate )?(no|num)"
    ),
    "household": "户号|户口簿号|household (id|no|num)",
    "driver": "驾驶证|驾照|driver'?s? licen[cs]e",
    "user": (
        "用户(名|id|号|编号)|会员(号|编号|id)|客户(号|编号|id)|user ?(id|name)$|member (id|no)|"
        r"customer (id|no)|读者(证|条码|编号|号)|借书证|借阅证|图书证|"
        r"(patron|reader|borrower) ?(id|no|num|card|barcode)|"
        r"openid|unionid|\bqq\b|微信号|\bwe ?chat"
    ),
    "birth_date": (
        r"出生(?!证|地|体重|医学|人数|人口|率)|生日|csrq|^csny$|birth ?(date|day)?$|date of birth|\bdob\b|"
        "born|nacimiento|naissance|geburt|рожден|생년|생일|生年月"
    ),
    "person_name": (
        "姓名|名字|人名|^[a-z]{0,5}xm$|[^人万千个]人$|联系人|聯絡人|户主|戶主|患者$|户名$|(英文|拼音|外文)[姓名]$|"
        "法定代表|法人代表|法人姓名|经办人|申请人|"
        "当事人|收件人|投保人|被保险人|负责人|"
        r"\b(first|last|full|given|family|sur|fore|middle|nick|patient|customer|patron|reader|borrower|guest|"
        r"passenger|applicant|payee|payer|holder|tenant|visitor|parent|guardian|spouse|father|mother|"
        r"person|contact|owner|student|employee|client)s? ?names?$|"
        "^names?$|surname|forename|nombre|apellido|prénom|prenom|^nom$|vorname|nachname|фамилия|^имя|"
        "фио|氏名|名前|성명|이름|full ?name"
    ),
    "address": (
        r"住址|地址|住所|居住地|家庭地|^[a-z]{0,3}dz$|^zz$|address|\baddr|street|direcci|adresse|anschrift|"
        "адрес|住宅|주소"
    ),
    "sex": r"性别|性別|^xb$|\bsex\b|gender|sexo|geschlecht|^пол$|성별",
    "age": r"年龄|年齡|岁数|^nl$|\bage\b|edad|^alter$|возраст|나이|연령|年令",
    "ethnicity": r"民族|^mz$|ethnic|\brace\b|raza",
    "nationality": ("国籍|國籍|nationality|citizenship|(native|birth) country|country of birth|nacionalidad"),
    "marital": "婚姻|婚况|婚史|hyzk|marital|married|estado civil|familienstand",
    "religion": "宗教|信仰|religio",
    "politics": "政治面貌|党派|zzmm|political|party$",
    "orientation": "性取向|sexual orient",
    "crime": "犯罪|前科|罪名|刑期|违法记录|crimin|convict|offen[cs]e",
    "biometrics": (
        "指纹|人脸|虹膜|声纹|掌纹|步态|基因|biometric|fingerprint|face ?(id|emb|vec|feat)|"
        "iris ?(code|scan)|dna"
    ),
    "health": (
        "疾病|病名|病种|病史|慢病|慢性病|诊断|診斷|症状|用药|药品|药名|手术|过敏|残疾|血压|血糖|既往史|家族史|"
        r"体检(?!编?号|日期|时间|机构|单位|费)|身高|体重|体脂|腰围|\bbmi\b|脉搏|心率|心律|体温|血氧|收缩压|舒张压|"
        "血脂|血常规|尿常规|尿酸|肌酐|胆固醇|甘油三酯|转氨酶|血红蛋白|(红|白)细胞|血小板|肝功|肾功|"
        "生化( |检)|抗体|抗原|"
        r"心电|超声|b超|彩超|胸片|影像所见|视力|听力|\bhiv\b|hbsag|孕周|产次|月经|heart rate|"
        r"blood (pressure|glucose)|"
        r"ha?emoglobin|cholesterol|creatinine|"
        r"医嘱|主诉|\bicd|diagnos|disease|illness|symptom|medication|\bdrug|surgery|allerg|disabilit|"
        "chronic|krank|enfermedad|maladie"
    ),
    "blood": "血型|blood ?(type|group)",
    "credit": "征信|信用分|信用评分|credit ?(score|record|history)",
    "aid": "低保|特困|救助|孤儿|抚恤|留守|五保|贫困|welfare|benefit claim",
    "track": "轨迹|行踪|住宿记录|出行记录|check ?in|traject|whereabouts",
    "messages": "通话记录|通话内容|短信内容|聊天|通信内容|call log|(?<!we)(?<!we )chat|message (body|text)",
    "income": (
        r"(?<!营业)收入(?!合计)|工资|薪|存款|余额|贷款|负债|年收|资产(?!总|编?号|编码|卡片)|"
        r"养老金|退休(金|费)|离休(金|费)|公积金|奖金|津贴|缴费基数|待遇金额|pension|income|salar|\bwages?\b|"
        r"earning|deposit|balance|ingreso|gehalt|einkommen|revenu\b|доход|所得|연봉|소득"
    ),
    "turnover": (
        "营业额|营业收入|营收|产值|利润|纳税|税额|销售额|销售收入|成本|能耗|用电量|订单额|研发|"
        r"资产总额|负债总额|进出口额|revenue|turnover|profit|\bsales\b|\btax(es)?\b|output value|"
        r"\bcosts?\b|expenditure|ebit|umsatz|gewinn|ventas|facturaci"
    ),
    "employer": "工作单位|就业单位|雇主|gzdw|employer|workplace",
    "organisation": (
        "企业名|公司名|单位名|机构名|商户名|供应商|承包商|纳税人名|法人名称|qymc|dwmc|compan(y|ies)|"
        "organi[sz]ation|enterprise|supplier|vendor|firm( name)?$|business name|empresa|firma$|"
        "société|会社|회사"
    ),
    "school": (
        "毕业(学校|院校|中学)|(就读|所在|录取)(学校|院校)|学校名称|(所在)?班级|^(byxx|byyx|bj)$|"
        "school name|(former|last|current) school$|^class ?room$"
    ),
    "residence": "(户口|户籍)(性质|类型|类别)|^hkxz$|hukou",
    "education": (
        "学历|學歷|文化程度|受教育|教育程度|学位|whcd|^xl$|educ(ation)?|degree|schooling|estudios|bildung"
    ),
    "occupation": (
        r"职业|職業|工种|岗位|职务|职称|occupation|\bjob\b|profession|work ?class|job title|beruf|"
        "ocupaci"
    ),
    "division": (
        "区划|地区|區域|区县|区域|^[省市县区]$|省份|城市|街道|乡镇|社区|籍贯|户籍地|所属地|出生地|"
        "xzqh|"
        r"\b(area|district|county|province|city|region|town|state|municipality|place of birth)\b|"
        r"\b(borough|ward)\b|"
        "provincia|ciudad|municipio|landkreis|город|район"
    ),
    "postcode": r"邮编|邮政编码|郵編|yzbm|\bzip\b|zip ?code|postal|postcode|postleitzahl|\bplz\b",
    "latitude": r"纬度|緯度|\blat(itude)?\b|latitud",
    "longitude": r"经度|經度|\b(lon|lng|long)(itude)?\b|longitud",
    "household_size": "家庭人(口|数)|户人口|子女|household size|children|family size",
    "event_time": (
        r"日期|时间|時間|年份|月份|\b(date|time|timestamp|datetime|created|updated|year|month|day)\b|"
        "( at| on|_ts)$|fecha|datum|дата|일자|日付"
    ),
    "number": (
        "订单|单号|流水|编号|編號|序号|批次|工单|案号|合同号|order|serial|ticket|invoice|batch|"
        r"contract no|case no|^xh$|^bh$|\b(no|num|seq|index|idx)$|номер|番号|번호"
    ),
    "amount": (r"金额|價格|价格|费用|单价|总价|amount|price|\bfee\b|total|importe|betrag|сумма|金額|금액"),
    "count": r"数量|人数|户数|件数|次数|面积|count|quantity|\bqty\b|number of|anzahl|cantidad",
    "remark": (r"备注|備註|说明|描述|内容|意见|remark|\bnotes?\b|comment|descri|memo|观察|bemerk|observaci"),
    "status": r"状态|狀態|类型|類型|类别|等级|status|\btype\b|categor|class$|\bkind\b|\blevel\b",
}
