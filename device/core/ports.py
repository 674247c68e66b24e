"""Roles that the outer rooms fill; whoever uses a role never knows which part fills it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from device.core.manifest import ModelManifest
from device.core.values import Capture, ModelIdentity, Pixels, Prediction


class Camera(Protocol):
    """
    Something that takes pictures.

    Hardware is opened in ``__enter__`` and closed in ``__exit__``, which may be called twice.
    One thread owns a camera.
    """

    name: str
    """Kind and device for people, such as ``v4l2 /dev/video0``."""

    def __enter__(self) -> Camera:
        """Open the hardware; raises CameraError, naming device and remedy."""
        ...

    def __exit__(self, *exc_info: object) -> None:
        """Close the hardware; never raises for a camera that is already gone."""
        ...

    def capture(self, timeout_s: float) -> Capture:
        """
        Return a frame whose exposure began after this call.

        Raises:
            CameraError: No frame within *timeout_s* seconds, or the device is gone.
        """
        ...


class Classifier(Protocol):
    """One model, loaded, checked and warm.  One thread at a time."""

    manifest: ModelManifest
    identity: ModelIdentity

    def classify(self, image_HWC: Pixels) -> Prediction:
        """Run the network on one prepared picture, uint8 ``[side, side, 3]``."""
        ...


class Stopwatch(Protocol):
    """Where pure rooms report how long a stage took; the clock stays with the caller."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Time the block under *name*."""
        ...
