"""PDF: what acts, embeds, encrypts or was revised is refused; what is hidden shows; pages leave drawn."""

import io

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, String

from sandbox.egress.canonical import canonical
from sandbox.egress.checks.hidden_text import reads_alike
from sandbox.egress.forms import Budget, Line
from sandbox.egress.readers import ocr, read

SECRET = "13812345678"
reads = pytest.mark.skipif(not ocr.available(), reason="tesseract is not on this machine (scripts/setup)")


def text(words, at=(72, 700), size=14, before=""):
    return f"{before} BT /F {size} Tf {at[0]} {at[1]} Td ({words}) Tj ET "


PLAIN = text("Population by district, 2025")


def page(pdf, content, **extra):
    font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
    resources = Dictionary(Font=Dictionary(F=font))
    made = Dictionary(
        Type=Name.Page,
        MediaBox=Array([0, 0, 420, 800]),
        Resources=resources,
        Contents=pdf.make_stream(content.encode()),
        **extra,
    )
    pdf.pages.append(pikepdf.Page(pdf.make_indirect(made)))
    return pdf.pages[-1]


def document(content=PLAIN, change=None, pages=1, **options):
    pdf = pikepdf.new()
    for _ in range(pages):
        page(pdf, content)
    if change:
        change(pdf)
    sink = io.BytesIO()
    pdf.save(sink, static_id=True, **options)
    return sink.getvalue()


def load(tmp_path, data, budget=None):
    path = tmp_path / "file"
    path.write_bytes(data)
    return read(path, "a.pdf", ["pdf"], budget or Budget())


def texts(found, hidden):
    return [piece.text for piece in found.pieces if piece.hidden is hidden]


# -- refused


def action(kind, **extra):
    return Dictionary(S=kind, **extra)


def script(pdf):
    pdf.Root.Names = Dictionary(
        JavaScript=Dictionary(Names=Array(["a", action(Name.JavaScript, JS="app.alert(1)")]))
    )


def launch(pdf):
    pdf.Root.OpenAction = action(Name.Launch, F="cmd.exe")


def on_page(pdf):
    pdf.pages[0].AA = Dictionary(O=action(Name.JavaScript, JS="x"))


def link(pdf):
    note = Dictionary(
        Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=action(Name.Launch, F="x")
    )
    pdf.pages[0].Annots = Array([pdf.make_indirect(note)])


def attachment(pdf):
    pdf.attachments["raw.csv"] = b"id\n1\n"


def form(pdf):
    pdf.Root.AcroForm = Dictionary(Fields=Array([]), XFA=pdf.make_stream(b"<xdp/>"))


def revised():
    first = document()
    place = first.rindex(b"startxref")
    return first + b"4 0 obj\n<<>>\nendobj\n" + first[place:]


ENCRYPTED = pikepdf.Encryption(owner="o", user="")
REFUSED = {
    "script": (document(change=script), "active"),
    "launch when opened": (document(change=launch), "active"),
    "script of a page": (document(change=on_page), "active"),
    "launch by a link": (document(change=link), "active"),
    "attachment": (document(change=attachment), "embedded"),
    "dynamic form": (document(change=form), "active"),
    "encrypted": (document(encryption=ENCRYPTED), "encrypted"),
    "password": (document(encryption=pikepdf.Encryption(owner="o", user="u")), "encrypted"),
    "earlier revision": (revised(), "revisions"),
    "bytes after the end": (document() + b"secret", "trailing"),
    "cut off": (document()[:-200], "trailing"),
    "broken": (document().replace(b"/Root", b"/Ruut"), "malformed"),
    "not one": (b"%PDF-1.7\nhello\n%%EOF\n", "malformed"),
    "too many pages": (document(pages=61), "size"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    data, reason = REFUSED[case]
    found = load(tmp_path, data)
    assert found.faults == [(reason, "")]
    assert found.pictures == []


def test_a_destination_to_open_at_and_linearisation_are_no_harm(tmp_path):
    def opens(pdf):
        pdf.Root.OpenAction = Array([pdf.pages[0].obj, Name.Fit])

    assert load(tmp_path, document(change=opens)).readable
    assert load(tmp_path, document(linearize=True)).readable


# -- brought to light

UNSEEN = {
    "invisible mode": text(SECRET, (72, 600), before="q 3 Tr") + "Q",
    "white": text(SECRET, (72, 600), before="q 1 1 1 rg") + "Q",
    "nearly white": text(SECRET, (72, 600), before="q 0.97 0.97 0.97 rg") + "Q",
    "covered": text(SECRET, (72, 600)) + "q 0.2 0.3 0.6 rg 60 590 200 30 re f Q",
    "tiny": text(SECRET, (72, 600), size=1),
    "outside the page": text(SECRET, (72, 900)),
    "clipped": "q 0 0 10 10 re W n" + text(SECRET, (72, 600)) + "Q",
}


@pytest.mark.parametrize("case", UNSEEN)
def test_text_that_leaves_no_ink_is_hidden(tmp_path, case):
    found = load(tmp_path, document(PLAIN + UNSEEN[case]))
    assert texts(found, False) == ["Population by district, 2025"]
    assert SECRET in " ".join(texts(found, True))


def test_a_layer_that_is_off_and_text_inside_a_drawing(tmp_path):
    def hide(pdf):
        layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String("draft")))
        pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=Dictionary(OFF=Array([layer])))
        pdf.pages[0].Resources.Properties = Dictionary(L=layer)

    content = PLAIN + "/OC /L BDC" + text(SECRET, (72, 600)) + "EMC"
    assert SECRET in " ".join(texts(load(tmp_path, document(content, hide)), True))


def test_white_on_dark_is_seen(tmp_path):
    content = "q 0.1 0.2 0.5 rg 60 590 300 40 re f 1 1 1 rg" + text("White on blue", (72, 600)) + "Q"
    assert texts(load(tmp_path, document(content)), False) == ["White on blue"]


def metadata(pdf):
    with pdf.open_metadata() as meta:
        meta["dc:description"] = SECRET


def title(pdf):
    pdf.docinfo["/Title"] = SECRET


def note(pdf):
    made = Dictionary(Type=Name.Annot, Subtype=Name.Text, Rect=Array([0, 0, 0, 0]), Contents=String(SECRET))
    pdf.pages[0].Annots = Array([pdf.make_indirect(made)])


def field(pdf):
    made = Dictionary(FT=Name.Tx, T=String("a"), V=String(SECRET))
    pdf.Root.AcroForm = Dictionary(Fields=Array([pdf.make_indirect(made)]))


def bookmark(pdf):
    with pdf.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem(SECRET, 0))


def unused(pdf):
    pdf.Root.Spare = pdf.make_stream(f"nobody draws {SECRET}".encode())


def key(pdf):
    pdf.Root["/" + SECRET] = 1


PLACES = {
    "metadata": metadata,
    "title": title,
    "annotation": note,
    "form field": field,
    "bookmark": bookmark,
    "unused stream": unused,
    "key": key,
}


@pytest.mark.parametrize("case", PLACES)
def test_every_place_is_brought_to_light(tmp_path, case):
    assert SECRET in " ".join(texts(load(tmp_path, document(change=PLACES[case])), True))


def test_text_that_marked_content_states_is_brought_to_light(tmp_path):
    content = f"/Span <</ActualText ({SECRET})>> BDC" + PLAIN + "EMC"
    assert SECRET in " ".join(texts(load(tmp_path, document(content)), True))


# -- what leaves


@settings(max_examples=4)
@given(
    words=st.text("abcdefghij 0123456789", min_size=1, max_size=30),
    at=st.tuples(st.integers(0, 400), st.integers(0, 780)),
    pages=st.integers(1, 2),
)
def test_pages_leave_as_pictures_and_stay_the_same(tmp_path, words, at, pages):
    written = canonical(load(tmp_path, document(text(words, at), metadata, pages)))
    again = load(tmp_path, written)
    assert again.readable
    assert again.pieces == []
    assert canonical(again) == written
    assert len(again.pictures) == pages
    assert b"Helvetica" not in written


# -- the checks


def rules(attack, data):
    return {item.rule: item for item in attack(data, "a.pdf", raws=[]).findings}


@reads
def test_an_honest_report_is_held_for_people_only(attack):
    found = rules(attack, document(PLAIN + text("Men and women, by age", (72, 660))))
    assert set(found) == {"IMAGE", "LINEAGE"}


@reads
def test_hidden_text_is_held_and_still_searched(attack):
    found = rules(attack, document(PLAIN + UNSEEN["invisible mode"]))
    assert found["HIDDEN_TEXT"].evidence == {"count": 1}
    assert found["IDENTIFIER"].severity == "hard"


@reads
def test_a_text_layer_that_says_another_thing_is_held(attack):
    def shift(pdf):  # what is drawn as "Population…" is told to be other letters
        lines = "\n".join(f"<{code:02x}> <{code + 5:04x}>" for code in range(32, 120))
        head = "/CIDInit /ProcSet findresource begin 12 dict begin begincmap"
        span = "1 begincodespacerange <00> <ff> endcodespacerange"
        cmap = f"{head} {span} 88 beginbfchar\n{lines}\nendbfchar endcmap end end"
        pdf.pages[0].Resources.Font.F.ToUnicode = pdf.make_stream(cmap.encode())

    found = rules(attack, document(change=shift))
    assert found["TEXT_LAYER"].evidence == {"count": 1, "total": 1}


def test_a_few_letters_misread_are_no_difference():
    box = (0.0, 0.0, 100.0, 10.0)
    assert reads_alike(Line("Population by district", box), [Line("Popu1ation by distr1ct", box)])
    assert not reads_alike(Line("Population by district", box), [Line("Income of households", box)])
    assert not reads_alike(
        Line("Population by district", box), [Line("Population by district", (0, 50, 100, 60))]
    )
