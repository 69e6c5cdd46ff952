"""Every rule of the checker: its review point, its version and what it says. One row a rule.

Review points are those of the Guangdong measures, Art. 26; docs/egress.md explains each rule by its point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.egress.findings import Finding, Severity

HARD, HOLD, FLAG = Severity.HARD, Severity.HOLD, Severity.FLAG


@dataclass(frozen=True)
class Rule:
    """What a finding of this rule is. ``severity`` is the usual one; a check may state another."""

    point: str
    severity: Severity
    zh: str
    en: str
    hint: str
    version: str = "1"

    def finding(
        self,
        name: str,
        path: str,
        where: str,
        /,
        evidence: dict[str, Any] | None = None,
        severity: Severity | None = None,
        **words: Any,
    ) -> Finding:
        """A finding of this rule, which is called ``name``; see ``finding``."""
        facts = {**words, **(evidence or {})}
        return Finding(
            rule=name,
            point=self.point,
            severity=severity or self.severity,
            path=path,
            where=where,
            message_zh=self.zh.format(**facts),
            message_en=self.en.format(**facts),
            evidence=dict(evidence or {}),
            hint=self.hint,
        )


RULES: dict[str, Rule] = {
    "UNDECLARED": Rule(
        "26.1",
        HARD,
        "输出与声明不符：{why_zh}。",
        "The output is not what was declared: {why_en}.",
        "只输出已声明的文件和列，或重新申报 / Put out only declared files and columns, or declare anew",
    ),
    "PURPOSE": Rule(
        "26.1",
        HARD,
        "申请的用途不是场景审定的用途，或审定已不存在。",
        "The purpose that is stated is not the one that was determined, or the determination is gone.",
        "按审定的用途申请，或先变更场景 / Apply for the determined purpose, or amend the scenario first",
    ),
    "BEYOND_GRANT": Rule(
        "26.1",
        HOLD,
        "“{column}”是原始数据的字段，不在作业获准使用的字段之内。",
        "“{column}” is a field of the raw data that the job was not granted.",
        "删除该列，或先变更场景清单 / Drop the column, or amend the scenario's list first",
    ),
    "SOURCE": Rule(
        "26.2",
        HOLD,
        "{sources} 个数据来源中有 {count} 个无从注明提供单位或登记号。",
        "Of {sources} sources {count} cannot be stated with provider and registration number.",
        "由数据提供单位补办登记 / The data provider completes the registration",
    ),
    "FLAGGED": Rule(
        "26.3",
        HOLD,
        "“{column}”是{why_zh}：没有数据主体同意或匿名化结论不得输出。",
        "“{column}” is {why_en}: it may leave only with consent or an anonymity verdict.",
        "删除该列，或汇总后输出 / Drop the column, or put out aggregates",
    ),
    "LINEAGE": Rule(
        "26.2",
        HOLD,
        "没有提供原始数据，无法核对来源，也无法重新计数。",
        "No raw data was given: the source cannot be verified and nothing can be recounted.",
        "用 --raw 指明作业读取的数据 / Name the data the job read with --raw",
    ),
    "RAW": Rule(
        "26.3",
        HARD,
        "输出等于原始数据“{raw}”或其部分列。",
        "The output equals raw data “{raw}” or a projection of it.",
        "原始数据不出域；请输出统计结果 / Raw data never leaves; put out statistics instead",
    ),
    "RAW_OVERLAP": Rule(
        "26.3",
        HARD,
        "{count} 行与原始数据“{raw}”的记录重合（{columns} 列）。",
        "{count} rows coincide with records of raw data “{raw}” over {columns} columns.",
        "汇总到每格不少于门限人数，或泛化取值 / Aggregate to the threshold, or generalise the values",
    ),
    "K_ANONYMITY": Rule(
        "26.3",
        HARD,
        "逐条输出的 k = {k}，低于门限 {threshold}。",
        "Row-level output has k = {k}, below the threshold of {threshold}.",
        "泛化或抑制准标识列 / Generalise or suppress quasi-identifiers",
    ),
    "L_DIVERSITY": Rule(
        "26.3",
        HARD,
        "敏感列在某些等价类中只有 {l} 种取值，低于门限 {threshold}。",
        "A sensitive column has only {l} distinct values in some class, below the threshold of {threshold}.",
        "合并等价类或删除敏感列 / Merge classes or drop the sensitive column",
    ),
    "ROW_LEVEL": Rule(
        "26.3",
        HOLD,
        "这是逐条输出，须由人作出匿名化结论。",
        "This is row-level output: people must give the anonymity verdict.",
        "能汇总则汇总 / Aggregate where possible",
    ),
    "OPAQUE": Rule(
        "26.3",
        HOLD,
        "“{column}”是逐行不同的不透明内容，无法核实。",
        "“{column}” holds an opaque token per row that nothing explains.",
        "删除该列，或改为公开代码 / Drop the column or use a public code list",
    ),
    "UNEXPLAINED": Rule(
        "26.3",
        HOLD,
        "有 {digits} 位数字、{labels} 个标签无法由原始数据重新算出，须由人看过。",
        "{digits} digits and {labels} labels cannot be recomputed from the raw data: a person must look.",
        "只输出可重算的统计量，或说明算法 / Put out what can be recomputed, or explain the rest",
    ),
    "LABEL": Rule(
        "26.3",
        HOLD,
        "“{column}”有 {count} 个单元格既不是维度、计数，也不是统计量，须由人看过。",
        "{count} cells of “{column}” are no dimension, no count and no measure: a person must look.",
        "只用原始数据中的取值作分组，备注写进说明文件 / Group by values of the raw data; put remarks into a "
        "report",
    ),
    "OMITTED": Rule(
        "26.3",
        HOLD,
        "{count} 个单元格人数足够却未列出，无从解释。",
        "{count} cells with enough entities are left out, and nothing explains it.",
        "列出全部达到门限的单元格，或按统一规则筛选 / List every cell that reaches the threshold, or select "
        "by one rule",
    ),
    "NAMES": Rule(
        "26.3",
        HOLD,
        "文件名和列名中有 {digits} 位数字，未经申报，也不是编号或日期。",
        "{digits} digits in names of files and columns were not declared and are no numbering or dates.",
        "申报文件名，或用顺序号命名 / Declare the names of files, or number them",
    ),
    "RECOMPUTED": Rule(
        "26.3",
        HARD,
        "输出与作业自己的语句对快照重新计算的结果不符（{count} 行，{cells} 行重算）。",
        "The output is not what the job's own statement gives over the snapshot ({count} rows; {cells} "
        "recomputed).",
        "原样输出语句的结果 / Put out the statement's result as it is and change nothing after it",
    ),
    "NOT_RELEASABLE": Rule(
        "26.3",
        HARD,
        "“{column}”既不是维度，也不是计数或指标：{why_zh}。",
        "“{column}” is neither a dimension nor a count nor a measure: {why_en}.",
        "删除该列，或改为维度（足够多人共有的分组）、计数、声明的统计量 / Drop the column, or make it a "
        "dimension (groups that enough entities share), a count, or a declared statistic",
    ),
    "IDENTIFIER": Rule(
        "26.4",
        HARD,
        "发现{kind_zh}：{count} 处。",
        "{kind_en} found: {count}.",
        "删除或脱敏 / Remove or desensitise them",
    ),
    "RAW_IDENTIFIER": Rule(
        "26.4",
        HARD,
        "发现原始数据“{raw}”标识列的取值：{count} 个。",
        "{count} values of identifying columns of raw data “{raw}” found.",
        "删除标识 / Remove the identifiers",
    ),
    "SMALL_CELL": Rule(
        "26.4",
        HARD,
        "{count} 个单元格的人数（按主体重新计数）低于门限 {threshold}。",
        "{count} cells have fewer than {threshold} entities (recounted).",
        "合并类别或抑制单元格，并做互补抑制 / Merge categories or suppress, with complementary suppression",
    ),
    "ZERO_CELL": Rule(
        "26.4",
        HOLD,
        "{count} 个单元格为零或占其行列的全部，可推断出个体属性。",
        "{count} cells are zero or hold all of their group: an attribute may be inferred.",
        "合并类别 / Merge categories",
    ),
    "RECOVERABLE": Rule(
        "26.4",
        HARD,
        "{count} 个被抑制的单元格可由合计减出。",
        "{count} suppressed cells can be recovered from totals.",
        "做互补抑制，或不输出合计 / Suppress a second cell too, or leave out the total",
    ),
    "COUNT_MISMATCH": Rule(
        "26.4",
        HOLD,
        "{count} 个单元格的计数与重新计数不符。",
        "{count} cells state a count that the recount does not confirm.",
        "按人而不是按行计数；说明筛选条件 / Count persons, not rows; state the filter",
    ),
    "DOMINANCE": Rule(
        "26.4",
        HARD,
        "{count} 个单元格被一两个主体主导。",
        "{count} cells are dominated by one or two entities.",
        "合并单元格或抑制 / Merge or suppress the cells",
    ),
    "EXTREME": Rule(
        "26.4",
        HARD,
        "{count} 个取值是少于 {threshold} 人所有的极值。",
        "{count} values are extremes held by fewer than {threshold} entities.",
        "改用分位数区间或截尾 / Use quantile bands or top-coding",
    ),
    "DIFFERENCING": Rule(
        "26.4",
        HARD,
        "与“{release}”相减，可得到少于 {threshold} 人的 {count} 个差额。",
        "Subtracted from “{release}” this leaves fewer than {threshold} entities ({count} times).",
        "沿用已出域的范围，或使差额达到门限 / Keep the released scope, or make differences larger",
    ),
    "RECONSTRUCTION": Rule(
        "26.4",
        HARD,
        "连同“{release}”，每个主体已有 {rate} 个独立统计量，上限 {limit}：可据以重建原始数据。",
        "With “{release}” there are {rate} independent statistics an entity, of at most {limit}: "
        "the raw data could be rebuilt.",
        "减少单元格，或沿用已出域的表 / Put out fewer cells, or tables that were released already",
    ),
    "LEDGER": Rule(
        "26.4",
        HOLD,
        "与“{release}”的组合未能全部判定：{why_zh}。",
        "Not every combination with “{release}” was decided: {why_en}.",
        "减少单元格，或沿用已出域的分组 / Put out fewer cells, or keep to groupings released already",
    ),
    "CROSS_BORDER": Rule(
        "26.5",
        HOLD,
        "涉及境外要素：{why_zh}。",
        "A cross-border element: {why_en}.",
        "删除外链，或先办理数据出境手续 / Remove the link, or complete the procedure for data export first",
    ),
    "FORMAT": Rule(
        "26.6",
        HARD,
        "文件不能作为输出：{why_zh}。",
        "The file cannot be an output: {why_en}.",
        "改用 docs/egress.md 所列格式的普通文件 / Use a plain file of a format that docs/egress.md lists",
    ),
    "METADATA": Rule(
        "26.6",
        FLAG,
        "文件带有 {count} 处看不见的内容，出域时去除。",
        "The file carries {count} hidden items, dropped on release.",
        "输出时不写元数据 / Write no metadata",
    ),
    "IMAGE": Rule(
        "26.6",
        HOLD,
        "图像的内容须由人看过。",
        "The content of an image must be seen by a person.",
        "同时输出作图数据表 / Put out the table behind the chart as well",
    ),
    "IMAGE_UNREAD": Rule(
        "26.6",
        HOLD,
        "{count} 幅图像的文字未能读出：{why_zh}。",
        "The text of {count} pictures was not read: {why_en}.",
        "减少图像，或同时输出作图数据表 / Use fewer pictures, or put out the table behind the chart",
    ),
    "IMAGE_CODE": Rule(
        "26.6",
        HOLD,
        "图像中有二维码、条形码样的黑白方块区域，内容未读。",
        "The picture holds a field of dark and light modules, such as a QR code, that was not read.",
        "去掉二维码和条形码 / Leave out QR codes and bar codes",
    ),
    "HIDDEN_TEXT": Rule(
        "26.6",
        HOLD,
        "有 {count} 行文字，看图的人看不见。",
        "{count} lines of text cannot be seen by a person who looks at it.",
        "去掉隐藏、透明、过浅、过小或被遮盖的文字 / Remove hidden, transparent, faint, tiny or covered text",
    ),
    "TEXT_LAYER": Rule(
        "26.6",
        HOLD,
        "文字层的 {total} 行中有 {count} 行与画面不一致。",
        "{count} of {total} lines of the text layer read differently on the page.",
        "使用标准字体编码，不另设文字层 / Use standard font encodings and no separate text layer",
    ),
    "MODEL": Rule(
        "26.6",
        HOLD,
        "这是模型（{numbers} 个数，{rows} 行原始数据），须由人看过。",
        "This is a model ({numbers} numbers, {rows} raw rows): a person must look.",
        "说明训练数据、算法和用途 / State the training data, the algorithm and the purpose",
    ),
    "MODEL_FAMILY": Rule(
        "26.6",
        HARD,
        "模型中的部件保存原始记录或取值，或不在允许之列：{why}。",
        "A part of the model stores raw records or values, or is not on the list: {why}.",
        "改用线性模型，或叶节点人数达到门限的树 / Use a linear model, or trees with large leaves",
    ),
    "MODEL_ROWS": Rule(
        "26.3",
        HARD,
        "模型的数组中有原始数据“{raw}”的 {count} 行或取值（{columns} 列，{method}；第 {family} 类）。",
        "An array of the model holds {count} rows or values of raw data “{raw}” "
        "({columns} columns, {method}; family {family}).",
        "换用不保存训练数据的算法 / Use an algorithm that does not store its training data",
    ),
    "MODEL_LEAF": Rule(
        "26.4",
        HARD,
        "{count} 个叶节点或树的人数低于门限 {threshold}，或未注明。",
        "{count} leaves hold fewer than {threshold} rows, or {count} trees do not say how many.",
        "设置叶节点的最少样本数 / Set the least number of samples in a leaf",
    ),
    "MODEL_SUPPORT": Rule(
        "26.4",
        HARD,
        "模型词表中有 {count} 个标签的人数低于门限 {threshold}，或无从核对。",
        "{count} labels in the model's vocabulary have fewer than {threshold} entities, or are unknown.",
        "训练前合并稀有类别 / Merge rare categories before training",
    ),
    "MODEL_SATURATED": Rule(
        "26.4",
        HARD,
        "参数 {parameters} 个，数据 {rows} 个主体：自由度不足 {threshold}，或每行一个取值。",
        "{parameters} parameters over {rows} entities: fewer than {threshold} degrees of freedom, "
        "or a value a row.",
        "减少变量，或去掉逐行的结果 / Use fewer variables, and leave out results by row",
    ),
    "MODEL_ATTACK": Rule(
        "26.6",
        HARD,
        "可由模型推断某人是否在“{raw}”中：AUC {auc}（上限 {threshold}），{canaries} 个异常样本中"
        "记住了 {exposed} 个（第 {family} 类）。",
        "The model tells who is in “{raw}”: AUC {auc} (at most {threshold}), {exposed} of {canaries} "
        "canaries memorised (family {family}).",
        "加大叶节点、减少参数、加强正则化或使用差分隐私 / Larger leaves, fewer parameters, "
        "more regularisation, or differential privacy",
    ),
    "MODEL_TESTED": Rule(
        "26.6",
        FLAG,
        "对“{raw}”的成员推断攻击未超过上限：AUC {auc}，误报率 1% 时查出 {tpr}。",
        "Membership inference against “{raw}” stays below the limit: AUC {auc}, {tpr} found at 1 % false "
        "alarms.",
        "无须处理 / Nothing to do",
    ),
    "MODEL_UNTESTED": Rule(
        "26.6",
        HOLD,
        "无法在域内运行成员推断攻击：特征或目标与原始数据的列对不上，或算法不在可计算之列。",
        "Membership inference could not be tried: features or target match no raw columns, or the model "
        "cannot be evaluated.",
        "特征沿用原始数据的列名，用线性模型或树 / Name features like raw columns; use linear models or trees",
    ),
    "FORMULA": Rule(
        "26.6",
        HOLD,
        "{count} 个单元格会被电子表格当作公式执行。",
        "{count} cells would run as spreadsheet formulas.",
        "去掉开头的 = 或 @ / Remove the leading = or @",
    ),
    "NUMERAL": Rule(
        "26.6",
        HOLD,
        "{count} 个单元格的数字超出可表示范围，可使读取程序崩溃。",
        "{count} cells hold numerals out of range that may crash a parser.",
        "写成普通数字 / Write plain numbers",
    ),
    "ACTIVE_TEXT": Rule(
        "26.6",
        HOLD,
        "有 {count} 处文字在打开、粘贴或点击时会起作用：{why_zh}。",
        "{count} texts act when they are opened, pasted or clicked: {why_en}.",
        "删去这些文字 / Remove these texts",
    ),
    "REVERSIBLE": Rule(
        "26.6",
        HARD,
        "“{column}”是原始标识的可还原形式（第 {family} 类，{method}）。",
        "“{column}” is a reversible form of raw identifiers (family {family}, {method}).",
        "删除该列；假名须用域内密钥 / Drop the column; pseudonyms need a key kept in the domain",
    ),
    "SECRECY": Rule(
        "26.6",
        HOLD,
        "发现密级标志 {count} 处。",
        "{count} secrecy markings found.",
        "送保密审查 / Refer it to the secrecy review",
    ),
    "BUDGET": Rule(
        "26.6",
        HARD,
        "内容超出检查预算，未能全部检查：{why_zh}。",
        "The content exceeds the checking budget and was not all examined: {why_en}.",
        "分成较小的输出 / Split it into smaller outputs",
    ),
    "POLICY_MISSING": Rule(
        "26.6",
        HARD,
        "政策缺少参数“{key}”，该项检查无法进行。",
        "The policy lacks “{key}”: the check cannot run.",
        "由实施机构补全政策 / The implementing body completes the policy",
    ),
    "CHECK_ERROR": Rule(
        "26.6",
        HARD,
        "检查项“{rule}”出错，按不通过处理。",
        "Check “{rule}” failed and counts as a rejection.",
        "联系运维人员 / Tell the operator of the space",
    ),
}

# Why a file is no output: closed vocabulary, so that a reason never quotes the file.
REASONS: dict[str, tuple[str, str]] = {
    "unknown": ("类型未知或不在允许之列", "its type is unknown or not on the allow-list"),
    "mismatch": ("扩展名与内容不一致", "extension and content disagree"),
    "executable": ("可执行、压缩、序列化或加密内容", "executable, archived, pickled or encrypted content"),
    "polyglot": ("同时是另一种格式", "it is a second format at the same time"),
    "trailing": ("正文之后另有内容", "bytes follow its end"),
    "encoding": ("编码不合法", "its encoding is broken"),
    "control": ("含有控制字符", "it contains control characters"),
    "malformed": ("结构不合法", "its structure is broken"),
    "duplicate": ("列名或键重复", "a column name or key occurs twice"),
    "nested": ("嵌套过深或类型无法展开", "nested beyond the budget, or of a type that cannot be laid open"),
    "size": ("超出大小预算", "larger than the budget"),
    "name": ("文件名可疑", "its name is suspicious"),
    "irregular": ("不是普通文件", "it is no regular file"),
    "active": ("含有脚本或内嵌对象", "it holds script or embedded objects"),
    "empty": ("没有内容", "it is empty"),
    "encrypted": ("已加密", "it is encrypted"),
    "embedded": ("内嵌无法展开的对象", "it embeds an object that cannot be laid open"),
    "external": ("打开时会从文件之外加载内容", "opening it loads content from elsewhere"),
    "formula": ("含有没有结果值的公式", "a formula has no stored result"),
    "time": ("读取超时", "reading it takes longer than the budget"),
    "operator": ("含有不在允许之列的算子或节点", "it holds an operator or node that is not on the list"),
    "revisions": ("含有较早的版本", "it holds earlier revisions"),
    "reader": ("读取程序失败", "the reader failed on it"),
}


def finding(
    rule: str,
    path: str,
    where: str,
    /,
    evidence: dict[str, Any] | None = None,
    severity: Severity | None = None,
    **words: Any,
) -> Finding:
    """Build a finding of ``rule``. ``words`` fill its sentences; both they and ``evidence`` must be
    counts, thresholds, closed vocabulary or masked text."""
    return RULES[rule].finding(rule, path, where, evidence, severity, **words)
