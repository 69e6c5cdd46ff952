"""Pictures: held for people, always; what could not be read of them, and patterns that machines read."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageOps

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding

UNREAD: dict[str, tuple[str, str]] = {
    "unread": ("没有读过", "nobody tried"),
    "absent": ("本机没有文字识别程序", "this machine has no program that reads text"),
    "time": ("超出时间预算", "it takes longer than the budget"),
    "failed": ("识别程序失败", "the program failed on it"),
}
# A field of modules (QR, Data Matrix, bars): squares of pixels that are nearly all dark or light, of each
# about half, and change often along at least one direction; text is mostly light, bars of charts are even.
_SIDE = 16
_DARK, _LIGHT = 90, 165
_HALF = (0.36, 0.64)
_PURE = 0.85
_CHANGES = 1 / 14  # a pixel: modules of up to seven pixels; larger ones are seen on the smaller scales
_TOGETHER = 8  # of three by three squares: a line of heavy letters is one or two squares high
_SCALES = (2.0, 1.0, 0.5, 0.25)


def module_squares(pixels: Image.Image) -> int:
    """The most squares of ``_SIDE`` pixels within three by three, over four scales, like modules."""
    most = 0
    for scale in _SCALES:
        size = (int(pixels.width * scale) // _SIDE * _SIDE, int(pixels.height * scale) // _SIDE * _SIDE)
        if min(size) < _SIDE or size[0] * size[1] > 12_000_000:
            continue
        grey = np.asarray(ImageOps.grayscale(pixels).resize(size, Image.Resampling.BOX))
        dark, pure = grey < _DARK, (grey < _DARK) | (grey > _LIGHT)
        across, down = np.zeros_like(dark), np.zeros_like(dark)
        across[:, 1:] = dark[:, 1:] != dark[:, :-1]
        down[1:] = dark[1:] != dark[:-1]
        shares = [
            part.reshape(size[1] // _SIDE, _SIDE, size[0] // _SIDE, _SIDE).mean(axis=(1, 3))
            for part in (dark, pure, across, down)
        ]
        half = (shares[0] >= _HALF[0]) & (shares[0] <= _HALF[1]) & (shares[1] >= _PURE)
        field = half & (np.maximum(shares[2], shares[3]) >= _CHANGES)
        if min(field.shape) >= 3:
            most = max(most, int(np.lib.stride_tricks.sliding_window_view(field, (3, 3)).sum((2, 3)).max()))
    return most


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A hold for the pictures, one for what is unread, one for fields of modules."""
    lines = sum(len(picture.lines) for picture in document.pictures)
    yield finding("IMAGE", document.shown, "", {"pictures": len(document.pictures), "lines": lines})
    for why, (zh, en) in UNREAD.items():
        unread = [picture for picture in document.pictures if picture.unread == why]
        if unread:
            evidence = {"count": len(unread), "reason": why}
            yield finding("IMAGE_UNREAD", document.shown, unread[0].where, evidence, why_zh=zh, why_en=en)
    for picture in document.pictures:
        squares = module_squares(picture.pixels)
        if squares >= _TOGETHER:
            evidence = {"squares": squares, "threshold": _TOGETHER}
            yield finding("IMAGE_CODE", document.shown, picture.where, evidence)


CHECK = Check(("IMAGE", "IMAGE_UNREAD", "IMAGE_CODE"), "image", run)
