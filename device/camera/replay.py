"""Pictures from files in place of a camera: for a first start, for tests and for the bench."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from pathlib import Path

from typing_extensions import Self

from device.core.errors import CameraError
from device.core.values import Capture

SUFFIXES = frozenset({".jpeg", ".jpg", ".png"})
"""What counts as a picture in a folder, whatever the case; other files are passed over."""

_REMEDY = "check the settings key camera.path"
_LOG = logging.getLogger(__name__)


class ReplayCamera:
    """
    Shows a picture, or the pictures of a folder by name, over and over.

    The folder is listed when the camera is opened; a file is read when its turn comes and handed
    on as it is, still encoded.

    Args:
        path: A picture of any name, or a folder that holds ``.jpg``, ``.jpeg`` or ``.png`` files.

    Threads: one thread owns a camera.
    """

    def __init__(self, path: Path) -> None:
        self.name = f"replay {path}"
        self._path = path
        self._pictures: tuple[Path, ...] = ()
        self._next = 0

    def __enter__(self) -> Self:
        """
        List the pictures and begin with the first.

        Raises:
            CameraError: There is no such file or folder, or no picture in it.
        """
        try:
            pictures = _pictures(self._path)
        except OSError as error:
            raise CameraError(f"{self.name}: {error.strerror}; {_REMEDY}") from error
        if not pictures:
            raise CameraError(
                f"{self.name}: expected at least one {', '.join(sorted(SUFFIXES))} file, found "
                f"none; put pictures there or {_REMEDY}"
            )
        self._pictures = pictures
        self._next = 0
        _LOG.info("event=camera.opened camera=%r pictures=%d", self.name, len(pictures))
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Forget the list; may be called twice."""
        self._pictures = ()

    @property
    def is_stuck(self) -> bool:
        """Never: a file is there or not."""
        return False

    def glance(self, timeout_s: float) -> Capture:  # noqa: ARG002 - a file is there or not
        """
        Read the picture that the next capture will be.

        Raises:
            CameraError: As :meth:`capture`.
        """
        return self._read()

    def capture(self, timeout_s: float) -> Capture:  # noqa: ARG002 - a file is there or not
        """
        Read the next picture.

        Raises:
            CameraError: The camera is not open, or the file is gone or cannot be read; the next
                call goes on with the next file.
        """
        try:
            return self._read()
        finally:
            self._next = (self._next + 1) % max(1, len(self._pictures))

    def _read(self) -> Capture:
        if not self._pictures:
            raise CameraError(f"{self.name}: not open; open the camera before the first capture")
        picture = self._pictures[self._next]
        try:
            encoded = picture.read_bytes()
        except OSError as error:
            raise CameraError(
                f"replay {picture}: {error.strerror}; put the file back or open the camera again, "
                f"which lists {self._path} anew"
            ) from error
        return Capture(
            source="replay",
            captured_at=datetime.now(timezone.utc),
            encoded=encoded,
            name=picture.name,
        )


def _pictures(path: Path) -> tuple[Path, ...]:
    """Files to show, by name; raises OSError when *path* itself is missing or closed to us."""
    if not path.is_dir():
        path.stat()
        return (path,) if path.is_file() else ()
    found = [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file()]
    return tuple(sorted(found, key=lambda file: file.name))
