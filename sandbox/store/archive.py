"""A folder as a tar in memory, reproducibly: sorted names, no owner, no time."""

import io
import tarfile
from pathlib import Path


def folder_as_tar(folder: Path) -> bytes:
    """All regular files below ``folder``, by their paths in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = tarfile.TarInfo(str(path.relative_to(folder)))
            info.size, info.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(info, file)
    return buffer.getvalue()
