"""
From many times to a few figures that outliers cannot move, and when two of them differ.

Medians and quantiles by rank; nothing is thrown away, but what stands far out is counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bench.results import Summary

_FAR_OUT = 10.0
"""Times the median distance from the median."""
_BLOCKS = 16
"""Neighbours in time are alike, so runs of them are compared and not single samples."""
_RESAMPLES = 2000
_MOST_COUNTED = 20
_SEED = 0
SIGNIFICANT = 0.05
"""Of the differences that are called one, chance alone may have made so many."""


def summarize(samples: Sequence[float]) -> Summary:
    """
    Describe *samples*, at least one, in their own unit.

    Quantiles are the nearest rank above, as MLPerf's LoadGen takes them.  The interval is that of
    the median, 95 %, from the binomial distribution of ranks: it holds for any distribution, as
    long as the samples do not depend on each other.
    """
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    count = len(ordered)
    p50, p90, p95, p99 = (
        float(ordered[min(count - 1, math.ceil(q * count) - 1)]) for q in (0.5, 0.9, 0.95, 0.99)
    )
    reach = 1.96 * math.sqrt(count) / 2
    low = float(ordered[max(0, math.floor(count / 2 - reach))])
    high = float(ordered[min(count - 1, math.ceil(count / 2 + reach))])
    spread = float(np.median(np.abs(ordered - p50)))
    far_out = int(np.sum(ordered > p50 + _FAR_OUT * spread)) if spread > 0 else 0
    return Summary(
        count=count, p50=p50, p90=p90, p95=p95, p99=p99, low=low, high=high, far_out=far_out
    )


def blocks(samples: Sequence[float]) -> NDArray[np.float64]:
    """Return the medians of up to 16 runs of neighbouring *samples*, in their order."""
    parts = np.array_split(np.asarray(samples, dtype=np.float64), min(_BLOCKS, len(samples)))
    return np.array([np.median(part) for part in parts])


def ratio_interval(
    before_B: NDArray[np.float64], after_B: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Median of *after_B* over that of *before_B*, and its 95 % interval (bootstrap)."""
    rng = np.random.default_rng(_SEED)

    def medians(values_B: NDArray[np.float64]) -> NDArray[np.float64]:
        picked = rng.integers(0, len(values_B), size=(_RESAMPLES, len(values_B)))
        return np.median(values_B[picked], axis=1)

    low, high = np.quantile(medians(after_B) / medians(before_B), [0.025, 0.975])
    return float(np.median(after_B) / np.median(before_B)), float(low), float(high)


def chance_of_difference(left_B: NDArray[np.float64], right_B: NDArray[np.float64]) -> float:
    """
    How often chance alone would part two sets as far as these: Mann and Whitney's test.

    Two-sided.  Counted out where there are few samples and no ties, as the normal approximation
    never comes down to what seven samples can show; else that, with the correction for ties.

    Source: Mann & Whitney, "On a test of whether one of two random variables is stochastically
    larger than the other" (Annals of Mathematical Statistics, 1947).
    """
    n, m = len(left_B), len(right_B)
    larger = float(np.sum(left_B[:, None] > right_B[None, :]))
    larger += 0.5 * float(np.sum(left_B[:, None] == right_B[None, :]))
    _, ties = np.unique(np.concatenate([left_B, right_B]), return_counts=True)
    if max(n, m) <= _MOST_COUNTED and ties.max() == 1:
        ways = _ways(n, m)
        least = int(min(larger, n * m - larger))
        return min(1.0, float(2 * ways[: least + 1].sum() / ways.sum()))
    total = n + m
    tied = float(np.sum(ties**3 - ties)) / (total * (total - 1))
    deviation = math.sqrt(n * m / 12 * (total + 1 - tied))
    if deviation == 0:
        return 1.0
    distance = max(0.0, abs(larger - n * m / 2) - 0.5)
    return 2 * (1 - NormalDist().cdf(distance / deviation))


def _ways(n: int, m: int) -> NDArray[np.float64]:
    """In how many orders of *n* and *m* samples so many pairs have the first one larger."""
    # Of the last sample: if it is one of the first, it is larger than all m of the others.
    row = [np.ones(1)] * (m + 1)
    for i in range(1, n + 1):
        new = [np.ones(1)]
        for j in range(1, m + 1):
            ways = np.zeros(i * j + 1)
            ways[j : j + len(row[j])] += row[j]
            ways[: len(new[j - 1])] += new[j - 1]
            new.append(ways)
        row = new
    return row[m]


def corrected(chances: Mapping[str, float]) -> dict[str, float]:
    """
    Raise each chance for how many comparisons there are.

    A difference that counts below :data:`SIGNIFICANT` then belongs to those of which no more than
    that share are luck.

    Source: Benjamini & Hochberg, "Controlling the false discovery rate" (Journal of the Royal
    Statistical Society B, 1995).
    """
    smallest = 1.0
    found = {}
    ordered = sorted(chances.items(), key=lambda item: item[1], reverse=True)
    for place, (name, chance) in enumerate(ordered):
        smallest = min(smallest, chance * len(chances) / (len(chances) - place))
        found[name] = smallest
    return found
