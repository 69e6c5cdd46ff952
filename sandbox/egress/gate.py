"""The one exit (control plane): no other module can make a byte readable outside the domain.

It opens no content. It takes the canonical files that the checker wrote and people reviewed, by hash,
hashes them anew, puts them with the record of how they came to leave into one signed package, and hands
that to the named recipient against the release token. Everything it needs it asks again at the moment
of release and of each download: the guards stand in the table of the egress request.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import __version__
from sandbox.core.actor import SYSTEM, Actor
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource
from sandbox.policy.isolation import told
from sandbox.review.dp import question_of
from sandbox.review.dp import told as told_dp
from sandbox.review.egress_request import KIND, checked, token_end
from sandbox.review.judges import authoriser_reviews, independent
from sandbox.review.released import canonical_of, last_release
from sandbox.store.blobs import Blobs

if TYPE_CHECKING:
    from sandbox.audit.signer import Signer
    from sandbox.control.door import Control
    from sandbox.control.places import Places

NAME = "egress-request"
PART_SECONDS = 3600.0  # a package half written and untouched for so long has no writer any more
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # in the package nothing depends on when it was zipped


class Gate:
    """``released`` is the only folder whose content may be read from outside."""

    def __init__(
        self, control: Control, places: Places, released: Path, signer: Signer, token_key: bytes
    ) -> None:
        self._control = control
        self._places = places
        self._released = Blobs(released)
        self._signer = signer
        self._token_key = token_key

    def release(self, id: str) -> None:
        """Make the package of a request in state ``releasing`` and move it to ``released``.

        A content that is not the reviewed one (ARTEFACT_CHANGED), or cells that the ledger does not hold
        (LEDGER_MISSING, BLOB_MISSING, BLOB_DAMAGED), are withheld: the request ends recalled. That the row is
        ``released`` is what makes its cells count, so that nothing leaves without them.
        """
        with self._control.store.read() as reader:
            request = reader.get(NAME, id)
        if request is None or request.state != "releasing":
            return
        try:
            files = self._reviewed(request)
            self._entered(request)
        except SandboxError as error:
            self._control.act(SYSTEM, NAME, id, "withhold", {"cause": error.code}, expected=request.version)
            return
        row = KIND.row("release", request.state)
        assert row is not None
        self._control.ask(SYSTEM, NAME, id, row.event, row.guards)  # refused: not even a package is made
        checkpoint = self._control.store.checkpoint()
        record = self._record(request, files)
        sha256, size = self._released.take(iter([self._package(record, files, checkpoint.note)]))
        expires = token_end(self._control.policy, self._control.clock())
        self._control.act(
            SYSTEM,
            NAME,
            id,
            "release",
            {
                "package_sha256": sha256,
                "bytes": size,
                "files": [{"path": file["path"], "sha256": file["sha256"]} for file in record["files"]],
                "token_sha256": hashlib.sha256(self._token(id, sha256).encode()).hexdigest(),
                "expires_at": expires.isoformat(),
                "checkpoint": checkpoint.note,
            },
            expected=request.version,
        )

    def token(self, actor: Actor, id: str) -> str:
        """The release token, for the named recipient only; derived, so that it is stored nowhere.

        Raises NOT_FOUND, NOT_RELEASED, NOT_RECIPIENT (each hand-out and each refusal is logged).
        """
        request = self._seen(actor, id)
        if request.state != "released":
            raise fail("NOT_RELEASED", request=id)
        if actor.organisation != request.spec["recipient"]:
            self._control.note(actor, "take-token", request.ref, reason="NOT_RECIPIENT")
            raise fail("NOT_RECIPIENT")
        self._control.note(actor, "take-token", request.ref)
        return self._token(id, request.status["release"]["package_sha256"])

    def open(self, actor: Actor, id: str, token: str) -> Iterator[bytes]:
        """The package, after the ``download`` transition has let this actor have it and has logged it.

        Raises NOT_RECIPIENT also for a request that the actor may not know of, or that does not exist:
        one answer for all, so that nothing can be found out by trying ids.
        """
        with self._control.store.read() as reader:
            request = reader.get(NAME, id)
        if request is None or actor.organisation != request.spec["recipient"]:
            named = request.ref if request else f"{NAME}/-"
            self._control.note(actor, "download", named, reason="NOT_RECIPIENT")
            raise fail("NOT_RECIPIENT")
        if request.state != "released":
            raise fail("NOT_RELEASED", request=id)
        self._control.act(actor, NAME, id, "download", {"token": token})
        sha256 = request.status["release"]["package_sha256"]
        self._released.verified(sha256)
        return self._released.read(sha256)

    def review(self, actor: Actor, id: str, path: str) -> bytes:
        """The review room: one canonical file for a reviewer who may decide it, while it is decided.

        The reviewer's screen is inside the domain (R-086); every opening is logged. Raises the guards of
        ``give_verdict`` (who authorises reviews; independent; no hard finding), STATE, NOT_FOUND.
        """
        request = self._seen(actor, id)
        self._control.ask(actor, NAME, id, "give_verdict", (authoriser_reviews, independent, checked))
        for file in request.status["check"]["canonical"]:
            if file["path"] == path:
                self._control.note(actor, "open-in-review-room", request.ref, sha256=file["sha256"])
                review = self._places.blobs(request.labels["agreement"], request.labels["scenario"], "review")
                return review.verified(file["sha256"]).read_bytes()
        raise fail("NOT_FOUND", kind=f"{NAME}/{id}", id="file")

    def review_earlier(self, actor: Actor, id: str, path: str) -> tuple[Resource, bytes] | None:
        """Beside ``review``: the file of the same path in the last release of the same scenario, else of the
        same primary product under the same agreement, and that release; None if there is none.

        For whoever may read this request's files now, and might recall that release; the opening is logged.
        Raises as ``review``.
        """
        request = self._seen(actor, id)
        self._control.ask(actor, NAME, id, "give_verdict", (authoriser_reviews, independent, checked))
        with self._control.store.read() as reader:
            found = last_release(reader, request, path)
        if found is None:
            return None
        self._control.get(actor, NAME, found.id)
        self._control.ask(actor, NAME, found.id, "recall", (authoriser_reviews, independent))
        sha256 = canonical_of(found)[path]
        self._control.note(actor, "open-in-review-room", found.ref, sha256=sha256, beside=id)
        review = self._places.blobs(found.labels["agreement"], found.labels["scenario"], "review")
        return found, review.verified(sha256).read_bytes()

    def sweep(self) -> list[str]:
        """Remove packages that no release names (a crash between writing and releasing left them)."""
        self._released.drop_parts(PART_SECONDS)
        present = self._released.names()  # before the rows are read: what comes later is not judged
        with self._control.store.read() as reader:  # one statement: a release may be committed meanwhile
            requests = reader.find(NAME, state=("releasing", "released", "recalled"))
        if any(request.state == "releasing" for request in requests):
            return []
        named = {one.status["release"]["package_sha256"] for one in requests if "release" in one.status}
        return [sha256 for sha256 in present if sha256 not in named and self._released.remove(sha256)]

    # --- how

    def _seen(self, actor: Actor, id: str) -> Resource:
        self._control.get(actor, NAME, id)  # NOT_FOUND for whoever may not know of it
        with self._control.store.read() as reader:
            request = reader.get(NAME, id)
        assert request is not None
        return request

    def _token(self, id: str, package: str) -> str:
        return "rel_" + hmac.new(self._token_key, f"{id}\0{package}".encode(), hashlib.sha256).hexdigest()

    def _reviewed(self, request: Resource) -> dict[str, bytes]:
        """Exactly the files that were reviewed, each hashed anew. Raises ARTEFACT_CHANGED."""
        reviewed = request.status["decision"]["reviewed"]
        checked = {file["path"]: file["sha256"] for file in request.status["check"]["canonical"]}
        if not reviewed or reviewed != checked:
            raise fail("ARTEFACT_CHANGED")
        review = self._places.blobs(request.labels["agreement"], request.labels["scenario"], "review")
        files = {path: b"".join(review.read(sha256)) for path, sha256 in sorted(reviewed.items())}
        for path, content in files.items():
            if hashlib.sha256(content).hexdigest() != reviewed[path]:
                raise fail("ARTEFACT_CHANGED")
        return files

    def _entered(self, request: Resource) -> None:
        """The cells of the request are in the ledger, whole. Raises as ``release`` says."""
        told = request.status["check"].get("ledger")
        if not told:
            raise fail("LEDGER_MISSING")
        for file in told["files"]:
            self._places.ledger().verified(file["sha256"])

    def _record(self, request: Resource, files: dict[str, bytes]) -> dict[str, Any]:
        """What goes out beside the files: who decided what, on which grounds, from which sources."""
        with self._control.store.read() as reader:
            job = reader.get("job", request.spec["job"])
            products = reader.find("product", state="registered", labels={"request": request.id})
            assert job is not None
            scenario = reader.get("scenario", job.spec["scenario"])
            supplies = [reader.get("supply", id) for id in job.status["lineage"]["supplies"]]
            entries = [reader.get("catalogue-entry", id) for id in job.status["lineage"]["entries"]]
            asked = question_of(job)
            answer = reader.get("dp-release", asked["release"]) if asked else None
        assert scenario is not None
        product, check = products[0], request.status["check"]
        return {
            "format": "sandbox-release/1",
            "request": request.id,
            "title": request.spec["title"],
            "form": request.spec["form"],
            "recipient": request.spec["recipient"],
            "purpose": request.spec["purpose"],
            "conditions": list(request.status["decision"]["conditions"]),
            "files": [
                {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
                for path, content in files.items()
            ],
            "product": {
                "id": product.id,
                "registration_no": product.status["registration"]["registration_no"],
                "sources": product.status["registration"]["sources"],
            },
            "sources": [
                {
                    "entry": entry.id,
                    "title_zh": entry.spec["title_zh"],
                    "title_en": entry.spec["title_en"],
                    "provider": entry.organisation,
                    "registration_no": entry.status["registration"]["registration_no"],
                }
                for entry in entries
                if entry is not None
            ],
            "lineage": {
                "scenario": scenario.id,
                "list_sha256": job.status["list_sha256"],
                "job": job.id,
                "code_sha256": job.status["code_sha256"],
                "supplies": [supply.id for supply in supplies if supply is not None],
                "products": job.status["lineage"]["products"],
                **({"dp": told_dp(answer)} if answer is not None else {}),
            },
            "verdict": {
                "checker": check["checker"],
                "verdict": check["verdict"],
                "policy": request.status["decision"]["policy"],
                "clauses": list(check["clauses"]),
                "rules": check["rules"],
                "findings": [
                    {key: found[key] for key in ("rule", "point", "severity")} for found in check["findings"]
                ],
            },
            "isolation": {
                "view": told(job.status.get("run", {})),
                "job": told(job.status["outcome"]),
                "check": told(check["isolation"]),
            },
            "decisions": [
                {key: given[key] for key in ("which", "verdict", "by", "organisation", "at")}
                for given in request.status["verdicts"]
            ]
            + [
                {
                    "which": "approval",
                    **{key: request.status["decision"][key] for key in ("by", "organisation", "at")},
                }
            ],
            "runtime": __version__,
        }

    def _package(self, record: dict[str, Any], files: dict[str, bytes], checkpoint: str) -> bytes:
        """One ZIP: ``data/…``, the signed record, its crate view, the source statement, the checkpoint."""
        package = json.dumps(record, ensure_ascii=False, sort_keys=True, indent=2).encode() + b"\n"
        members = {
            "package.json": package,
            "package.json.sig": self._signer.sign(package).hex().encode() + b"\n",
            "package.json.pub": self._signer.public_key().hex().encode() + b"\n",
            "ro-crate-metadata.json": json.dumps(crate(record), ensure_ascii=False, indent=2).encode(),
            "SOURCES.md": sources_text(record).encode(),
            "checkpoint.txt": checkpoint.encode(),
            **{f"data/{path}": content for path, content in files.items()},
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name in sorted(members):
                info = zipfile.ZipInfo(name, FIXED_TIME)
                info.external_attr = 0o644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                bundle.writestr(info, members[name])
        return buffer.getvalue()


def crate(record: dict[str, Any]) -> dict[str, Any]:
    """The record as RO-Crate 1.1 metadata: files, hashes, who, from what."""
    files = [
        {
            "@id": f"data/{file['path']}",
            "@type": "File",
            "sha256": file["sha256"],
            "contentSize": str(file["bytes"]),
        }
        for file in record["files"]
    ]
    sources = [
        {
            "@id": f"#{source['entry']}",
            "@type": "Dataset",
            "name": source["title_zh"],
            "identifier": source["registration_no"],
            "provider": {"@id": f"#{source['provider']}"},
        }
        for source in record["sources"]
    ]
    return {
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": [
            {
                "@id": "ro-crate-metadata.json",
                "@type": "CreativeWork",
                "about": {"@id": "./"},
                "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            },
            {
                "@id": "./",
                "@type": "Dataset",
                "name": record["title"],
                "identifier": record["product"]["registration_no"],
                "hasPart": [{"@id": file["@id"]} for file in files],
                "isBasedOn": [{"@id": source["@id"]} for source in sources],
                "audience": {"@id": f"#{record['recipient']}"},
            },
            *files,
            *sources,
            {"@id": f"#{record['recipient']}", "@type": "Organization"},
        ],
    }


def sources_text(record: dict[str, Any]) -> str:
    """The source statement (GD 26(二)): which resources, whose, with which registration numbers."""
    lines = [
        f"# {record['title']}",
        "",
        "数据来源说明 / Sources",
        "",
        "| 资源 / resource | 提供单位 / provider | 登记号 / registration |",
        "|---|---|---|",
        *(
            f"| {source['title_zh']} / {source['title_en']} | {source['provider']} "
            f"| {source['registration_no']} |"
            for source in record["sources"]
        ),
        "",
        f"产品登记号 / product registration: {record['product']['registration_no']}",
        f"接收方 / recipient: {record['recipient']} · 目的 / purpose: {record['purpose']}",
        "",
    ]
    return "\n".join(lines)
