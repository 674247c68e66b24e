"""A disk whose power is cut: after which step, and what of the unsynced is lost, the test says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


class PowerCutError(BaseException):
    """No handler of ours may see it: after a cut nothing runs."""


LOSSES = ("nothing", "data", "names", "data and names")
"""What of that which was done and not synced the disk did not keep."""


class CutDisk:
    """
    Stands in for the module ``os`` where files are made to last.

    Every change goes to the real files, and what a sync would have made sure of is remembered.

    Args:
        cut_at: Number of the step before which the power goes; a write is done half then.
    """

    def __init__(self, cut_at: int | None = None) -> None:
        self.steps = 0
        self._cut_at = cut_at
        self._paths: dict[int, str] = {}
        self._unsynced: set[str] = set()
        self._undo: list[Callable[[], None]] = []

    def __getattr__(self, name):
        return getattr(os, name)

    def open(self, path, flags, mode=0o777):
        path = os.fspath(path)
        if flags & (os.O_CREAT | os.O_TRUNC):
            self._step()
            before = _content(path)
            self._undo.append(lambda: _restore(path, before))
            self._unsynced.add(path)
        handle = os.open(path, flags, mode)
        self._paths[handle] = path
        return handle

    def write(self, handle, content):
        if self._is_cut():
            os.write(handle, content[: len(content) // 2])
        self._step()
        self._unsynced.add(self._paths[handle])
        # Short writes are allowed, and made.
        return os.write(handle, content[: max(1, len(content) // 2)])

    def fsync(self, handle):
        self._step()
        path = self._paths[handle]
        if Path(path).is_dir():
            self._undo.clear()
        else:
            self._unsynced.discard(path)

    def replace(self, source, target):
        self._step()
        source, target = os.fspath(source), os.fspath(target)
        moved, before = _content(source), _content(target)
        self._undo.append(lambda: (_restore(source, moved), _restore(target, before)))
        Path(source).replace(target)
        if source in self._unsynced:
            self._unsynced.discard(source)
            self._unsynced.add(target)

    def unlink(self, path):
        self._step()
        path = os.fspath(path)
        before = _content(path)
        Path(path).unlink()
        self._undo.append(lambda: _restore(path, before))

    def lose(self, what: str) -> None:
        """Let the disk forget *what* of the unsynced, as after a cut."""
        if "data" in what:
            for path in self._unsynced:
                if Path(path).exists():
                    Path(path).write_bytes(b"")
        if "names" in what:
            for undo in reversed(self._undo):
                undo()

    def _is_cut(self) -> bool:
        return self.steps == self._cut_at

    def _step(self) -> None:
        if self._is_cut():
            raise PowerCutError
        self.steps += 1


def _content(path: str) -> bytes | None:
    return Path(path).read_bytes() if Path(path).exists() else None


def _restore(path: str, content: bytes | None) -> None:
    if content is None:
        Path(path).unlink(missing_ok=True)
    else:
        Path(path).write_bytes(content)
