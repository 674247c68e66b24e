"""Roles that the outer rooms fill; whoever uses a role never knows which part fills it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from typing_extensions import Self

from device.core.board import BoardDocument
from device.core.clock import ClockChange, ClockDocument
from device.core.manifest import ModelManifest
from device.core.panel import Panel
from device.core.results import (
    Annotation,
    AuditEntry,
    LesionDocument,
    LesionPage,
    ResultDocument,
    ResultFilter,
    ResultPage,
)
from device.core.state import InstalledModel, RunningModel, StateDocument
from device.core.values import Answer, Capture, ModelIdentity, Pixels, Prediction

T = TypeVar("T")

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
        Return a frame to be scored, whose exposure began after this call.

        Raises:
            CameraError: No frame within *timeout_s* seconds, or the device is gone.
        """
        ...

    def glance(self, timeout_s: float) -> Capture:
        """
        Return a frame to be looked at, as it comes; the next capture is the same without it.

        Raises:
            CameraError: No frame within *timeout_s* seconds, or the device is gone.
        """
        ...

    @property
    def is_stuck(self) -> bool:
        """Whether a call into the driver never returned, so that only a new process may help."""
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

    provider: str
    """What computes: ``cpu``, ``cuda`` or ``tensorrt``."""

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

    def preview(self) -> Future[bytes]:
        """
        Ask for what the camera sees now, as a small JPEG file.

        However many ask, the camera delivers one frame for all of them, and no more than some a
        second; nobody asks, and it delivers none.

        Raises:
            BusyError: Too many ask already.

        It waits its turn behind frames to be scored that were asked for before.  The future fails
        as that of :meth:`request`.  Any thread.
        """
        ...


class Examiner(Protocol):
    """The classifier as others see it: a bounded queue in front of one worker."""

    def submit(self, capture: Capture) -> Future[Answer]:
        """
        Queue a capture for examination.

        Raises:
            BusyError: The queue is full.

        The answer is in the history before the future gives it.  The future fails with
        DecodeError or ModelError as :func:`device.examine.examine` does, with HistoryError
        when the answer could not be recorded, or with NotReadyError when the box is stopping.
        Any thread.
        """
        ...


class JobThread(Protocol):
    """A thread with a bounded queue in front of it."""

    def __enter__(self) -> Self:
        """Start the thread."""
        ...

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Queue *work*; raises BusyError if the queue is full."""
        ...

    def stop(self, *, timeout_s: float) -> None:
        """Finish the job at hand, fail those that wait, and end the thread."""
        ...


class MakeJobThread(Protocol):
    """Makes a :class:`JobThread`, not yet started."""

    def __call__(self, name: str, *, waiting: int, finish: Callable[[], None] = ...) -> JobThread:
        """Name the thread, bound its queue, and say what it does as its last act."""
        ...


class History(Protocol):
    """
    The recorded answers as the edges see them.

    Every future fails with HistoryError when the storage does not work, and with
    ResultNotFoundError for an id that names nothing; every call raises BusyError when too many
    wait already.  *actor* stands in the audit trail: who asked for it.  Any thread.
    """

    def page(self, wanted: ResultFilter, *, cursor: int | None, limit: int) -> Future[ResultPage]:
        """
        Look for results, the newest first.

        Args:
            wanted: Which.
            cursor: ``next`` of the page before; None for the first.
            limit: Most results of one page.

        New results never shift a page: a cursor stands between two results.
        """
        ...

    def result(self, result_id: str) -> Future[ResultDocument]:
        """Look up one result."""
        ...

    def annotate(
        self, result_id: str, changes: Annotation, *, actor: str
    ) -> Future[ResultDocument]:
        """Set those members of *changes* that were stated; returns the result as it is then."""
        ...

    def delete(self, result_id: str, *, actor: str) -> Future[None]:
        """Erase a result: gone from the database, its log, its free pages."""
        ...

    def picture(self, result_id: str) -> Future[bytes]:
        """Return the kept picture, a JPEG file; fails with PictureNotKeptError without one."""
        ...

    def thumbnail(self, result_id: str) -> Future[bytes]:
        """Return the small picture, a JPEG file; fails with PictureNotKeptError without one."""
        ...

    def heatmap(self, result_id: str) -> Future[bytes]:
        """Return the activation map as a PNG file, over the picture where that was kept."""
        ...

    def report(self, result_id: str) -> Future[bytes]:
        """Return one page about a result for a doctor, a PDF file."""
        ...

    def lesions(
        self, *, patient_reference: str | None, cursor: int | None, limit: int
    ) -> Future[LesionPage]:
        """List the lesions of one patient, or of all; the one with the newest result first."""
        ...

    def lesion(
        self, lesion_reference: str, *, patient_reference: str | None
    ) -> Future[LesionDocument]:
        """Return the results of one lesion in their order; without a patient, of nobody's."""
        ...

    def begin_export(self, *, actor: str) -> Future[str]:
        """Note in the audit trail that results are handed out; returns the CSV's first line."""
        ...

    def csv_page(
        self, wanted: ResultFilter, *, cursor: int | None
    ) -> Future[tuple[str, int | None]]:
        """Return some lines of CSV, the newest result first, and the next cursor."""
        ...

    def audit_page(
        self, *, cursor: int | None, limit: int
    ) -> Future[tuple[list[AuditEntry], int | None]]:
        """Return entries of the audit trail, the newest first, and the next cursor."""
        ...

    def note(self, act: str, subject: str, *, actor: str) -> Future[None]:
        """Put into the audit trail that somebody did something to the box."""
        ...


class HistoryUse(Enum):
    """What a history is opened for, and so what opening it may change."""

    LOOK = auto()
    """It must be there and whole; nothing is made and nothing erased unasked."""
    NOTE = auto()
    """A missing database is made; a damaged one is an error and stays where it is, since a running
    box may be writing to it."""
    RESTORE = auto()
    """A missing database is made, a damaged one moved aside."""
    BOX = auto()
    """The same, and what is too old or too much goes by itself: by the settings of the box, so a
    command, which may have others, is never this."""


class HistoryKeeping(History, Protocol):
    """What the owner of a box may do with the history besides, on the command line."""

    def audit_trail(self) -> Future[list[AuditEntry]]:
        """Return who did what, the oldest entry first."""
        ...

    def export_dataset(self, folder: Path, *, actor: str) -> Future[int]:
        """Write the pictures that may be trained on into a new folder; returns their number."""
        ...

    def back_up(self, target: Path, *, actor: str) -> Future[None]:
        """Copy the whole history into one new file."""
        ...

    def restore(self, source: Path, *, actor: str) -> Future[int]:
        """Put a verified backup in its place; returns how many results there are then."""
        ...

    def prune(self) -> Future[int]:
        """Erase what is too old or too much; returns how many results that were."""
        ...


class Clock(Protocol):
    """The machine's time of day.  Any thread."""

    def is_trusted(self) -> bool:
        """Whether somebody has set it, so that it can be believed; a few short reads of files."""
        ...

    def read(self) -> ClockDocument:
        """Return what it says, and why it is to be believed or not."""
        ...

    def set(self, moment: datetime) -> ClockChange:
        """
        Set it, and a clock chip where there is one; from then on it is trusted.

        Args:
            moment: UTC, between ``device.core.clock.EARLIEST`` and ``LATEST``.

        Raises:
            ClockKeptError: It is not for people to set.
            ClockError: This machine did not let us.
        """
        ...


class Bulletin(Protocol):
    """Where answers are told, whoever asked for them."""

    def listen(self, hear: Callable[[Answer | None], None]) -> Callable[[], None]:
        """
        Hear of every answer from now on.

        Args:
            hear: Called with each answer that was recorded, on the thread that recorded it, so it
                must neither wait nor raise; with None when nothing will come any more.

        Returns:
            Ends the listening; may be called twice.  Any thread.
        """
        ...

    def close(self) -> None:
        """Tell everybody that nothing will come any more.  Any thread."""
        ...


class ModelUpdating(Protocol):
    """The models of a box as the edges see them.  Any thread."""

    def running(self) -> RunningModel:
        """Say which model answers."""
        ...

    def install(self, content: bytes, *, force: bool, actor: str) -> Future[InstalledModel]:
        """
        Check a bundle, prove its model in a process of its own, and keep it for the next start.

        Args:
            content: The whole bundle.
            force: Takes a version too that is not newer.
            actor: Stands in the audit trail.

        Raises:
            BusyError: Another one is being installed.
            UpdateError: Nothing can be installed on this box.

        The future fails with BundleError when the bundle is refused, with UpdateError when it
        could not be written down.  After it was kept, the box restarts by itself.
        """
        ...


class Figures(Protocol):
    """What the box counts.  Any thread."""

    media_type: str
    """Of :meth:`text`."""

    def expect(self, codes: Iterable[str]) -> None:
        """Show problems of these codes from the beginning, so that the first is an increase."""
        ...

    def responded(self, status: int, slug: str | None) -> None:
        """Count an answer over HTTP, and the problem if it is one."""
        ...

    def text(self) -> bytes:
        """Return all figures as they are now, in the form that Prometheus reads."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """None where a part works, else what is wrong with it and what to do."""

    model: str | None
    camera: str | None
    history: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a press of the button would get an answer."""
        return self.model is None and self.camera is None and self.history is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appliance:
    """All that the edges (REST, page, panel) need, composed and running."""

    frames: Frames
    examiner: Examiner
    history: History
    manifest: ModelManifest
    identity: ModelIdentity
    readiness: Callable[[], Readiness]
    """Runs the model's golden case and takes a frame if the last one is old; blocks for as
    long as a capture may take, so it does not belong on an event loop.  Any thread."""
    provider: str
    """What computes the model: ``cpu``, ``cuda`` or ``tensorrt``."""
    state: Callable[[], StateDocument]
    """How the box is as far as it knows; tries nothing and never waits.  Any thread."""
    bulletin: Bulletin
    figures: Figures
    clock: Clock
    board: Callable[[], BoardDocument]
    """Reads temperatures, supply and free room; a few short reads of files.  Any thread."""
    software_version: str
    models: ModelUpdating
    pulse: Callable[[], None] = lambda: None
    """To be called by the event loop as long as it turns; whoever watches over the process hears
    of it as long as the threads turn too."""
    panel: Panel | None = None
    """None where no button and no light are set up."""
