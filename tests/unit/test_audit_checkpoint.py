"""Signed heads and the keys that sign them."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sandbox.audit import Algorithm, Checkpoint, FileSigner, VerifierKey, make_checkpoint, parse_checkpoint
from sandbox.core.errors import SandboxError

ROOT = bytes(range(32))


@pytest.fixture
def made(signer: FileSigner) -> tuple[Checkpoint, VerifierKey]:
    return make_checkpoint("space.example/log", 42, ROOT, Algorithm.SHA256, signer)


def code_of(caught: pytest.ExceptionInfo[SandboxError]) -> str:
    return caught.value.code


def test_the_text_is_the_c2sp_form(made: tuple[Checkpoint, VerifierKey]) -> None:
    checkpoint, key = made
    text, _, signatures = checkpoint.note.partition("\n\n")
    assert text == f"space.example/log\n42\n{base64.b64encode(ROOT).decode()}"
    assert signatures.startswith("— space.example/log ")
    raw = base64.b64decode(signatures.split(" ")[2])
    assert raw[:4] == key.id
    assert len(raw) == 4 + 64


def test_key_id_of_the_published_example() -> None:
    """The verifier key in the documentation of golang.org/x/mod/sumdb/note."""
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    key = VerifierKey.parse(text)
    assert (key.name, key.id.hex(), str(key)) == ("PeterNeumann", "c74f20a3", text)


def test_signature_of_the_published_example() -> None:
    """The signed note in the documentation of golang.org/x/mod/sumdb/note."""
    key = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    signature = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert signature[:4] == key.id
    assert key.verifies(text.encode(), signature[4:])
    assert not key.verifies(text.encode() + b" ", signature[4:])


@pytest.mark.parametrize("algorithm", Algorithm)
def test_what_is_signed_is_read_back_and_verifies(signer: FileSigner, algorithm: Algorithm) -> None:
    checkpoint, key = make_checkpoint("sandbox", 7, ROOT, algorithm, signer)
    again = parse_checkpoint(checkpoint.note)
    assert again == checkpoint
    assert (again.origin, again.size, again.root, again.algorithm) == ("sandbox", 7, ROOT, algorithm)
    assert again.signed_by([key]) is True
    assert VerifierKey.parse(str(key)) == key


@pytest.mark.parametrize(
    ("old", "new"), [("\n42\n", "\n43\n"), ("space.example/log\n", "space.example/lag\n")]
)
def test_a_changed_text_does_not_verify(made: tuple[Checkpoint, VerifierKey], old: str, new: str) -> None:
    checkpoint, key = made
    forged = parse_checkpoint(checkpoint.note.replace(old, new, 1))
    assert forged.signed_by([key]) is False


def test_the_algorithm_is_part_of_what_is_signed(signer: FileSigner) -> None:
    checkpoint, key = make_checkpoint("sandbox", 7, ROOT, Algorithm.SM3, signer)
    forged = parse_checkpoint(checkpoint.note.replace("hash sm3\n", ""))
    assert forged.algorithm is Algorithm.SHA256
    assert forged.signed_by([key]) is False


def test_a_signature_by_nobody_known_is_neither_right_nor_wrong(
    made: tuple[Checkpoint, VerifierKey], tmp_path: Path
) -> None:
    checkpoint, key = made
    stranger = VerifierKey(key.name, FileSigner.create(tmp_path / "other").public_key())
    assert checkpoint.signed_by([stranger]) is None
    assert checkpoint.signed_by([]) is None


def test_a_witness_may_sign_below(made: tuple[Checkpoint, VerifierKey], tmp_path: Path) -> None:
    checkpoint, key = made
    other = FileSigner.create(tmp_path / "witness")
    witness = VerifierKey("witness", other.public_key())
    text = checkpoint.note.partition("\n\n")[0] + "\n"
    line = base64.b64encode(witness.id + other.sign(text.encode())).decode()
    cosigned = parse_checkpoint(f"{checkpoint.note}— witness {line}\n")
    assert cosigned.signed_by([key]) is True
    assert cosigned.signed_by([witness]) is True
    assert cosigned.signed_by([key, witness]) is True


def test_one_wrong_signature_of_a_known_key_spoils_it(
    made: tuple[Checkpoint, VerifierKey], tmp_path: Path
) -> None:
    checkpoint, key = made
    witness = VerifierKey("witness", FileSigner.create(tmp_path / "witness").public_key())
    line = base64.b64encode(witness.id + bytes(64)).decode()
    assert parse_checkpoint(f"{checkpoint.note}— witness {line}\n").signed_by([key, witness]) is False


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "x" * 201])
def test_an_origin_that_cannot_be_a_name_is_refused(signer: FileSigner, origin: str) -> None:
    with pytest.raises(SandboxError) as caught:
        make_checkpoint(origin, 0, ROOT, Algorithm.SHA256, signer)
    assert code_of(caught) == "AUDIT_CHECKPOINT"


_GOOD = base64.b64encode(ROOT).decode()
_SIGNATURE = "— o " + base64.b64encode(bytes(68)).decode() + "\n"


@pytest.mark.parametrize(
    "note",
    [
        "",
        "o\n1\n" + _GOOD + "\n",  # no signatures
        "o\n1\n" + _GOOD + "\n\n",  # none below the empty line
        "o\n1\n\n" + _SIGNATURE,
        f"o\n01\n{_GOOD}\n\n{_SIGNATURE}",
        f"o\n-1\n{_GOOD}\n\n{_SIGNATURE}",
        f"o\n1\nAAAA\n\n{_SIGNATURE}",
        f"o\n1\n!\n\n{_SIGNATURE}",
        f"o\n1\n{_GOOD}\nhash md5\n\n{_SIGNATURE}",
        f"o\n1\n{_GOOD}\nhash sm3\nhash sm3\n\n{_SIGNATURE}",
        f"o\n1\n{_GOOD}\n\n- o AAAA\n",
        f"o\n1\n{_GOOD}\n\n— o AAAA\n",
        f"o\n1\n{_GOOD}\n\n— o ü\n",
        f"o o\n1\n{_GOOD}\n\n{_SIGNATURE}",
        f"o\n1\n{_GOOD}\n{'x' * 70000}\n\n{_SIGNATURE}",
    ],
)
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(SandboxError) as caught:
        parse_checkpoint(note)
    assert code_of(caught) == "AUDIT_CHECKPOINT"


def test_the_key_file_is_its_owners_alone_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.key"
    signer = FileSigner.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FileSigner.load(path).public_key() == signer.public_key()
    with pytest.raises(SandboxError) as caught:
        FileSigner.create(path)
    assert code_of(caught) == "AUDIT_KEY"
    assert FileSigner.load(path).public_key() == signer.public_key()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.key"
    FileSigner.create(path)
    path.chmod(mode)
    with pytest.raises(SandboxError) as caught:
        FileSigner.load(path)
    assert code_of(caught) == "AUDIT_KEY_EXPOSED"


def _pem(kind: str) -> bytes:
    ours = Ed25519PrivateKey.generate()
    return {
        "empty": b"",
        "text": b"not a key",
        "another curve": generate_private_key(SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        "locked": ours.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "another curve", "locked"])
def test_another_content_is_no_key(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "signing.key"
    path.touch(0o600)
    path.write_bytes(_pem(kind))
    with pytest.raises(SandboxError) as caught:
        FileSigner.load(path)
    assert code_of(caught) == "AUDIT_KEY"


def test_an_absent_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        FileSigner.load(tmp_path / "absent")
    assert code_of(caught) == "AUDIT_KEY"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+00000000",
        "a+00000000+!",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # the id of another
        "PeterNeumenn+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # the name of another
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(SandboxError) as caught:
        VerifierKey.parse(text)
    assert code_of(caught) == "AUDIT_KEY"


def test_a_public_key_of_the_wrong_length_verifies_nothing() -> None:
    assert not VerifierKey("a", b"short").verifies(b"", bytes(64))
