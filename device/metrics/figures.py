"""
What the box counts, and what it looks up when somebody asks.

Each metric is described in ``docs/metrics.md``, and a test compares the two.  No label holds a word
about a patient, an address or a token, and each has few values: a box runs for years.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from device.core.board import BoardHealth
from device.core.panel import Panel, PressOutcome
from device.core.state import StateDocument
from device.core.values import Answer, ModelIdentity, Result

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""From a stage of the smallest picture to a camera that takes its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the figures come from that nobody counts; each is quick and never waits."""

    state: Callable[[], StateDocument]
    camera_restarts: Callable[[], int]
    panel: Panel | None
    board: Callable[[], BoardHealth]
    history: Path
    """The database; free storage is that of its disk."""
    is_clock_trusted: Callable[[], bool]
    model: ModelIdentity
    software_version: str


class Figures:
    """
    Fills the role ``Figures``.

    Args:
        sources: What is looked up when somebody asks.

    Threads: any.
    """

    media_type = MEDIA_TYPE

    def __init__(self, sources: Sources) -> None:
        # When a counter began is asked by nobody, and would double what is sent.
        disable_created_metrics()  # type: ignore[no-untyped-call] # it has no types
        self._registry = CollectorRegistry(auto_describe=False)
        self._answers = Counter(
            "edgederm_answers",
            "Answers that were recorded.",
            ["result", "source"],
            registry=self._registry,
        )
        self._reasons = Counter(
            "edgederm_retake_reasons",
            "Reasons for which a picture was to be taken again.",
            ["reason"],
            registry=self._registry,
        )
        self._stages = Histogram(
            "edgederm_stage_seconds",
            "Time that a stage of an examination took.",
            ["stage"],
            buckets=STAGE_BUCKETS_S,
            registry=self._registry,
        )
        self._responses = Counter(
            "edgederm_http_responses",
            "Answers over HTTP, by status.",
            ["status"],
            registry=self._registry,
        )
        self._refusals = Counter(
            "edgederm_refusals",
            "Problems that were answered over HTTP, by code.",
            ["code"],
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        self._registry.register(_LookedUp(sources))

    def expect(self, codes: Iterable[str]) -> None:
        """Show problems of these codes from the beginning, so that the first is an increase."""
        for code in codes:
            self._refusals.labels(code)

    def answered(self, answer: Answer | None) -> None:
        """Count an answer; listens to the bulletin."""
        if answer is None:
            return
        result = answer.decision.result
        self._answers.labels(result.value, answer.source).inc()
        for stage, spent_ns in answer.stage_ns.items():
            self._stages.labels(stage).observe(spent_ns / 1e9)
        if result is Result.RETAKE:
            for reason in answer.decision.reasons:
                self._reasons.labels(reason.code).inc()

    def responded(self, status: int, slug: str | None) -> None:
        """Count an answer over HTTP."""
        self._responses.labels(str(status)).inc()
        if slug is not None:
            self._refusals.labels(slug).inc()

    def text(self) -> bytes:
        """Return all figures as they are now."""
        return generate_latest(self._registry)


class _LookedUp(Collector):
    """What is only read when somebody asks for it."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """Look everything up."""
        sources, state = self._sources, self._sources.state()
        yield GaugeMetricFamily(
            "edgederm_pictures_waiting",
            "Pictures that are examined or wait for it.",
            value=state.waiting,
        )
        yield _family(
            GaugeMetricFamily(
                "edgederm_part_ok",
                "1 if the part worked when it was used or asked last.",
                labels=["part"],
            ),
            ((part, float(text == "ok")) for part, text in state.parts.items()),
        )
        yield CounterMetricFamily(
            "edgederm_camera_restarts",
            "Attempts to open the camera again after it had failed.",
            value=sources.camera_restarts(),
        )
        if sources.panel is not None:
            status = sources.panel.status()
            yield _family(
                CounterMetricFamily(
                    "edgederm_presses",
                    "Presses of the button, by what became of them.",
                    labels=["outcome"],
                ),
                ((outcome.value, status.counts.get(outcome, 0)) for outcome in PressOutcome),
            )
            yield CounterMetricFamily(
                "edgederm_panel_restarts",
                "Times that the lines of button and light were opened again.",
                value=status.reopened,
            )
        yield from self._storage()
        yield GaugeMetricFamily(
            "edgederm_clock_trusted",
            "1 if the network, a clock chip or a person has set the clock.",
            value=float(sources.is_clock_trusted()),
        )
        yield from _board(sources.board())
        model = GaugeMetricFamily(
            "edgederm_model_info",
            "Always 1; the labels tell which model answers.",
            labels=["name", "version", "sha256"],
        )
        model.add_metric([sources.model.name, sources.model.version, sources.model.sha256], 1)
        yield model
        running = state.model
        yield GaugeMetricFamily(
            "edgederm_model_on_trial",
            "1 while the model that answers was installed and is not yet kept for good.",
            value=float(running.is_on_trial),
        )
        yield GaugeMetricFamily(
            "edgederm_model_fallback",
            "1 while another model was wanted more, and cannot be used.",
            value=float(running.instead_of is not None),
        )
        software = GaugeMetricFamily(
            "edgederm_software_info",
            "Always 1; the label tells the software's version.",
            labels=["version"],
        )
        software.add_metric([sources.software_version], 1)
        yield software

    def _storage(self) -> Iterator[Metric]:
        """Leave out what cannot be read: a figure that is missing is seen, a wrong one is not."""
        database = self._sources.history
        try:
            usage = shutil.disk_usage(database.parent)
            size = sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))
        except OSError:
            return
        for name, meaning, value in (
            ("edgederm_storage_free_bytes", "Free on the disk of the history.", usage.free),
            ("edgederm_storage_size_bytes", "Size of the disk of the history.", usage.total),
            ("edgederm_history_bytes", "Size of the history's files.", size),
        ):
            yield GaugeMetricFamily(name, meaning, value=value)


def _board(health: BoardHealth) -> Iterator[Metric]:
    yield _family(
        GaugeMetricFamily(
            "edgederm_temperature_celsius",
            "Temperature of a sensor of the board.",
            labels=["sensor"],
        ),
        health.temperatures_celsius.items(),
    )
    yield _family(
        GaugeMetricFamily(
            "edgederm_board_limited",
            "1 while power or heat holds the board back.",
            labels=["flag"],
        ),
        health.flags.items(),
    )
    yield _family(
        GaugeMetricFamily(
            "edgederm_board_limited_since_start",
            "1 if power or heat held the board back since it was switched on.",
            labels=["flag"],
        ),
        health.flags_since_start.items(),
    )


def _family(
    family: GaugeMetricFamily | CounterMetricFamily, figures: Iterable[tuple[str, float]]
) -> GaugeMetricFamily | CounterMetricFamily:
    for label, value in figures:
        family.add_metric([label], value)
    return family
