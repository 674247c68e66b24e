"""
Two models, or two trainings in several seeds each, on the same pictures and the same draws.

The difference is worked out within each draw, so what makes a draw easy or hard for both falls
out of it.

Legend: ``N`` pictures, ``W`` draws, ``G`` groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError
from training.evaluate.bootstrap import DRAWS, Figures, draw_groups, drawn, interval, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure of both sides; of several seeds their mean."""

    first: float
    second: float
    value: float
    """First minus second."""
    low: float
    high: float
    """Between these lie 95 % of the draws."""
    spread_first: float | None
    spread_second: float | None
    """Standard deviation over the seeds; None of a single one."""


def compare(
    first: Sequence[Figures],
    second: Sequence[Figures],
    group_N: NDArray[np.int64],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Difference]:
    """
    Work out by how much *first* exceeds *second*, figure by figure.

    Args:
        first: Figures of each seed, all of the same pictures.
        second: Of the other side, of the same pictures.
        group_N: Group of each picture, 0 to G-1.
        draws: Bootstrap samples.
        seed: Of the draws.

    Returns:
        Difference by name; a figure that one side does not define is left out.

    Raises:
        DataError: A side is empty.
    """
    if not first or not second:
        raise DataError("comparison", ["one side is empty"], "name at least one model on each side")
    counts_WG = draw_groups(int(group_N.max()) + 1, draws=draws, seed=seed)
    sides = []
    for side in (first, second):
        plains = [plain(figures, len(group_N)) for figures in side]
        draws_of_seeds = [drawn(figures, group_N, counts_WG) for figures in side]
        sides.append((plains, draws_of_seeds))
    differences = {}
    for name in sides[0][0][0]:
        means, spreads, drawn_means = [], [], []
        for plains, draws_of_seeds in sides:
            values = np.array([values[name] for values in plains])
            means.append(float(values.mean()))
            spreads.append(float(values.std(ddof=1)) if len(values) > 1 else None)
            drawn_means.append(np.mean([values[name] for values in draws_of_seeds], axis=0))
        value = means[0] - means[1]
        if np.isnan(value):
            continue
        low, high = interval(drawn_means[0] - drawn_means[1])
        differences[name] = Difference(
            first=means[0],
            second=means[1],
            value=value,
            low=low,
            high=high,
            spread_first=spreads[0],
            spread_second=spreads[1],
        )
    return differences
