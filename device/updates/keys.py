"""
The folder of keys that a box trusts: public keys, and a list of those that are revoked.

The folder is the operator's.  Whoever can write it decides what the box runs, so nobody but root or
the user of the box may, and better root alone.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from device.bundle import Trust
from device.bundle.minisign import LONGEST_TEXT, PublicKey
from device.core.errors import BundleError, BundleFault

SUFFIX = ".pub"
REVOKED_NAME = "revoked.txt"
"""One id of a key a line; what follows a ``#`` is for people."""
_LARGEST_LIST_BYTES = 64 * 1024
_MOST_KEYS = 64
_ID = re.compile(r"[0-9A-F]{16}")


def read_keys(folder: Path) -> Trust:
    """
    Read the keys of *folder*; none of them where it does not exist.

    Raises:
        BundleError: Somebody else could have changed it, two keys have one id, or a file cannot be
            read or understood: then nothing is trusted, also not the other keys.
    """
    keys: dict[str, PublicKey] = {}
    revoked: frozenset[str] = frozenset()
    try:
        names = sorted(path.name for path in folder.iterdir())
        _check_rights(folder, folder.stat())
        for name in names:
            path = folder / name
            if name == REVOKED_NAME:
                revoked = _revoked(path, _content(path, _LARGEST_LIST_BYTES))
            elif name.endswith(SUFFIX):
                key = _key(path)
                if key.name in keys or len(keys) == _MOST_KEYS:
                    raise _unusable(path, f"found one key too many, {key.name}; remove one")
                keys[key.name] = key
    except FileNotFoundError:
        return Trust(place=f"{folder}, which does not exist")
    except OSError as error:
        raise _unusable(folder, f"cannot be read ({error.strerror})") from error
    return Trust(keys=keys, revoked=revoked, place=str(folder))


def _key(path: Path) -> PublicKey:
    try:
        return PublicKey.parse(_content(path, LONGEST_TEXT))
    except ValueError as error:
        raise _unusable(path, f"expected a public key, found something else ({error})") from None


def _revoked(path: Path, content: bytes) -> frozenset[str]:
    lines = content.decode("utf-8", "replace").splitlines()
    names = [word for line in lines if (word := line.partition("#")[0].strip().upper())]
    for name in names:
        if not _ID.fullmatch(name):
            # A mistyped line would leave a key trusted that somebody meant to revoke.
            raise _unusable(path, f"expected the id of a key (16 digits) a line, found {name!r}")
    return frozenset(names)


def _content(path: Path, most_bytes: int) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _unusable(path, "expected a file, found something else")
        _check_rights(path, os.fstat(handle))
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise _unusable(path, f"expected at most {most_bytes} bytes, found more")
    return content


def _check_rights(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _unusable(
            path,
            "expected that only root or this user may write it, found user "
            f"{status.st_uid}, rights {stat.S_IMODE(status.st_mode):04o}; put that right, and look "
            "who changed what",
        )


def _unusable(path: Path, what: str) -> BundleError:
    return BundleError(BundleFault.KEY, f"keys ({path}): {what}")
