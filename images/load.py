"""Hands images to a container engine as a `docker save` archive, without the layers that it has already.

The format: https://github.com/moby/moby/blob/master/image/spec/v1.2.md
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

import docker

from sandbox.executor.images import Built


def tag_of(prefix: str, name: str) -> str:
    """The engine's tag for people to read, and to keep the image from being pruned; no program goes by it."""
    return f"{prefix}/{name}:current"


def has(client: docker.APIClient, digest: str, tag: str) -> bool:
    """Whether the engine holds the image ``digest`` under ``tag``."""
    try:
        return bool(client.inspect_image(tag)["Id"] == digest)
    except docker.errors.ImageNotFound:
        return False


def engine_layers(client: docker.APIClient) -> set[tuple[str, ...]]:
    """The layer chains that the engine holds, as tuples of diff ids from the bottom up."""
    chains = set()
    for known in client.images():
        with suppress(docker.errors.ImageNotFound):  # removed by somebody meanwhile
            ids = client.inspect_image(known["Id"])["RootFS"].get("Layers", [])
            chains |= {tuple(ids[:depth]) for depth in range(1, len(ids) + 1)}
    return chains


def load(client: docker.APIClient, built: Built, tag: str, scratch: Path) -> None:
    """Make the engine hold ``built`` under ``tag``; ends the build if it does not afterwards."""
    name = built.digest.removeprefix("sha256:")
    files = [f"{layer.diff_id.removeprefix('sha256:')}.tar" for layer in built.layers]
    manifest = [{"Config": f"{name}.json", "RepoTags": [tag], "Layers": files}]
    present = engine_layers(client)
    with tempfile.TemporaryFile(dir=scratch) as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for label, content in (
                ("manifest.json", json.dumps(manifest).encode()),
                (f"{name}.json", built.configuration),
            ):
                info = tarfile.TarInfo(label)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            chain: list[str] = []
            for layer, file in zip(built.layers, files, strict=True):
                chain.append(layer.diff_id)
                if tuple(chain) not in present:
                    tar.add(layer.file, file)
        archive.seek(0)
        for answer in client.load_image(archive):
            if "error" in answer:
                sys.exit(f"the engine refused the image {built.name}: {answer['error']}")
    if not has(client, built.digest, tag):
        sys.exit(f"the engine knows the image {built.name} by another digest")
