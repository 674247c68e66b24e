"""
The system under test: the daemon's own parts, as ``device.compose`` joins them.

Two ways in.  :class:`Way` is what the worker does with a capture, on this thread, so that nothing
but the stages is timed.  :func:`pressing` is the whole box with a button that can be pressed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from device import compose
from device.core.panel import LightState, Panel, PressRecord
from device.core.ports import Appliance, SelfTestingClassifier
from device.core.stopwatch import Recorder
from device.core.values import Answer, Capture, Pixels
from device.examine import examine
from device.panel.simulated import SimulatedLines
from device.settings import HistorySettings, PanelSettings, Settings

MAX_PIXELS = 25_000_000
COMMIT = "database_commit"
_PATIENCE_S = 60.0
_POLL_S = 0.001


class Way:
    """
    From a capture to an answer in the history, as ``device.service.worker`` does it.

    Args:
        classifier: Loaded by ``device.compose``.
        record: Writes an answer down; None leaves that out.
    """

    def __init__(
        self,
        classifier: SelfTestingClassifier,
        record: Callable[[Capture, Answer], Answer] | None = None,
    ) -> None:
        self.classifier = classifier
        self._record = record

    @property
    def records(self) -> bool:
        """Whether answers are written down."""
        return self._record is not None

    def answer(self, capture: Capture) -> tuple[float, Mapping[str, int]]:
        """
        Answer for *capture*.

        Returns:
            The probability, and nanoseconds by stage with ``total`` last.
        """
        began_ns = time.perf_counter_ns()
        answer = examine(
            capture, self.classifier, Recorder(time.perf_counter_ns), max_pixels=MAX_PIXELS
        )
        stages = dict(answer.stage_ns)
        stages.pop("total")
        if self._record is not None:
            examined_ns = time.perf_counter_ns()
            self._record(capture, answer)
            stages[COMMIT] = time.perf_counter_ns() - examined_ns
        stages["total"] = time.perf_counter_ns() - began_ns
        return answer.decision.probability_malignant, stages


class WithEveryStage:
    """A classifier whose contract asks for all six stages; its answers mean nothing."""

    def __init__(self, classifier: SelfTestingClassifier) -> None:
        manifest = classifier.manifest
        self.manifest = manifest.model_copy(
            update={"preprocess": manifest.preprocess.with_every_stage()}
        )
        self.identity, self.provider = classifier.identity, classifier.provider
        self.classify, self.self_test = classifier.classify, classifier.self_test


def frame_capture(pixels_HWC: Pixels) -> Capture:
    """Wrap pixels as a camera delivers them."""
    return Capture(source="bench", captured_at=datetime.now(timezone.utc), pixels_HWC=pixels_HWC)


def file_capture(encoded: bytes) -> Capture:
    """Wrap a picture file as an upload brings it."""
    return Capture(source="bench", captured_at=datetime.now(timezone.utc), encoded=encoded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressable:
    """A running box and the hand on its button."""

    box: Appliance
    panel: Panel
    lines: SimulatedLines

    def press(self) -> PressRecord:
        """Press once and wait for what comes of it."""
        released_ns = self.lines.tap()
        until(lambda: any(each.released_ns > released_ns for each in self._newest()))
        return self._newest()[-1]

    def _newest(self) -> tuple[PressRecord, ...]:
        return tuple(self.panel.status().presses[-1:])


@contextmanager
def pressing(
    folder: Path, settings: Settings | None = None, *, debounce_ms: int = 20
) -> Iterator[Pressable]:
    """
    Compose the whole box with a simulated button, and wait until it is ready.

    Args:
        folder: For its history.
        settings: Camera and model; those of a box as it ships if None.
        debounce_ms: How long the button's line must be quiet.
    """
    panel_settings = PanelSettings(kind="simulated", debounce_ms=debounce_ms)
    lines = SimulatedLines(debounce_s=debounce_ms / 1000)
    wanted = (settings or Settings()).model_copy(
        update={"panel": panel_settings, "history": HistorySettings(path=folder)}
    )
    made = compose.PANELS["simulated"]
    compose.PANELS["simulated"] = lambda _: lines  # type: ignore[index] # so that we can press it
    try:
        with compose.appliance(wanted) as box:
            panel = box.panel
            if panel is None:
                raise RuntimeError("the box has no panel; look at device.compose.appliance")
            until(lambda: panel.status().state is LightState.READY)
            yield Pressable(box=box, panel=panel, lines=lines)
    finally:
        compose.PANELS["simulated"] = made  # type: ignore[index] # as it was


def until(is_so: Callable[[], bool]) -> None:
    """Wait until *is_so*, but not for ever: raises TimeoutError."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"expected an answer within {_PATIENCE_S:g} s, found none")
        time.sleep(_POLL_S)
