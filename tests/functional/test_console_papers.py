"""Documents for the file: what stands on them, that they can be checked, and what cannot get into or out of
them."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pypdfium2
import pytest
import rfc8785

from sandbox.console import paper
from sandbox.console.drawing import STYLE, draw
from sandbox.console.views.paper_frame import both, seen
from sandbox.core.errors import SandboxError
from sandbox.core.resource import Entry
from tests.plugins.console import ORIGIN, Consoles, consoles_of
from tests.plugins.space import Scene

HOSTILE = (
    '</bdi></td><img src="http://127.0.0.1:9/x.png"><link rel="attachment" href="file:///etc/hostname">'
    '<a href="http://127.0.0.1:9/">leave</a><style>body{display:none}*{background:url(file:///etc/passwd)}'
    "</style><script>1</script>\u202egnp.exe\u200b\x07"
)


def text_of(pdf: bytes) -> str:
    """All words of a PDF, with the line breaks taken out."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        pages = [document[number] for number in range(len(document))]
        texts = []
        for page in pages:
            held = page.get_textpage()
            texts.append(held.get_text_range())
            held.close()
            page.close()
        return re.sub(r"\s+", "", "".join(texts).replace("\ufffe", ""))
    finally:
        document.close()


def hurt(scene: Scene) -> None:
    """A check whose every text is hostile, as a container could have written it."""
    request = scene.get("egress-request", "eg-a")
    found = scene.finding("SMALL_CELL", "hold", message_zh=HOSTILE, message_en=HOSTILE, hint=HOSTILE)
    found |= {"where": HOSTILE, "evidence": {HOSTILE: HOSTILE}}
    check = {**request.status["check"], "findings": [found], "checker": HOSTILE}
    check["canonical"] = [{**one, "path": HOSTILE} for one in check["canonical"]]
    entry = Entry(scene.clock(), "system", "", "system", "note", request.ref)
    status = {**request.status, "check": check}
    with scene.store.write() as writer:
        writer.put(replace(request, status=status), entry, expected=request.version)


@pytest.fixture
def released(granted: Scene) -> Consoles:
    """A console over a request that has been released."""
    granted.job()
    granted.request()
    return consoles_of(granted)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that would have been drawn; nothing is."""
    drawn: list[str] = []

    def kept(html: str) -> bytes:
        drawn.append(html)
        return b"%PDF-"

    monkeypatch.setattr("sandbox.console.paper.pdf", kept)
    return drawn


def printed_command(text: str) -> str:
    """The Python of the command that a document prints, as it stands in its text."""
    found = re.search(r"python -c &#39;\n(.*?)&#39;</pre>", text, re.S)
    assert found
    return found[1].replace("&#34;", '"').replace("&lt;", "<")


def test_a_record_says_it_all_in_both_languages_and_equal_bytes(released: Consoles) -> None:
    reviewer = released("reviewer")
    before = released.scene.logged()
    answer = reviewer.get("/review/eg-a/record.pdf")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="eg-a-record.pdf"'
    assert answer.headers["cache-control"] == "no-store"
    assert [(one.action, one.object) for one in released.scene.log(before)] == [
        ("take-paper", "egress-request/eg-a")
    ]
    text = text_of(answer.content)
    stored = released.scene.get("egress-request", "eg-a")
    for said in (
        "出域评审记录", "Recordofanegressreview", "内部资料", "26.4个人信息和商业秘密", "通过", "pass",
        "业务相符", "reviewer-two", "2026-09-2110:00", "CN(十二)", "guizhou@",
        stored.status["check"]["canonical"][0]["sha256"], "1/",
    ):  # fmt: skip
        assert said in text, said
    with released.scene.store.read() as reader:
        approved = [at for at, one in reader.entries(object=stored.ref) if one.action == "approve"][-1]
        covering = next(head for head, _ in reader.checkpoints() if head.size > approved)
    assert re.sub(r"\s", "", covering.note) in text
    # whoever supervises has the same document, and a second drawing gives the same bytes
    assert released("auditor").get("/review/eg-a/record.pdf").content == answer.content
    paper._kept.clear()
    assert released("chief").get("/review/eg-a/record.pdf").content == answer.content


def test_the_printed_command_computes_the_printed_hash(released: Consoles, texts: list[str]) -> None:
    for who, path in (("auditor", "/review/eg-a/record.pdf"), ("developer", "/release/eg-a/receipt.pdf")):
        assert released(who).get(path).status_code == 200
        headers = {"authorization": f"Bearer {released.scene.token(who)}"}
        reply = released.stranger().ask("GET", "/v1/egress-request/eg-a/history", headers=headers)
        done = subprocess.run(
            [sys.executable, "-c", printed_command(texts[-1])],
            input=reply.content, capture_output=True, check=True,
        )  # fmt: skip
        assert re.search(r'<p class="code">([0-9a-f]{64})</p>', texts[-1])[1] == done.stdout.decode().strip()  # type: ignore[index]
        assert "/v1/egress-request/eg-a/history" in texts[-1]
    # the hash is of the record as this visitor sees it, and of this version
    assert len({re.search(r'<p class="code">([0-9a-f]{64})', text)[1] for text in texts}) == 2  # type: ignore[index]


def test_hostile_text_is_text_and_nothing_is_fetched(granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review")
    hurt(granted)
    answer = consoles_of(granted)("reviewer").get("/review/eg-a/record.pdf")
    assert answer.status_code == 200
    text = text_of(answer.content)
    assert '<linkrel="attachment"href="file:///etc/hostname">' in text
    assert "⟨U+202E⟩" in text
    assert "\u202e" not in text
    with pikepdf.open(BytesIO(answer.content)) as made:
        assert "/EmbeddedFiles" not in made.Root.get("/Names", {})
        assert "/AF" not in made.Root
        assert all("/Annots" not in page for page in made.pages)  # no link either
        images = [name for page in made.pages for name in page.get("/Resources", {}).get("/XObject", {})]
    assert images == []
    assert b"root:x:0:0" not in streams(answer.content)


def streams(pdf: bytes) -> bytes:
    """Everything in a PDF that is compressed, unpacked, and the rest as it is."""
    found = [pdf]
    for part in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S):
        try:
            found.append(zlib.decompress(part))
        except zlib.error:
            continue
    return b"\n".join(found)


def test_no_address_is_fetched_even_by_markup_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *told, **more: asked.append(str(told)))
    page = "".join(
        f'<link rel="stylesheet" href="{url}"><link rel="attachment" href="{url}"><img src="{url}">'
        f'<p style="background: url({url})">a</p>'
        for url in ("file:///etc/hostname", "http://127.0.0.1:9/", "data:text/css,a", "ftp://127.0.0.1:9/a")
    )
    made = draw(page.encode())
    assert isinstance(made, bytes)
    assert asked == []
    with pikepdf.open(BytesIO(made)) as opened:
        assert "/EmbeddedFiles" not in opened.Root.get("/Names", {})
    assert not re.search(r"@import|url\(", STYLE.read_text(encoding="utf-8"))


def test_what_a_second_reviewer_may_not_know_is_not_on_paper(granted: Scene, texts: list[str]) -> None:
    granted.job()
    granted.request(until="human_review", high_risk=True)
    granted.act(
        "reviewer", "egress-request", "eg-a", "give_verdict", granted.verdict(note="first-reviewer-says")
    )
    consoles = consoles_of(granted)
    for who, shown in (("reviewer", True), ("reviewer-two", False), ("auditor", True)):
        assert consoles(who).get("/review/eg-a/record.pdf").status_code == 200
        assert ("first-reviewer-says" in texts[-1]) is shown, who
        assert ("已给出；在您给出安全评审之后可见" in texts[-1]) is not shown, who


def test_a_receipt_tells_a_developer_what_the_page_tells(released: Consoles, texts: list[str]) -> None:
    stored = released.scene.get("egress-request", "eg-a")
    developer = released("developer")
    assert developer.get("/release/eg-a/receipt.pdf").status_code == 200
    for said in (stored.status["release"]["package_sha256"], "没有附加条件", "放行时的签名检查点"):
        assert said in texts[-1]
    for hidden in ("内部资料", "reviewer-two", "26.4", stored.status["check"]["canonical"][0]["sha256"]):
        assert hidden not in texts[-1]
    assert "/console/release/eg-a/receipt.pdf" in developer.get("/release/eg-a").text
    assert released("reviewer").get("/release/eg-a/receipt.pdf").status_code == 200
    assert stored.status["check"]["canonical"][0]["sha256"] in texts[-1]
    assert "/console/review/eg-a/record.pdf" in released("reviewer").get("/review/eg-a").text
    assert released("rival").get("/release/eg-a/receipt.pdf").status_code == 404


def test_a_certificate_names_what_was_deleted_and_what_is_left(granted: Scene, texts: list[str]) -> None:
    consoles = consoles_of(granted)
    refused = consoles("operator").get("/r/agreement/ag-a/certificate.pdf")
    assert (refused.status_code, "DELETION_UNPROVEN" in refused.text) == (409, True)
    for who, event, payload in (
        ("chief", "terminate", {"ground": "期满", "law": "GD 39(一)"}),
        ("operator", "hand_over", {"reason": "交接完毕"}),
        ("system", "certify", {"removed": removed(450), "left": 0, "keys_destroyed": 3}),
    ):
        granted.act(who, "agreement", "ag-a", event, payload)
    granted.act("chief", "agreement", "ag-a", "verify_deletion")
    for who in ("operator", "auditor"):
        consoles(who).get("/r/agreement/ag-a/certificate.pdf")
        for said in ("删除证明", "GD 39(一)", "期满", "file-000", "file-399", "还没有签名检查点覆盖这一步"):
            assert said in texts[-1], said
        assert "file-400" not in texts[-1]  # the list is bounded, and says so
        assert "+ 50 " in texts[-1]
        assert re.search(r"<bdi>45000</bdi>", texts[-1])
    assert "/console/r/agreement/ag-a/certificate.pdf" in consoles("operator").get("/r/agreement/ag-a").text
    granted.store.checkpoint()
    consoles("operator").get("/r/agreement/ag-a/certificate.pdf")
    assert "最早覆盖这一步的审计日志签名检查点" in texts[-1]
    assert consoles("editor").get("/r/agreement/ag-a/certificate.pdf").status_code == 403


def removed(count: int) -> list[dict[str, Any]]:
    """An inventory as the machine certifies it."""
    return [
        {"scenario": "sc-a", "place": "supplies", "name": f"file-{number:03}", "bytes": 100}
        for number in range(count)
    ]


def test_the_hash_is_that_of_the_canonical_json(released: Consoles, texts: list[str]) -> None:
    headers = {"authorization": f"Bearer {released.scene.token('auditor')}"}
    reply: httpx.Response = released.stranger().ask(
        "GET", f"{ORIGIN}/v1/egress-request/eg-a/history", headers=headers
    )
    released("auditor").get("/review/eg-a/record.pdf")
    assert hashlib.sha256(rfc8785.dumps(reply.json()[-1])).hexdigest() in texts[-1]


# --- drawing, and what may be wrong with it


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {**paper.ENVIRONMENT, **{key: value.format(tmp_path) for key, value in more.items()}}


@pytest.mark.parametrize(
    ("code", "planted"),
    [
        ("PDF_LIBRARY", "raise OSError('cannot load library libpango-1.0-0')"),
        ("PDF_FAILED", "raise RuntimeError"),
        ("PDF_LIMIT", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        ("PDF_LIMIT", "bytearray(3 << 30)"),
        ("PDF_LIMIT", "raise SystemExit(5)"),
    ],
)
def test_a_drawing_that_fails_says_why(
    code: str, planted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "bytearray" in planted:  # beyond the address space that the process gives itself
        planted = (
            f"import os, signal\ntry: {planted}\nexcept MemoryError: os.kill(os.getpid(), signal.SIGKILL)"
        )
    (tmp_path / "weasyprint.py").write_text(planted)
    monkeypatch.setattr(paper, "ENVIRONMENT", environment(tmp_path, PYTHONPATH="{}"))
    with pytest.raises(SandboxError) as refused:
        paper.pdf("<p>a</p>")
    assert refused.value.code == code


def test_a_machine_without_a_chinese_font_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fonts.conf").write_text("<fontconfig></fontconfig>")
    monkeypatch.setattr(paper, "ENVIRONMENT", environment(tmp_path, FONTCONFIG_FILE="{}/fonts.conf"))
    with pytest.raises(SandboxError) as refused:
        paper.pdf("<p>b</p>")
    assert refused.value.code == "PDF_FONT"


def test_too_much_is_refused_before_and_while_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper, "MAX_TEXT", 10)
    with pytest.raises(SandboxError) as refused:
        paper.pdf("<p>more than ten bytes</p>")
    assert refused.value.code == "PDF_LIMIT"
    monkeypatch.setattr(paper, "SECONDS", 0.2)
    (tmp_path / "weasyprint.py").write_text("import time; time.sleep(600)")
    monkeypatch.setattr(paper, "ENVIRONMENT", environment(tmp_path, PYTHONPATH="{}"))
    with pytest.raises(SandboxError) as refused:
        paper.pdf("<p>c</p>")
    assert refused.value.code == "PDF_LIMIT"


def test_while_pdfs_are_drawn_the_next_is_told_to_wait_and_pages_go_on(
    released: Consoles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper, "WAIT", 0.0)
    for _ in range(paper.AT_ONCE):
        paper._turns.acquire()
    try:
        reviewer = released("reviewer")
        answer = reviewer.get("/review/eg-a/record.pdf")
        assert answer.status_code == 503
        assert "PDF_BUSY" in answer.text
        assert reviewer.get("/review/eg-a").status_code == 200
    finally:
        for _ in range(paper.AT_ONCE):
            paper._turns.release()


def test_the_process_that_draws_is_told_nothing_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_MASTER", "file:/nowhere")
    (tmp_path / "weasyprint.py").write_text(
        "import os; raise SystemExit(5 if 'SANDBOX_MASTER' in os.environ else 4)"
    )
    monkeypatch.setattr(paper, "ENVIRONMENT", environment(tmp_path, PYTHONPATH="{}"))
    with pytest.raises(SandboxError) as refused:
        paper.pdf("<p>d</p>")
    assert refused.value.code == "PDF_FONT"  # 4: it was not there


def test_the_last_few_are_kept_and_the_rest_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bytes] = []

    def counted(text: bytes) -> bytes:
        drawn.append(text)
        return b"%PDF-" + text

    monkeypatch.setattr(paper, "_drawn", counted)
    paper._kept.clear()
    for number in range(paper.KEPT + 1):
        paper.pdf(f"kept-{number}")
    paper.pdf(f"kept-{paper.KEPT}")
    assert len(drawn) == paper.KEPT + 1
    paper.pdf("kept-0")
    assert len(drawn) == paper.KEPT + 2
    monkeypatch.setattr(paper, "KEPT_BYTES", 1)
    paper.pdf("large")
    paper.pdf("large")
    assert drawn[-2:] == [b"large", b"large"]
    paper._kept.clear()


def test_long_text_is_cut_and_lines_are_kept() -> None:
    assert str(seen("a\nb<")) == "<bdi>a<br>b&lt;</bdi>"
    assert "… 1000 +" in seen("x" * 5000)
    assert str(both("同", "同")) == "<span>同</span>"
    assert str(both("无此字")) == "<span>无此字</span>"
