"""Pictures: what they say is read as text, what they hide is brought to light, only pixels leave."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from sandbox.egress.canonical import canonical
from sandbox.egress.checks.pictures import module_squares
from sandbox.egress.forms import Budget, Picture
from sandbox.egress.readers import ocr, read

FORMATS = ["png", "jpeg"]
FONT = ImageFont.load_default(28)
# 居民张伟的联系电话, drawn with a font that the test machine need not have.
CHINESE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAQIAAAAsAQAAAACm5YsPAAAB50lEQVR42u2Uv27TUBjFf9exaheR2GLqEBSLuQMVS4eSmKXqgsQb"
    "kEp9gIgRpeQmPAB5AJDNwswTILsSiK15ASQHRSJIDDaN0HVkchmcVEnFn5EBznT16dzznXOudIXm94gN/oR/lTGDMCScgprCe+bg"
    "E4KBFsKNhR3LWcnUYjcZiwMAsg4Y0NMRACkhkIBrQwHwwe2stjg6aWIyPj49scXzNzSekVsGjypyw+lUA2QutRHDEOBeWjrtCx+A"
    "iIeBVBHEJ3ihyBW3r6QdLgCCaALf7/rraXvnaSa8M7wCwINmt+hKIL9ZtTc0IsbHUvvUQW1fbcy5UM59oQBRjg9DbdnW0wsFBsR7"
    "bjn+2ggkHQDnKP1J63cCE7AVk8FAv94XubpktM7TrGoCO7Asc9E6uLxprg6Z3CXuv1DqS72tZwMBoKuNZOU0K5plPwAyoqLWfYz3"
    "PGwAWgHYFOCkaMuG3ua77CzXTk/bmlfrGpaWVFYeQUvShUxFvmBWMhYAdMEFDYzqc7+Q+1vgp0sNCdz6Bm8B30YkqfpMHUjMZdpc"
    "NF5yhpbvxByAST25UQM8+3GjjVGuH48+PjmUCKkyyVHt+tBGCx6UGsLSoYNku6/ZqoDH8JqLgYnv9TxA60860L9GJP7/MH+B8QOB"
    "l8u3p5PbPgAAAABJRU5ErkJggg=="
)
REASON = "tesseract is not on this machine (scripts/setup installs it)"
reads = pytest.mark.skipif(not ocr.available(), reason=REASON)


def drawn(text="", ink="black", ground="white", size=(620, 160), mode="RGB"):
    image = Image.new(mode, size, ground)
    ImageDraw.Draw(image).text((30, 50), text, font=FONT, fill=ink)
    return image


def saved(image, form="PNG", **options):
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def load(tmp_path, data, name="a.png", budget=None):
    path = tmp_path / "file"
    path.write_bytes(data)
    return read(path, name, FORMATS, budget or Budget())


def seen(document):
    """(visible text, hidden text) after the pictures were read, without spaces."""
    ocr.read_pictures([document], Budget())
    assert [picture.unread for picture in document.pictures] == [""] * len(document.pictures)
    texts = [
        ["".join(p.text.split()) for p in document.pieces if p.hidden is hidden] for hidden in (False, True)
    ]
    return "|".join(texts[0]), "|".join(texts[1])


# -- reading


@reads
@pytest.mark.parametrize(
    ("ink", "ground"),
    [("black", "white"), ("white", "#204080"), ("#a02020", "#f0f0d0"), ("#8ab0e0", "white")],
)
def test_writing_is_read_whatever_its_colours(tmp_path, ink, ground):
    visible, hidden = seen(load(tmp_path, saved(drawn("telephone 13812345678", ink, ground))))
    assert "13812345678" in visible
    assert hidden == ""


@reads
def test_chinese_is_read(tmp_path):
    image = Image.new("RGB", (500, 120), "white")
    image.paste(Image.open(io.BytesIO(CHINESE)), (40, 30))
    visible, _ = seen(load(tmp_path, saved(image)))
    assert "张伟" in visible


@reads
def test_the_same_pixels_give_the_same_lines(tmp_path):
    image = drawn("Table 4: 1,234 persons")
    assert ocr.read_lines(image, 30) == ocr.read_lines(image, 30)


@reads
def test_writing_in_nearly_the_colour_of_its_ground_is_hidden_text(tmp_path):
    image = drawn("telephone 13812345678", (246, 246, 246))
    visible, hidden = seen(load(tmp_path, saved(image)))
    assert (visible, "13812345678" in hidden) == ("", True)


@reads
def test_what_a_mask_covers_is_hidden_text(tmp_path):
    image = drawn("telephone 13812345678", (0, 0, 0, 0), (255, 255, 255, 0), mode="RGBA")
    visible, hidden = seen(load(tmp_path, saved(image)))
    assert (visible, "13812345678" in hidden) == ("", True)


@reads
def test_a_thumbnail_is_read(tmp_path):
    exif = Image.Exif()
    thumbnail = saved(drawn("telephone 13812345678"), "JPEG", quality=90)
    exif[0x010E] = b"x" * 8 + thumbnail
    _, hidden = seen(load(tmp_path, saved(drawn("Chart 1"), "JPEG", exif=exif.tobytes()), "a.jpg"))
    assert "13812345678" in hidden


# -- what was not read is said


def test_without_the_program_nothing_counts_as_read(tmp_path, monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    document = load(tmp_path, saved(drawn("x")))
    ocr.read_pictures([document], Budget())
    assert [picture.unread for picture in document.pictures] == ["absent"]


@reads
def test_beyond_the_budget_the_rest_stays_unread(tmp_path):
    documents = [load(tmp_path, saved(drawn("Chart 1"))) for _ in range(2)]
    ocr.read_pictures(documents, Budget(reading_seconds=0))
    assert [d.pictures[0].unread for d in documents] == ["time", "time"]


@reads
def test_a_program_that_fails_or_says_nonsense_reads_nothing(monkeypatch):
    monkeypatch.setattr(ocr, "LANGUAGES", ("eng",))
    monkeypatch.setattr(ocr, "_MEMORY", 1 << 20)
    assert ocr.read_lines(drawn("x"), 10)[0] == []
    assert ocr.read_lines(drawn("x"), 10)[1] in ("failed", "time")
    for told in ("", "plain text\n", ocr._HEAD + "\n" + "\t".join(["5", *"x" * 9, "99", "w"])):
        monkeypatch.setattr(ocr, "_run", lambda pixels, seconds, told=told: (told, ""))
        assert ocr.read_lines(drawn("x"), 10) == ([], "failed")


def test_a_picture_nobody_read_is_unread_by_default():
    assert Picture("", drawn()).unread


# -- JPEG


def test_segments_are_brought_to_light(tmp_path):
    data = saved(drawn("Chart"), "JPEG", comment=b"contact: 13812345678")
    document = load(tmp_path, data, "a.jpg")
    assert [piece.hidden for piece in document.pieces if "13812345678" in piece.text] == [True]


JPEG = saved(drawn("Chart"), "JPEG")
REFUSED = {
    "bytes after the end": (JPEG + b"secret", "trailing"),
    "cut off": (JPEG[:-40], "malformed"),
    "no scan": (JPEG[:20] + b"\xff\xd9", "reader"),
    "another format": (saved(drawn("x")), "mismatch"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    data, reason = REFUSED[case]
    document = load(tmp_path, data, "a.jpg")
    assert document.faults[0][0] in (reason, "reader")
    assert document.pictures == []


def test_more_pixels_than_the_budget_are_refused(tmp_path):
    document = load(tmp_path, JPEG, "a.jpeg", Budget(pixels=100))
    assert document.faults == [("size", "")]


def test_the_picture_is_turned_as_viewers_turn_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    document = load(tmp_path, saved(Image.new("RGB", (64, 32)), "JPEG", exif=exif.tobytes()), "a.jpg")
    assert document.pictures[0].pixels.size == (32, 64)


# -- what leaves


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    quality=st.integers(20, 100),
)
def test_jpeg_is_a_fixed_point_and_carries_no_low_bits(tmp_path, seed, width, height, quality):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    written = canonical(load(tmp_path, saved(Image.fromarray(noise), "JPEG", quality=quality), "a.jpg"))
    again = load(tmp_path, written, "a.jpg")
    assert again.pieces == []
    assert canonical(again) == written


def test_two_pictures_that_differ_in_low_bits_leave_alike(tmp_path):
    plain = np.full((40, 40, 3), 100, dtype=np.uint8)
    marked = plain + np.random.default_rng(1).integers(0, 4, plain.shape, dtype=np.uint8)
    one, two = (canonical(load(tmp_path, saved(Image.fromarray(pixels)))) for pixels in (plain, marked))
    assert one == two


# -- fields of modules


def code(module, seed=1):
    cells = (np.random.default_rng(seed).integers(0, 2, (33, 33)) * 255).astype(np.uint8)
    image = Image.new("RGB", (900, 640), "white")
    image.paste(Image.fromarray(cells).resize((33 * module, 33 * module), 0).convert("RGB"), (111, 37))
    return image


@pytest.mark.parametrize("module", [2, 3, 4, 7, 11, 17])
def test_a_field_of_modules_is_seen_at_any_size(module):
    assert module_squares(code(module)) >= 8


def test_bars_and_writing_are_no_field_of_modules():
    image = drawn("", size=(900, 640))
    pen = ImageDraw.Draw(image)
    for row in range(18):
        pen.text(
            (20, 5 + 34 * row),
            "The population by age and district, year 2025, in thousands",
            font=FONT,
            fill=0,
        )
    assert module_squares(image) < 8
    for bar in range(10):
        pen.rectangle((40 + bar * 80, 600 - bar * 50, 90 + bar * 80, 620), fill="#204080")
    assert module_squares(image) < 8


# -- the checks


def found(attack, data, name="a.png", **options):
    return {item.rule: item for item in attack(data, name, raws=[], **options).findings}


def test_a_picture_is_held_and_unread_ones_are_named(attack, monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    rules = found(attack, saved(code(4)))
    assert rules["IMAGE"].severity == "hold"
    assert rules["IMAGE_UNREAD"].evidence == {"count": 1, "reason": "absent"}
    assert rules["IMAGE_CODE"].severity == "hold"


@reads
def test_an_identifier_on_a_picture_is_refused(attack):
    assert found(attack, saved(drawn("ID 110101199003074477")))["IDENTIFIER"].severity == "hard"


@reads
def test_faint_writing_is_held(attack):
    assert found(attack, saved(drawn("Population 1,234", (247, 247, 247))))["HIDDEN_TEXT"].severity == "hold"


@reads
def test_a_plain_chart_is_only_held_for_people(attack):
    image = drawn("Population by district")
    ImageDraw.Draw(image).rectangle((400, 90, 440, 150), fill="#204080")
    assert set(found(attack, saved(image))) == {"IMAGE", "LINEAGE"}
