"""Components of a contents list, from the packages' own metadata.

The list is CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/). A package is a component of type ``library``
with name, version, purl, the hash of the archive it came in, its licences as it states them, and its files as
components of their own.
"""

from __future__ import annotations

import email.parser
import hashlib
import json
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

from images import recipe

OWN = "sandbox"
LINK = "sandbox:link"  # property of a file component: where a symbolic link points
LICENCE_CHARS = 100  # a longer "licence" of a wheel is the text itself


def file(name: str, sha256: str) -> dict[str, Any]:
    """A regular file of a package."""
    return {"type": "file", "name": f"/{name}", "hashes": [{"alg": "SHA-256", "content": sha256}]}


def link(name: str, target: str) -> dict[str, Any]:
    """A symbolic link of a package."""
    return {"type": "file", "name": f"/{name}", "properties": [{"name": LINK, "value": target}]}


def own(part: str) -> dict[str, Any]:
    """What is ours in a layer: the program, or the few files that make packages a root file system."""
    return {
        "type": "application",
        "bom-ref": f"{OWN}-{part}",
        "name": f"{OWN}-{part}",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def from_deb(deb: Path) -> dict[str, Any]:
    """The component of a distribution package; its licences are added from its copyright file."""
    fields = ("Package", "Version", "Architecture")
    told = subprocess.run(
        ["dpkg-deb", "--field", str(deb), *fields], capture_output=True, text=True, check=True
    ).stdout
    said = dict(line.split(": ", 1) for line in told.splitlines())
    name, version, architecture = (said[field] for field in fields)
    return {
        "type": "library",
        "bom-ref": f"deb:{name}",
        "name": name,
        "version": version,
        "purl": f"pkg:deb/debian/{name}@{version}?arch={architecture}",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(deb.read_bytes()).hexdigest()}],
    }


def debian_licences(copyright_file: bytes) -> list[dict[str, Any]]:
    """The licences that a copyright file names in its machine-readable form (DEP-5), by their names there."""
    found = re.findall(r"^License:[ \t]*(\S[^\n]*)$", copyright_file.decode(errors="replace"), re.M)
    names = sorted({" ".join(name.split()) for name in found}) or ["see the package's copyright file"]
    return [{"license": {"name": name}} for name in names]


def from_wheel(told: dict[str, Any]) -> dict[str, Any]:
    """The component of a wheel, from one entry of pip's installation report."""
    metadata = told["metadata"]
    name, version = metadata["name"], metadata["version"]
    return {
        "type": "library",
        "bom-ref": f"wheel:{normal(name)}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{normal(name)}@{version}",
        "hashes": [{"alg": "SHA-256", "content": told["download_info"]["archive_info"]["hashes"]["sha256"]}],
        "licenses": wheel_licences(metadata),
    }


def wheel_licences(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """The SPDX expression if the wheel has one (PEP 639), else its classifiers, else its short field."""
    if expression := metadata.get("license_expression"):
        return [{"expression": expression}]
    marked = [
        line.split(" :: ")[-1] for line in metadata.get("classifier", []) if line.startswith("License ::")
    ]
    stated = metadata.get("license", "").strip()
    if not marked and 0 < len(stated) <= LICENCE_CHARS:
        marked = [stated]
    return [{"license": {"name": name}} for name in sorted(set(marked)) or ["not stated"]]


def normal(name: str) -> str:
    """The normal form of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def dist_info(site: Path, part: dict[str, Any]) -> Path:
    """The metadata folder of an installed wheel: ``<name, its dashes escaped>-<version>.dist-info``."""
    found = (
        path for path in site.glob("*.dist-info") if normal(path.name.split("-")[0]) == normal(part["name"])
    )
    return next(found)


def header(metadata: bytes) -> bytes:
    """Core metadata without the description and the links."""
    message = email.parser.BytesParser().parsebytes(metadata)
    keep = (
        "Metadata-Version",
        "Name",
        "Version",
        "License",
        "License-Expression",
        "Requires-Python",
        "Requires-Dist",
    )
    lines = [f"{key}: {value}" for key, value in message.items() if key in keep and "\n" not in value]
    return "\n".join([*lines, ""]).encode()


def document(image: str, digest: str, parts: list[dict[str, Any]]) -> bytes:
    """The contents list of an image, in canonical order: equal images give equal bytes."""
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox:{image}@{digest}")
    about = {
        "type": "container",
        "bom-ref": image,
        "name": image,
        "version": digest,
        "hashes": [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}],
    }
    made = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"timestamp": recipe.CREATED, "component": about},
        "components": parts,
        "dependencies": [{"ref": image, "dependsOn": sorted(part["bom-ref"] for part in parts)}],
    }
    return (json.dumps(made, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()
