"""Names of persons in columns: by their surnames and by the characters of their given names.

A single name cannot be told from a word; a column of them can. The surnames are those of the Hundred Family
Surnames and of the yearly list of the ministry of public security; the characters of given names are the
commonest of the same lists; the English names are the commonest of the public lists of the US Social Security
Administration.
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl

_SINGLE = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜"
    "崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向汤常温康施文牛樊葛"
    "邢安齐易乔伍庞颜倪庄聂章鲁岳翟申殷詹欧耿关焦兰俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷曲盛冉翁蓝路"
    "游辛靳欧管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂"
    "全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝官封谈匡鞠惠荆乐冀郁胥南班储原栗燕"
    "楚鄢劳谌奚皮粟冼蔺楼盘满闻位厉伊仝区郜海阚花权强帅屠豆朴盖练廉禹井祖漆巴丰支卿国狄平计索宣晋相初门云容敬来扈晁"
)
_DOUBLE = re.findall(
    r"\w+",
    "欧阳 上官 司马 诸葛 皇甫 尉迟 公孙 慕容 司徒 令狐 夏侯 东方 独孤 南宫 长孙 宇文 轩辕 端木 百里 "
    "呼延 申屠 太史 闻人 澹台 赫连 单于 钟离 鲜于 司空 闾丘 淳于 万俟 濮阳 公羊 宗政 拓跋 ",
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英秀兰玉华红梅春花建国志文海波宇浩轩子涵梓欣怡诺一博雅婷雪梦佳颖琳"
    "晨阳鑫辉鹏飞龙云峰林森坤俊豪凯旋天泽瑞思雨语彤嘉琪慧莹洁晶璐瑶瑜琴萍燕凤珍莲荣贵福祥德成忠义仁礼信和顺利安康健"
    "生根宝庆有财发旺兴东西南北中正清新宏光亮永长远大小少青松柏竹菊荷香月星辰日升晓曦露冰霜虹彩莉蓉薇菲蕾蓓芬芝芸苗"
    "茜若倩影妍妮姗婉娇媛嫣然悦心恬宁舒畅乐欢笑爱美善良真诚可儿淑贤惠勤俭斌彬武威猛刃立毅恒坚定锋钢铁铭锐钧钰银金鸿"
    "翔腾达通运昌盛隆茂繁学书画诗墨翰哲睿智聪颜颂奕弈煜烨炜炎焱灿焕熙曼景昊昕旭旺昱晗晖晟朗航帆舟江河湖溪泉源润泓深"
    "淇渊渝涵沛沐汐汝冬秋夏水火木土石玲珊珠瑾璇琦琪琛琼瑛瑞环佩丹丽丰乃之也亦亚京人介仪代以任伊会传伦伯佑作依侠保修"
    "倍倬健元先克全兆党公其典冠凌凡凝刘力加劲劳化升卉卓博卫印厚原友双叶可史司同名吉君启周品哈响唯唱喜嘉园圆圣均城培"
    "基堂增士壮声复多夫央奇女妙姝娅婵婧孝孟季学守宗官定宛实宣宸容宽富寒寿封尊尔尚山岗岚岩岳峻崇川巍州工巧巨帅常平年"
    "广庭延弘弟张彦彪彭征律微心必忆念怀恩悠情惜惟意慈戈才承拓振捷掌收攀放政教敦文斐方旗无时映普暖最曙有服本李村来杨"
    "栋树校格桐桢梁梧楚楠榆榕欧殿民气汉沙治泰津洪济润渝湘滢满滨漫潇潮澄澜濤灵照爽牧牛特献玄率玺珂珏班理琨瑄璞甜用甫"
    "田申甲留略疆登白百皓益相石硕磊祖祯祺禄福禾科秉程稳穆空立端笛策筠简米素红纪纯练经绍维缘罗群羽翠翼耀老考耕聚肖胜"
    "能臣自至致航良艺节芊芙花芮芷苏苑英范茵荟莎菁萌萱蒙蓝薛虎行衡裕西观见言誉计训论许诚谊谦谨谷豫贝贞财贤赋赞超越"
    "跃路轶辰迅迎进远连逸道邦郎采里重钊钦铎锦镇镜长门闯问闻际陆陶隽雄雁集霄霆霖青韬音韵顶项顺风飒香馨驰驹骁骏高魁"
    "魏鲁鸣鹤鹰麒麟黎黛齐龄"
)
_ENGLISH = re.findall(
    r"\w+",
    "james john robert michael william david richard joseph thomas charles christopher daniel "
    "matthew anthony mark donald steven paul andrew joshua kenneth kevin brian george edward ronald "
    "timothy jason jeffrey ryan jacob gary nicholas eric jonathan stephen larry justin scott brandon "
    "benjamin samuel gregory frank alexander raymond patrick jack dennis jerry tyler aaron jose "
    "henry adam douglas nathan peter zachary kyle walter harold jeremy ethan carl keith roger gerald "
    "christian terry sean arthur austin noah lawrence jesse joe bryan billy jordan albert dylan "
    "bruce willie gabriel alan juan logan wayne ralph roy eugene randy vincent russell louis philip "
    "mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty "
    "margaret sandra ashley kimberly emily donna michelle carol amanda dorothy melissa deborah "
    "stephanie rebecca sharon laura cynthia kathleen amy angela shirley anna brenda pamela emma "
    "nicole helen samantha katherine christine debra rachel carolyn janet catherine maria heather "
    "diane ruth julie olivia joyce virginia victoria kelly lauren christina joan evelyn judith megan "
    "andrea cheryl hannah jacqueline martha gloria teresa ann sara madison frances kathryn janice "
    "jean abigail alice julia judy sophia grace denise amber doris marilyn danielle beverly isabella "
    "theresa diana natalie brittany charlotte marie kayla alexis lori oliver harry charlie oscar leo "
    "theo freddie archie amelia isla ava freya lily poppy ivy elsie ella mia evie sophie jacob alfie "
    "lucas mason liam jayden ",
)
# What ends the names of places, bodies and groups: no name of a person ends so where the rest is one.
NO_NAME = (
    r"[省市县区镇乡村州盟旗局厅院校部委站所厂店社会处科类型率数额量值期季度年月日元岁人户项件级计他业品路街道组别段"
    r"河江湖山岛港湾库矿班系室中]$"
)
_PATTERN = (
    f"^(?:{'|'.join(_DOUBLE)})[{''.join(dict.fromkeys(_GIVEN))}]{{1,2}}$|"
    f"^[{''.join(dict.fromkeys(_SINGLE))}][{''.join(dict.fromkeys(_GIVEN))}]{{1,2}}$"
)
# What a Chinese name begins with.
SURNAME = f"^(?:{'|'.join(_DOUBLE)}|[{''.join(dict.fromkeys(_SINGLE))}])"
_FOREIGN = r"^[\p{Han}]{1,6}·[\p{Han}]{1,8}(?:·[\p{Han}]{1,8})?$"
_FEWEST = 8  # distinct values from which a column can be told
SHARE = 0.5  # share of name-like values of a column of names
SURE = 0.6  # the same where no header says so and it is still certain
_SPREAD = 5  # distinct first characters: a list of words that begin alike is none of names


def like_names(values: pl.Series) -> pl.Series:
    """Which of ``values`` have the form of a Chinese person's name (nulls have not)."""
    bare = values.str.replace_all(r"[\s]", "")
    like = bare.str.contains(_PATTERN) & ~(bare.str.contains(NO_NAME) & (bare.str.len_chars() != 3))
    return (like | bare.str.contains(_FOREIGN)).fill_null(False)


def _english(values: pl.Series) -> pl.Series:
    first = values.str.strip_chars().str.to_lowercase().str.extract_all(r"[a-z]{2,}")
    shape = values.str.contains(r"^[A-Za-z][a-z'.\-]{1,15}(?:[ ,]{1,2}[A-Za-z][A-Za-z'.\-]{0,15}){0,3}$")
    known = first.list.eval(pl.element().is_in(_ENGLISH)).list.any()
    return (shape & known).fill_null(False)


def share(values: pl.Series) -> float:
    """The share of the distinct ``values`` (folded text, no nulls) that are like a person's name, 0 to 1.

    0 where there are too few to tell."""
    known = values.drop_nulls().unique()
    if len(known) < _FEWEST:
        return 0.0
    han = known.str.contains(r"^[\p{Han}·\s]{2,16}$")
    like = known.filter(like_names(known)) if bool(han.any()) else known.clear()
    if len(like) and like.str.slice(0, 1).n_unique() < min(_SPREAD, len(like)):
        like = like.clear()
    latin = int(_english(known).sum()) if bool(known.str.contains("^[A-Za-z]").any()) else 0
    # One in two of the given names of a country is among its commonest two hundred.
    return min(1.0, max(len(like), 1.5 * latin) / len(known))


def begins_with_name(values: list[str]) -> np.ndarray:
    """Which of ``values`` begin with a Chinese person's name (of two to four characters)."""
    frame = pl.Series(values, dtype=pl.String)
    found = [like_names(frame.str.slice(0, size)) for size in (2, 3, 4)]
    return np.asarray((found[0] | found[1] | found[2]).to_numpy())
