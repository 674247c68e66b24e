"""Files that are there, whole, after a power cut: written beside, synced, then put in place."""

from __future__ import annotations

import os
from pathlib import Path


def put(path: Path, content: bytes) -> None:
    """
    Write *content* under a name of its own and rename it to *path*; after this it stays.

    Raises:
        OSError: It could not be written; what was there before is there still.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    handle = os.open(
        unfinished,
        os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW,
        0o600,
    )
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    # Never the name before the content: a file that is there is whole.
    os.replace(unfinished, path)  # noqa: PTH105 - the tests of power cuts stand in for this module
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder for this user alone, if it is not there, and let it stay."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Remove a file if it is there; it may come back after a power cut, which hurts nobody."""
    try:
        os.unlink(path)  # noqa: PTH108 - the same
    except FileNotFoundError:
        return


def sync_folder(folder: Path) -> None:
    """Make names that were put into *folder* stay."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
