"""The county-level divisions of Guizhou with their codes (GB/T 2260), by prefecture.

Names and codes: public administrative divisions. Populations: bulletin of the Seventh National
Population Census for Guizhou (1 November 2020), by prefecture; no finer weight is used.
"""

from __future__ import annotations

# prefecture code: (name, residents in 2020, "<last two digits><county>" …)
PREFECTURES: dict[str, tuple[str, int, str]] = {
    "5201": (
        "贵阳市",
        5_987_018,
        "02南明区 03云岩区 11花溪区 12乌当区 13白云区 15观山湖区 21开阳县 22息烽县 23修文县 81清镇市",
    ),
    "5202": ("六盘水市", 3_031_602, "01钟山区 03六枝特区 04水城区 81盘州市"),
    "5203": (
        "遵义市",
        6_606_675,
        "02红花岗区 03汇川区 04播州区 22桐梓县 23绥阳县 24正安县 25道真仡佬族苗族自治县 "
        "26务川仡佬族苗族自治县 27凤冈县 28湄潭县 29余庆县 30习水县 81赤水市 82仁怀市",
    ),
    "5204": (
        "安顺市",
        2_470_630,
        "02西秀区 03平坝区 22普定县 23镇宁布依族苗族自治县 24关岭布依族苗族自治县 25紫云苗族布依族自治县",
    ),
    "5205": (
        "毕节市",
        6_899_636,
        "02七星关区 21大方县 23金沙县 24织金县 25纳雍县 26威宁彝族回族苗族自治县 27赫章县 81黔西市",
    ),
    "5206": (
        "铜仁市",
        3_298_468,
        "02碧江区 03万山区 21江口县 22玉屏侗族自治县 23石阡县 24思南县 25印江土家族苗族自治县 26德江县 "
        "27沿河土家族自治县 28松桃苗族自治县",
    ),
    "5223": (
        "黔西南布依族苗族自治州",
        3_015_112,
        "01兴义市 02兴仁市 23普安县 24晴隆县 25贞丰县 26望谟县 27册亨县 28安龙县",
    ),
    "5226": (
        "黔东南苗族侗族自治州",
        3_758_622,
        "01凯里市 22黄平县 23施秉县 24三穗县 25镇远县 26岑巩县 27天柱县 28锦屏县 29剑河县 30台江县 "
        "31黎平县 32榕江县 33从江县 34雷山县 35麻江县 36丹寨县",
    ),
    "5227": (
        "黔南布依族苗族自治州",
        3_494_385,
        "01都匀市 02福泉市 22荔波县 23贵定县 25瓮安县 26独山县 27平塘县 28罗甸县 29长顺县 30龙里县 "
        "31惠水县 32三都水族自治县",
    ),
}

# Shares of the people (per cent) by prefecture, rounded by us from published orders of magnitude.
PEOPLES = ("汉族", "苗族", "布依族", "土家族", "侗族", "彝族", "仡佬族", "水族", "回族", "白族")
PEOPLE_SHARES: dict[str, tuple[float, ...]] = {
    "5201": (80, 7, 5, 2, 2, 1.5, 1, 0.5, 0.5, 0.5),
    "5202": (72, 7, 6, 0.5, 0.5, 9, 1.5, 1, 1, 1.5),
    "5203": (86, 4, 0.5, 2.5, 0.5, 0.3, 6, 0.1, 0.1, 0),
    "5204": (60, 15, 18, 0.5, 0.5, 1, 3, 0.2, 1.5, 0.3),
    "5205": (72, 8, 4, 0.3, 0.3, 10, 2, 0.2, 1.6, 1.6),
    "5206": (30, 14, 0.3, 37, 13, 0.2, 5, 0.1, 0.2, 0.2),
    "5223": (58, 8, 28, 0.3, 0.3, 3, 0.6, 0.2, 1.4, 0.2),
    "5226": (19, 42, 1, 0.8, 31, 0.2, 1.5, 4, 0.3, 0.2),
    "5227": (42, 14, 31, 0.5, 1, 0.3, 0.5, 10, 0.4, 0.3),
}


def counties() -> list[tuple[str, str, str, float]]:
    """``(code, prefecture, county, weight)``; within a prefecture its people are spread evenly, but a
    district (区) or city (市) gets half as many again as a county."""
    rows = []
    for prefecture, (name, residents, listed) in PREFECTURES.items():
        parts = [(prefecture + one[:2], one[2:], 1.5 if one[-1] in "区市" else 1.0) for one in listed.split()]
        total = sum(weight for _, _, weight in parts)
        rows += [(code, name, county, residents * weight / total) for code, county, weight in parts]
    return rows
