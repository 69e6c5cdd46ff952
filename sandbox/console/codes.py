"""Error codes of the console."""

from sandbox.core.errors import Forbidden, Invalid, NotFound, Unavailable, define

define(
    Unavailable,
    ASSETS_MISSING=(
        "控制台缺少页面所需的文件：{missing}；请运行 scripts/setup。",
        "The console lacks files that its pages load: {missing}; run scripts/setup.",
    ),
    HELP_MISSING=(
        "本机没有安装帮助文档（docs 文件夹）；请从源码安装，或请运行管理员补上。",
        "The documents of the help (the folder docs) are not installed here; install from the sources, or "
        "ask the administrator to.",
    ),
    PDF_LIBRARY=(
        "生成 PDF 所需的系统库不全：请运行 scripts/setup，或从发行版安装 {packages}。",
        "System libraries that draw PDFs are missing: run scripts/setup, or install {packages} from the "
        "distribution.",
    ),
    PDF_FONT=(
        "本机没有中文字体，不能生成 PDF：请运行 scripts/setup，或安装一种中文字体（如 fonts-wqy-microhei）。",
        "This machine has no Chinese font to draw a PDF with: run scripts/setup, or install one (such as "
        "fonts-wqy-microhei).",
    ),
    PDF_BUSY=(
        "正在生成其他 PDF，请稍后再试。",
        "Other PDFs are being drawn; try again in a moment.",
    ),
    PDF_FAILED=(
        "未能生成 PDF；内容仍可在页面上查看和打印，请告知运行管理员。",
        "The PDF could not be drawn; the page still shows and prints it. Tell the administrator.",
    ),
)
define(
    NotFound,
    NO_PAGE=("控制台没有这个页面，请从菜单进入。", "The console has no such page; use the menu."),
)
define(
    Forbidden,
    PAGE_ROLE=(
        "以“{role}”身份不能打开此页；可以打开的身份：{may}，有其中身份的请先切换。",
        "Role “{role}” may not open this page; these may: {may}. Switch first if you hold one of them.",
    ),
    FOREIGN_FORM=(
        "这次提交不是从本控制台当前的页面发出的，没有办理；请重新打开页面后再提交。",
        "This form was not sent from a current page of this console and nothing was done; open the page "
        "again and send it from there.",
    ),
)
define(
    Invalid,
    PDF_LIMIT=(
        "内容太多，在 {seconds} 秒、{pages} 页之内不能生成 PDF；请用接口取得全部内容。",
        "There is too much of it for a PDF within {seconds} seconds and {pages} pages; take it from the API.",
    ),
    FRONTIER_REPORT=(
        "这不是带边界的匿名化报告（{what}）；"
        "请给出 sandbox anonymise 以 --frontier、--report 写出的 JSON 文件。",
        "This is no report of an anonymisation with a frontier ({what}); give the JSON file that sandbox "
        "anonymise wrote with --frontier and --report.",
    ),
    FRONTIER_LONG=(
        "报告中的点或列太多，画不下；请减少 --frontier 的级数，或只说明准标识列。",
        "The report has too many points or columns to be drawn; ask for fewer levels of --frontier, or "
        "describe the quasi-identifiers only.",
    ),
    FRONTIER_POINT=(
        "第 {number} 个点没有逐列的层级，配方写不出；请在表中选一个泛化格的点。",
        "Point {number} has no levels by column, so no recipe can say it; choose a point of the lattice.",
    ),
    GRADING_UNDECIDED=(
        "“{field}”还没有作出决定：请选择维持现行、采纳提议或另行填写。",
        "“{field}” is not decided yet: keep what stands, take the proposal, or write your own.",
    ),
    GRADING_LEVEL=(
        "“{field}”选择了另行填写，请填级别 1 至 4。",
        "You chose to write your own for “{field}”: give its level, 1 to 4.",
    ),
    GRADING_SAME=(
        "没有任何改动，没有送出；要维持现行分级，不需要提交。",
        "Nothing would change, so nothing was sent; what stands needs no form.",
    ),
    FORM_NUMBER=("“{field}”应填数字，请改正。", "“{field}” takes a number; correct it."),
    FORM_YAML=(
        "“{field}”不是合法的 YAML 或 JSON，请检查缩进、引号和括号。",
        "“{field}” is not well-formed YAML or JSON; check indents, quotes and brackets.",
    ),
    FORM_MANY=(
        "这个表单一次至多 {most} 项；更大的清单请用 sandbox apply 提交。",
        "This form takes at most {most} of them; send a larger list by sandbox apply.",
    ),
    MEND_NOTHING=(
        "没有可以代为写入的保护：请选择取整或抑制；其余改法请按提示改代码。",
        "There is no protection to write for you: choose rounding or suppression, and mend the rest in your "
        "code by the hints.",
    ),
    ROWS_UNREAD=(
        "行条件“{line}”读不懂；每行写一个，如 district = 东城，或 age >= 18。",
        "The row condition “{line}” cannot be read; write one a line, such as district = east or age >= 18.",
    ),
    FORM_YAML_LONG=(
        "表单中的 YAML 合计超过 {max} KiB；代码请作为文件上传，较大的内容请用 sandbox apply。",
        "The YAML of the form exceeds {max} KiB in all; send code as files, and larger content by sandbox "
        "apply.",
    ),
    PASSWORD_TWICE=(
        "两次输入的新口令不同，请重新输入。",
        "The two new passwords differ; type the new one twice again.",
    ),
)
