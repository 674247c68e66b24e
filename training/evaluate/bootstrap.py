"""
How sure a figure is: draws of whole lesions, and where 95 % of the drawn figures lie.

Figures are functions of **weights**.  With weight one for each picture they are the figures
themselves; with the number of times that a draw took each lesion they are that draw's.  So all
draws are worked out at once, figure and interval cannot drift apart, and two models on the same
pictures meet the same draws.

Legend: ``N`` pictures (or lesions), ``W`` rows of weights or draws, ``G`` groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from device.core.manifest import Metric

DRAWS = 2000
_INTERVAL = (2.5, 97.5)
_CHUNK = 250
"""Draws worked out together: 20 MB of weights for all of HAM10000."""

Figures = Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]
"""From weights ``[W, N]`` to figures by name, each ``[W]``; NaN where one is not defined."""


def draw_groups(groups: int, *, draws: int = DRAWS, seed: int = 0) -> NDArray[np.int64]:
    """
    Draw as many groups as there are, with replacement, *draws* times.

    Returns:
        How often each draw took each group, ``[W, G]``.
    """
    counts_WG: NDArray[np.int64] = np.random.default_rng(seed).multinomial(
        groups, np.full(groups, 1 / groups), size=draws
    )
    return counts_WG


def plain(figures: Figures, pictures: int) -> dict[str, float]:
    """Return the figures themselves: each of the *pictures* counts once."""
    return {name: float(value_W[0]) for name, value_W in figures(np.ones((1, pictures))).items()}


def drawn(
    figures: Figures, group_N: NDArray[np.int64], counts_WG: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return the figures of every draw, ``[W]`` each."""
    chunks = [
        figures(counts_WG[start : start + _CHUNK, group_N].astype(np.float64))
        for start in range(0, len(counts_WG), _CHUNK)
    ]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def interval(value_W: NDArray[np.float64]) -> tuple[float, float]:
    """
    Return the 2.5th and the 97.5th percentile of the draws in which the figure is defined.

    NaN twice if there is none.
    """
    defined = value_W[~np.isnan(value_W)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.percentile(defined, _INTERVAL)
    return float(low), float(high)


def with_intervals(
    figures: Figures,
    group_N: NDArray[np.int64],
    counts_WG: NDArray[np.int64],
    *,
    never_zero_mean: frozenset[str] = frozenset(),
) -> dict[str, Metric]:
    """
    Work out figures and their intervals.

    Args:
        figures: What to work out.
        group_N: Group of each picture, 0 to G-1.
        counts_WG: From :func:`draw_groups`.
        never_zero_mean: Figures that are sums of distances.  Every draw adds noise to each
            distance, and noise never cancels there: redrawn, such a figure is larger on average.
            Its draws are moved back by that excess.

    Returns:
        Metric by name; figures that are not defined on these pictures are left out.
    """
    values, draws = plain(figures, len(group_N)), drawn(figures, group_N, counts_WG)
    metrics = {}
    for name, value in values.items():
        if np.isnan(value):
            continue
        value_W = draws[name]
        if name in never_zero_mean:
            value_W = np.maximum(value_W - np.nanmean(value_W) + value, 0.0)
        low, high = interval(value_W)
        metrics[name] = Metric(value=value, low=low, high=high)
    return metrics
