"""Roles that the outer rooms fill; whoever uses a role never knows which part fills it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from typing_extensions import Self

from device.core.manifest import ModelManifest
from device.core.panel import Panel
from device.core.values import Answer, Capture, ModelIdentity, Pixels, Prediction

Application: TypeAlias = Callable[[Any, Any, Any], Coroutine[None, None, None]]
"""An ASGI 3 application: what the HTTP loop serves."""


class Camera(Protocol):
    """
    Something that takes pictures.

    Hardware is opened in ``__enter__`` and closed in ``__exit__``, which may be called twice.
    One thread owns a camera.
    """

    name: str
    """Kind and device for people, such as ``v4l2 /dev/video0``."""

    def __enter__(self) -> Self:
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


class SelfTestingClassifier(Classifier, Protocol):
    """A classifier that can prove itself."""

    def self_test(self) -> float:
        """
        Answer the contract's golden case; returns the largest difference.

        Raises:
            ModelError: The difference is beyond the contract's tolerance.
        """
        ...


class Stopwatch(Protocol):
    """Where pure rooms report how long a stage took; the clock stays with the caller."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Time the block under *name*."""
        ...


class Frames(Protocol):
    """The camera as others see it: a queue in front of the one thread that owns it."""

    def request(self) -> Future[Capture]:
        """
        Ask for a fresh frame.

        Raises:
            BusyError: Too many wait already.

        The future fails with CameraError when no frame came in time, or with NotReadyError
        when the box is stopping.  Any thread.
        """
        ...


class Examiner(Protocol):
    """The classifier as others see it: a bounded queue in front of one worker."""

    def submit(self, capture: Capture) -> Future[Answer]:
        """
        Queue a capture for examination.

        Raises:
            BusyError: The queue is full.

        The future fails with DecodeError or ModelError as :func:`device.examine.examine`
        does, or with NotReadyError when the box is stopping.  Any thread.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """None where a part works, else what is wrong with it and what to do."""

    model: str | None
    camera: str | None

    @property
    def is_ready(self) -> bool:
        """Whether a press of the button would get an answer."""
        return self.model is None and self.camera is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appliance:
    """All that the edges (REST, page, panel) need, composed and running."""

    frames: Frames
    examiner: Examiner
    manifest: ModelManifest
    identity: ModelIdentity
    readiness: Callable[[], Readiness]
    """Runs the model's golden case and takes a frame if the last one is old; blocks for as
    long as a capture may take, so it does not belong on an event loop.  Any thread."""
    software_version: str
    panel: Panel | None = None
    """None where no button and no light are set up."""
