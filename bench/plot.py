"""One picture of a result: the networks side by side, and where an answer's time goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.contest import OURS, PLAIN, STUDENT, USUAL
from bench.results import BenchResult, Contestant

if TYPE_CHECKING:
    from matplotlib.axes import Axes  # Loaded where it is drawn, see plot.

_OWN = "#1f6f8b"
_OTHER = "#b9c2c9"
_SIZE_IN = (11.0, 4.2)
_DPI = 150
_LONG_MS = 100


def plot(result: BenchResult, path: Path) -> bool:
    """Draw *result* as a PNG file; False where it has nothing to be drawn."""
    stream = next(iter(result.streams.values()), None)
    panels = [
        *([_networks] if any(each.macs for each in result.networks) else []),
        *([_ways] if result.ways else []),
        *([_stages] if stream is not None else []),
    ]
    if not panels:
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_SIZE_IN[0] * len(panels) / 2, _SIZE_IN[1]), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        panel(axes, result)
        axes.spines[["top", "right"]].set_visible(False)
    board, place = result.board, result.environment
    figure.suptitle(f"{board.found}: {board.model or place.processor}, one thread", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
    return True


def _networks(axes: Axes, result: BenchResult) -> None:
    _bars(axes, [each for each in result.networks if each.macs], {STUDENT})
    axes.set_title("Inference, ms (logarithmic)", fontsize=10)


def _ways(axes: Axes, result: BenchResult) -> None:
    _bars(axes, [each for each in result.ways if each.name in {OURS, PLAIN, USUAL}], {OURS})
    axes.set_title("Frame to decision, ms (logarithmic)", fontsize=10)


def _bars(axes: Axes, contestants: list[Contestant], own: set[str]) -> None:
    shown = sorted(contestants, key=lambda each: -each.timing.summary.p50)
    middle = [each.timing.summary.p50 for each in shown]
    reach = [
        [each.timing.summary.p50 - each.timing.summary.low for each in shown],
        [each.timing.summary.high - each.timing.summary.p50 for each in shown],
    ]
    colors = [_OWN if each.name in own else _OTHER for each in shown]
    drawn = axes.barh([each.name for each in shown], middle, xerr=reach, color=colors)
    axes.bar_label(drawn, labels=[f" {_short(ms)}" for ms in middle], fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_xlim(min(middle) / 2, max(middle) * 2.5)
    axes.tick_params(labelsize=8)


def _short(ms: float) -> str:
    return f"{ms:.0f}" if ms >= _LONG_MS else f"{ms:.3g}"


def _stages(axes: Axes, result: BenchResult) -> None:
    stream = next(iter(result.streams.values()))
    stages = {name: each.summary.p50 for name, each in stream.stages.items() if name != "total"}
    drawn = axes.barh(list(stages)[::-1], list(stages.values())[::-1], color=_OWN)
    axes.bar_label(drawn, fmt=" %.2f", fontsize=8)
    axes.set_title(f"Stages of {stream.what}, ms", fontsize=10)
    axes.margins(x=0.15)
    axes.tick_params(labelsize=8)
