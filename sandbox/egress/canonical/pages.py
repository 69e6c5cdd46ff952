"""PDF: each page as one picture, nothing else.

A page that is drawn anew from what a person saw cannot carry a text layer, a font, an earlier revision, an
attachment or metadata. The price is that its text can no longer be selected: whoever needs the text puts
out Markdown. Reading the result again gives the same pixels, as each of them is one pixel of the rendering.
"""

from __future__ import annotations

import io

import pikepdf
from pikepdf import Array, Dictionary, Name

from sandbox.egress.canonical.images import LOW_BITS
from sandbox.egress.forms import Document
from sandbox.egress.readers.pdf_pages import SCALE


def pdf(document: Document, ordered: bool) -> bytes:
    """The pages of a PDF, their low bits refilled; equal pixels give equal bytes."""
    made = pikepdf.new()
    for picture in document.pictures:
        if picture.hidden or picture.stated is None:
            continue  # what nobody sees does not leave
        width, height = picture.pixels.size
        box = [width / SCALE, height / SCALE]
        image = made.make_stream(picture.pixels.point(LOW_BITS).tobytes())
        image.Type, image.Subtype, image.Width, image.Height = Name.XObject, Name.Image, width, height
        image.ColorSpace, image.BitsPerComponent = Name.DeviceRGB, 8
        drawing = made.make_stream(f"{box[0]} 0 0 {box[1]} 0 0 cm /P Do".encode())
        page = Dictionary(
            Type=Name.Page,
            MediaBox=Array([0, 0, *box]),
            Resources=Dictionary(XObject=Dictionary(P=image)),
            Contents=drawing,
        )
        made.pages.append(pikepdf.Page(made.make_indirect(page)))
    sink = io.BytesIO()
    made.save(
        sink,
        deterministic_id=True,
        compress_streams=True,
        recompress_flate=True,
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
    )
    return sink.getvalue()
