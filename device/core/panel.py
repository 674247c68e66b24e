"""The button and the light as the other rooms see them: states, presses, and the role."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from device.core.values import Answer, Result


class LightState(str, Enum):
    """What the light can say; how it says it stands in ``device.panel.patterns``."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    BENIGN = "benign"
    MALIGNANT = "malignant"
    UNCERTAIN = "uncertain"
    RETAKE = "retake"
    FAULT = "fault"
    UPDATING = "updating"


class PressOutcome(str, Enum):
    """What became of a press; every press has exactly one."""

    ANSWERED = "answered"
    """A short press: a picture was taken and classified."""
    FAILED = "failed"
    """A short press: no answer came, the light shows a fault."""
    SHOWN_AGAIN = "shown-again"
    """A long press: the last result is lit again."""
    NOTHING_TO_SHOW = "nothing-to-show"
    """A long press with no result before it, or none since the last failure."""
    REFUSED_BUSY = "refused-busy"
    """An examination is under way, and another press waits already or the press was long."""
    REFUSED_STARTING = "refused-starting"
    """The box has not started yet."""
    REFUSED_FAULT = "refused-fault"
    """A part does not work, and the light says so."""
    REFUSED_UPDATING = "refused-updating"
    """An update is being installed."""
    STOPPED = "stopped"
    """The box stopped before the answer came."""
    LOST = "lost"
    """The lines failed, or the box stopped, while the button was down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PressRecord:
    """
    One press from the kernel's edge to the light.  All times are monotonic nanoseconds.

    ``lit_ns - released_ns`` is the latency that a person waits for; the debounce period lies
    before ``released_ns``, because the kernel stamps an edge when the line has become quiet.
    """

    pressed_ns: int
    """Kernel's time of the edge."""
    released_ns: int
    """Kernel's time of the edge; for a long press the moment when it became one."""
    lit_ns: int | None
    """When the light was written with what came of it; None if it could not be."""
    outcome: PressOutcome
    result: Result | None = None
    """What the light showed, for ``answered`` and ``shown-again``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LightChange:
    """From *at_ns* on, monotonic nanoseconds, the light showed *state*."""

    at_ns: int
    state: LightState


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelStatus:
    """A snapshot for metrics, readiness and tests."""

    state: LightState
    problem: str | None
    """What is wrong with the lines and what to do; None if they work."""
    counts: Mapping[PressOutcome, int]
    """Presses since the start, by what became of them."""
    reopened: int
    """How often the lines were opened again after they had failed."""
    presses: tuple[PressRecord, ...]
    """The newest ones, oldest first."""
    changes: tuple[LightChange, ...]
    """The newest ones, oldest first."""


class Panel(Protocol):
    """
    A button that asks for examinations and a light that tells what came of them.

    Uploads never reach it.  Any thread; no call waits.
    """

    def serve(self, examine: Callable[[], Future[Answer]], *, last: Result | None = None) -> None:
        """
        Answer presses from now on; until then the light says ``starting``.

        Args:
            examine: Takes a picture and classifies it; called on the panel's thread, so it must
                not wait.  It may raise an EdgeDermError, and its future may fail with one.
            last: What a long press shows before the first answer.
        """
        ...

    def report(self, part: str, problem: str | None) -> None:
        """
        Show that *part* does not work, or with None that it works again.

        While any part does not work, presses are refused.  A problem of the part ``model`` takes
        back the answer that is lit, and the last result.
        """
        ...

    def set_updating(self, *, is_updating: bool) -> None:
        """Show that an update is being installed, or that it is over; presses are refused."""
        ...

    def status(self) -> PanelStatus:
        """Say what the light shows and what has been pressed."""
        ...
