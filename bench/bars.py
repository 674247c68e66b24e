"""How fast it should be: ratios within one run, each with its bar."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.contest import DECODE, JPEG, OURS, PLAIN, PREPROCESSING, RESIZE, STUDENT, USUAL
from bench.limits import PRODUCT, SIDE
from bench.results import BenchResult, Contestant

LEAST_RUNS = 5
_SLACK_MS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One ratio, its bar, and whether it is met."""

    name: str
    ratios: tuple[float, ...]
    """One for each run."""
    limit: float
    is_least: bool
    """Whether the ratio must be at least the limit, or at most."""

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool:
        """Whether the median keeps the bar."""
        return self.median >= self.limit if self.is_least else self.median <= self.limit

    @property
    def words(self) -> str:
        """The bar, as people write it."""
        return f"{'at least' if self.is_least else 'at most'} {self.limit:g}"


def bars(result: BenchResult) -> list[Bar]:
    """Return every bar for which *result* has what it needs."""
    return [*_of_networks(result), *_of_ways(result), *_of_box(result)]


def _of_networks(result: BenchResult) -> Iterator[Bar]:
    found = _samples(result.networks)
    if STUDENT not in found:
        return
    student = found[STUDENT]
    for peer, least in (("MobileNetV2", 10.0), ("MobileNetV3-Small", 3.5)):
        if peer in found:
            yield _bar(f"{peer} over the student", found[peer], student, least, is_least=True)
    products = [samples for name, samples in found.items() if name.startswith(PRODUCT)]
    # The best library of each run.
    ideal = [result.model.macs / SIDE**3 * min(run) for run in zip(*products, strict=True)]
    yield _bar("the student over its multiply-adds at the best rate", student, ideal, 1.5)


def _of_ways(result: BenchResult) -> Iterator[Bar]:
    found = _samples(result.ways)
    if not found:
        return
    yield _bar(f"{USUAL} over ours, from a frame", found[USUAL], found[OURS], 15, is_least=True)
    yield _bar(f"{PLAIN} over ours, from a frame", found[PLAIN], found[OURS], 3, is_least=True)
    beyond = [max(0.0, ms - _SLACK_MS) for ms in found[PREPROCESSING]]
    yield _bar("preprocessing less 1 ms over one area resize", beyond, found[RESIZE], 3)
    yield _bar("12-megapixel JPEG to a decision over its decode", found[JPEG], found[DECODE], 1.3)


def _of_box(result: BenchResult) -> Iterator[Bar]:
    if result.start is not None:
        yield _bar(
            "daemon ready over bare imports",
            result.start.ready.samples_ms,
            result.start.bare_imports.samples_ms,
            1.5,
        )
    if result.memory is not None:
        yield _bar(
            f"memory after {result.memory.answers} answers over imports and session",
            result.memory.steady_mb,
            result.memory.bare_mb,
            1.25,
        )


def _samples(contestants: Sequence[Contestant]) -> dict[str, tuple[float, ...]]:
    return {each.name: each.timing.samples_ms for each in contestants}


def _bar(
    name: str,
    above: Sequence[float],
    below: Sequence[float],
    limit: float,
    *,
    is_least: bool = False,
) -> Bar:
    ratios = tuple(a / b for a, b in zip(above, below, strict=True))
    return Bar(name=name, ratios=ratios, limit=limit, is_least=is_least)
