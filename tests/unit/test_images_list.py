"""The signed list decides which images may run; whatever is not signed, or signed by another, refuses."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sandbox.audit.checkpoint import VerifierKey
from sandbox.audit.signer import FileSigner
from sandbox.executor import images as lists
from sandbox.executor.images import ImageList
from tests.plugins.images import PYTHON, SmallImages
from tests.refusal import refused


def test_what_was_signed_is_named_by_its_digest(small_images: SmallImages) -> None:
    one, two = small_images.add("one", {"a": b"1"}), small_images.add("two", {"a": b"1"}, {"b": b"2"})
    chosen = small_images.sign()
    assert [chosen.digest(name) for name in ("one", "two")] == [one.digest, two.digest]
    assert chosen.check(two.digest) == "two"
    assert chosen.layers("two") == two.layers
    assert [layer.file.name for layer in two.layers] == ["two-0.tar", "two-1.tar"]
    assert two.bytes == sum(layer.file.stat().st_size for layer in two.layers)


def test_another_digest_or_name_is_refused(small_images: SmallImages) -> None:
    small_images.add("one", {"a": b"1"})
    chosen = small_images.sign()
    later = small_images.add("one", {"a": b"2"})  # built, not signed yet
    with refused("IMAGE_UNTRUSTED"):
        chosen.check(later.digest)
    with refused("IMAGE_UNTRUSTED"):
        chosen.layers("one")
    with refused("IMAGE_UNKNOWN"):
        chosen.digest("two")
    with refused("IMAGE_UNKNOWN"):
        chosen.layers("two")


def test_a_new_list_counts_at_the_next_question(small_images: SmallImages) -> None:
    first = small_images.add("one", {"a": b"1"})
    chosen = small_images.sign()
    second = small_images.add("one", {"a": b"2"})
    small_images.sign()
    assert chosen.digest("one") == second.digest
    with refused("IMAGE_UNTRUSTED"):
        chosen.check(first.digest)


def test_every_byte_of_the_list_is_under_the_signature(small_images: SmallImages) -> None:
    small_images.add("one", {"a": b"1"})
    chosen = small_images.sign()
    path = small_images.folder / lists.SIGNED
    envelope = json.loads(path.read_bytes())
    payload = base64.b64decode(envelope["payload"])
    changed = {
        "payload": base64.b64encode(payload.replace(b"one", b"two")).decode(),
        "payloadType": "application/json",
        "signatures": [{"sig": base64.b64encode(bytes(64)).decode()}],
    }
    for field, value in changed.items():
        path.write_text(json.dumps({**envelope, field: value}))
        with refused("IMAGE_LIST"):
            chosen.digest("one")
    path.write_text(json.dumps({**envelope, "signatures": []}))
    with refused("IMAGE_LIST"):
        chosen.digest("one")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"payload": "%", "signatures": []}', b"\xff"])
def test_what_is_no_envelope_refuses_everything(small_images: SmallImages, content: bytes) -> None:
    small_images.add("one", {"a": b"1"})
    chosen = small_images.sign()
    (small_images.folder / lists.SIGNED).write_bytes(content)
    with refused("IMAGE_LIST"):
        chosen.check(small_images.record["one"]["digest"])


def test_without_list_or_key_nothing_runs(small_images: SmallImages) -> None:
    small_images.add("one", {"a": b"1"})
    chosen = ImageList(small_images.folder)
    with refused("IMAGE_LIST"):
        chosen.digest("one")
    small_images.sign()
    (small_images.folder / lists.PUBLIC).unlink()
    with refused("IMAGE_LIST"):
        chosen.digest("one")
    (small_images.folder / lists.PUBLIC).write_text("no key")
    with refused("IMAGE_LIST"):
        chosen.digest("one")


def test_another_key_convinces_nobody_and_a_pinned_one_stands_above_the_file(
    small_images: SmallImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_images.add("one", {"a": b"1"})
    small_images.sign()
    other = FileSigner.create(tmp_path / "other.pem")
    pinned = str(VerifierKey(lists.KEY_NAME, other.public_key()))
    with refused("IMAGE_LIST"):
        ImageList(small_images.folder, key=pinned).digest("one")
    monkeypatch.setenv("SANDBOX_IMAGE_KEY", pinned)
    with refused("IMAGE_LIST"):
        ImageList(small_images.folder).digest("one")
    envelope = lists.sign(lists.read_record(small_images.folder), other)
    (small_images.folder / lists.SIGNED).write_bytes(envelope)
    assert ImageList().digest("one") == small_images.record["one"]["digest"]
    monkeypatch.delenv("SANDBOX_IMAGE_KEY")
    with refused("IMAGE_LIST"):
        ImageList().digest("one")


def test_a_key_is_made_once_and_not_beside_a_public_one_from_elsewhere(tmp_path: Path) -> None:
    made = lists.make_key(tmp_path)
    again = lists.make_key(tmp_path)
    assert made is not None
    assert again is not None
    assert made.public_key() == again.public_key()
    assert (tmp_path / lists.PRIVATE).stat().st_mode & 0o777 == 0o600
    (tmp_path / lists.PUBLIC).unlink()  # it follows from the private one
    assert lists.make_key(tmp_path) is not None
    assert ImageList(tmp_path).key().public == made.public_key()
    other = FileSigner.create(tmp_path / "other.pem")
    (tmp_path / lists.PUBLIC).write_text(f"{VerifierKey(lists.KEY_NAME, other.public_key())}\n")
    assert lists.make_key(tmp_path) is None
    (tmp_path / lists.PRIVATE).unlink()
    assert lists.make_key(tmp_path) is None


@pytest.mark.parametrize(
    "break_it",
    [
        lambda image: image.layers[0].file.write_bytes(b"other"),
        lambda image: image.contents.write_bytes(b"other"),
    ],
)
def test_layers_that_changed_are_not_unpacked(small_images: SmallImages, break_it: object) -> None:
    image = small_images.add("one", {PYTHON: b"1"})
    chosen = small_images.sign()
    assert callable(break_it)
    break_it(image)
    with refused("IMAGE_UNTRUSTED"):
        chosen.layers("one")
    image.layers[0].file.unlink()
    with refused("IMAGE_RECORD"):
        chosen.layers("one")


def test_a_record_that_contradicts_itself_is_not_signed(small_images: SmallImages) -> None:
    small_images.add("one", {"a": b"1"})
    row = small_images.record["one"]
    for field, value in (
        ("digest", f"sha256:{'0' * 64}"),
        ("layers", [*row["layers"], *row["layers"]]),
    ):
        (small_images.folder / lists.RECORD).write_text(json.dumps({"one": {**row, field: value}}))
        with refused("IMAGE_UNTRUSTED"):
            lists.check_layers(lists.read_record(small_images.folder)["one"])


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"one": {}}', b'{"one": 1}', b"\xff"])
def test_a_damaged_record_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / lists.RECORD).write_bytes(content)
    with refused("IMAGE_RECORD"):
        lists.read_record(tmp_path)


def test_a_signed_image_without_a_record_cannot_be_unpacked(small_images: SmallImages) -> None:
    small_images.add("one", {"a": b"1"})
    chosen = small_images.sign()
    (small_images.folder / lists.RECORD).write_text("{}")
    with refused("IMAGE_RECORD"):
        chosen.layers("one")
