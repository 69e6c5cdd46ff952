"""The kernel's own encryption of folders (fscrypt, policy version 2), through its calls in <linux/fscrypt.h>.

A folder with a policy, and everything below it, is encrypted: contents, names, links. Its key is known to the
file system (not to a process or user) from ``add`` to ``remove`` or to the unmount. Without it files can
neither be opened nor made; they can be listed under stand-in names, and deleted.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

KEY_BYTES = 64
IDENTIFIER_BYTES = 16

# cipher -> mode of the contents, mode of the names; the kernel derives the key of each file (HKDF-SHA512)
CIPHERS: dict[str, tuple[int, int]] = {
    "aes-256-xts": (1, 4),  # FSCRYPT_MODE_AES_256_XTS, AES_256_CTS
    "sm4-xts": (7, 8),  # FSCRYPT_MODE_SM4_XTS, SM4_CTS
}
# what the kernel answers where it, or the file system, or the cipher, is not made for it
UNSUPPORTED = frozenset({errno.ENOTTY, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
NO_CIPHER = frozenset({errno.ENOPKG, errno.ENOENT, errno.EINVAL})

_READ, _WRITE = 2, 1
_PAD_32 = 3  # names are padded to multiples of 32 bytes
_BUSY = 1  # FSCRYPT_KEY_REMOVAL_STATUS_FLAG_FILES_BUSY


def _number(direction: int, call: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("f") << 8 | call


_SET_POLICY = _number(_READ, 19, 12)
_GET_POLICY = _number(_READ | _WRITE, 22, 9)
_ADD_KEY = _number(_READ | _WRITE, 23, 80)
_REMOVE_KEY = _number(_READ | _WRITE, 24, 64)
_REMOVE_KEY_ALL_USERS = _number(_READ | _WRITE, 25, 64)
_KEY_STATUS = _number(_READ | _WRITE, 26, 128)
_BY_IDENTIFIER = 2


class Presence(IntEnum):
    """What the file system knows of a key."""

    ABSENT = 1
    PRESENT = 2
    LEAVING = 3  # removed, but some files are still open


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


def _specifier(size: int, identifier: bytes = b"") -> bytearray:
    """A request that begins with a key's name."""
    request = bytearray(size)
    struct.pack_into("<II", request, 0, _BY_IDENTIFIER, 0)
    request[8 : 8 + len(identifier)] = identifier
    return request


def add(mount: Path, key: bytes) -> bytes:
    """Give the file system at ``mount`` a key of 64 bytes; its identifier, derived by the kernel."""
    request = _specifier(80)
    struct.pack_into("<I", request, 40, len(key))
    request += key
    with _opened(mount) as handle:
        fcntl.ioctl(handle, _ADD_KEY, request)
    return bytes(request[8 : 8 + IDENTIFIER_BYTES])


def remove(mount: Path, identifier: bytes) -> bool:
    """Take the key away: what is cached is written and dropped. Whether nothing is left open with it."""
    request = _specifier(64, identifier)
    with _opened(mount) as handle:
        try:
            fcntl.ioctl(handle, _REMOVE_KEY if os.geteuid() else _REMOVE_KEY_ALL_USERS, request)
        except OSError as error:
            if error.errno == errno.ENOKEY:
                return True
            raise
    (flags,) = struct.unpack_from("<I", request, 40)
    return not flags & _BUSY


def presence(mount: Path, identifier: bytes) -> Presence:
    """Whether the file system has the key."""
    request = _specifier(128, identifier)
    with _opened(mount) as handle:
        fcntl.ioctl(handle, _KEY_STATUS, request)
    (status,) = struct.unpack_from("<I", request, 64)
    return Presence(status)


def protect(folder: Path, identifier: bytes, cipher: str) -> None:
    """Have the empty ``folder`` encrypted with that key from now on. OSError if it cannot be."""
    contents, names = CIPHERS[cipher]
    policy = struct.pack("<BBBBB3s16s", 2, contents, names, _PAD_32, 0, b"", identifier)
    with _opened(folder) as handle:
        fcntl.ioctl(handle, _SET_POLICY, policy)


def policy_of(folder: Path) -> tuple[str, bytes] | None:
    """Cipher and key identifier of a folder; None if it is in plain. OSError if it is not there."""
    request = bytearray(32)
    struct.pack_into("<Q", request, 0, 24)
    with _opened(folder) as handle:
        try:
            fcntl.ioctl(handle, _GET_POLICY, request)
        except OSError as error:
            if error.errno == errno.ENODATA or error.errno in UNSUPPORTED:
                return None
            raise
    version, contents, names = struct.unpack_from("<BBB", request, 8)
    cipher = next((name for name, modes in CIPHERS.items() if modes == (contents, names)), "")
    return (cipher if version == 2 else "", bytes(request[16 : 16 + IDENTIFIER_BYTES]))
