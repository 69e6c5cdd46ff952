"""Archives: the canonical members under their names, sorted, with fixed times and no other header."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

from sandbox.egress.canonical import canonical
from sandbox.egress.forms import Document

_TIME = (1980, 1, 1, 0, 0, 0)


def _members(document: Document) -> list[tuple[str, bytes]]:
    start = len(document.path) + 1
    return sorted((member.path[start:], canonical(member, member.ordered)) for member in document.members)


def zipped(files: list[tuple[str, bytes]]) -> bytes:
    """A ZIP of ``files`` in the order given; the same files always give the same bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    return sink.getvalue()


def zip(document: Document, ordered: bool) -> bytes:
    """A ZIP file."""
    return zipped(_members(document))


def tar(document: Document, ordered: bool) -> bytes:
    """A tar file; packed as gzip where its name says so."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name, data in _members(document):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    plain = sink.getvalue()
    return plain if document.path.lower().endswith(".tar") else gzip.compress(plain, mtime=0)
