"""A camera without a lens: drawn lesions, and every fault that a real one has shown."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone

import numpy as np

from device.camera.bounded import BoundedCamera
from device.camera.settling import Settling, at_no_rest
from device.core.errors import CameraError
from device.core.manifest import DIAGNOSES
from device.core.values import Capture, Pixels
from device.drawing import draw_lesion

_REMEDY = "set camera.kind to a camera that is there"
_FRAME_S = 0.01
_BRIGHTEST = 0.5


@dataclass(slots=True)
class Faults:
    """What is wrong with the camera; may be changed while it runs, from any thread."""

    is_missing: bool = False
    """It does not open."""
    error: str | None = None
    """It delivers no frame, and says this."""
    stalls: bool = False
    """A frame never comes: the call into the driver returns when :attr:`go_on` is set."""
    go_on: threading.Event = field(default_factory=threading.Event)
    is_black: bool = False
    """Frames without light."""
    size_px: tuple[int, int] | None = None
    """Width and height of its frames, whatever was asked for."""
    restless_frames: int = 0
    """So many frames after opening, exposure leaps; then it is at rest."""


class SimulatedCamera(BoundedCamera):
    """
    Shows drawn lesions, another one with each opening, as a camera on a cable would.

    Args:
        width_px: Width of a frame.
        height_px: Height of a frame.
        burst: Frames of which a capture is the sharpest.
        faults: What is wrong with it; nothing if None.

    Threads: one thread owns a camera.
    """

    def __init__(
        self, *, width_px: int, height_px: int, burst: int = 1, faults: Faults | None = None
    ) -> None:
        self.faults = faults or Faults()
        self._openings = 0
        super().__init__(
            name="simulated",
            remedy=_REMEDY,
            make_stream=lambda: self._stream_of(width_px, height_px),
            burst=burst,
        )

    def _stream_of(self, width_px: int, height_px: int) -> _SimulatedStream:
        self._openings += 1
        return _SimulatedStream(self.faults, self._openings, width_px, height_px)


class _SimulatedStream:
    """One opening."""

    def __init__(self, faults: Faults, number: int, width_px: int, height_px: int) -> None:
        self._faults = faults
        self._number = number
        self._size_px = (width_px, height_px)
        self._drawn_HWC: Pixels | None = None
        self._frames = 0
        self._is_locked = False

    def open(self) -> None:
        if self._faults.is_missing:
            raise CameraError(f"simulated: there is none; {_REMEDY}")
        width_px, height_px = self._faults.size_px or self._size_px
        self._drawn_HWC = draw_lesion(
            self._number,
            diagnosis=DIAGNOSES[self._number % len(DIAGNOSES)],
            width_px=width_px,
            height_px=height_px,
        )

    def settle(self, called_s: float, deadline_s: float) -> None:
        settling = Settling()
        while not settling.add(self._expose(deadline_s)):
            if time.monotonic() >= deadline_s:
                raise at_no_rest("simulated", deadline_s - called_s)
        self._is_locked = True

    def take(self, called_s: float, deadline_s: float) -> Capture:  # noqa: ARG002 - all are fresh
        light = self._expose(deadline_s)
        if self._drawn_HWC is None:
            raise CameraError(f"simulated: not open; {_REMEDY}")
        return Capture(
            source="simulated",
            captured_at=datetime.now(timezone.utc),
            pixels_HWC=np.rint(light * self._drawn_HWC).astype(np.uint8),
            exposure_us=round(10_000 * light),
            analog_gain=1.0,
        )

    def unlock(self) -> None:
        self._is_locked = False

    def close(self) -> None:
        self._drawn_HWC = None

    def _expose(self, deadline_s: float) -> float:
        """Let a frame pass; its light, 0 to 1."""
        faults = self._faults
        if faults.stalls:
            faults.go_on.wait()
        if faults.error is not None:
            raise CameraError(f"simulated: {faults.error}; {_REMEDY}")
        time.sleep(min(_FRAME_S, max(0.0, deadline_s - time.monotonic())))
        self._frames += 1
        if faults.is_black:
            return 0.0
        is_restless = self._frames < faults.restless_frames and not self._is_locked
        return _BRIGHTEST + 0.5 * (self._frames % 2) if is_restless else 1.0
