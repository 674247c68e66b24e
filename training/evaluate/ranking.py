"""
Rankings and shares under weights; see ``bootstrap.py`` for why weights.

Legend: ``N`` pictures (or lesions), ``W`` rows of weights, ``U`` distinct scores.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

HIGH_SENSITIVITY = 0.95

Row: TypeAlias = NDArray[np.float64]
"""A figure for each row of weights, ``[W]``."""


class Ranking:
    """Scores sorted once, so that each row of weights costs two running sums."""

    def __init__(self, score_N: NDArray[np.float64], malignant_N: NDArray[np.bool_]) -> None:
        self._order_N = np.argsort(-score_N, kind="stable")
        # Equal scores stand or fall together: a step ends where the score changes.
        sorted_N = score_N[self._order_N]
        self._ends_U = np.flatnonzero(np.append(sorted_N[1:] != sorted_N[:-1], True))
        self._malignant_N = malignant_N

    def auroc(self, weight_WN: NDArray[np.float64]) -> NDArray[np.float64]:
        """Area under the ROC curve by trapezoids, which counts a tie as half."""
        true_WU = self._above(weight_WN * self._malignant_N)
        false_WU = self._above(weight_WN * ~self._malignant_N)
        true_before_WU = np.pad(true_WU, ((0, 0), (1, 0)))[:, :-1]
        steps_WU = np.diff(false_WU, axis=1, prepend=0.0)
        area_W = (steps_WU * (true_WU + true_before_WU) / 2).sum(axis=1)
        return divide(area_W, true_WU[:, -1] * false_WU[:, -1])

    def average_precision(self, weight_WN: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean precision, each threshold weighted by the sensitivity that it adds."""
        true_WU = self._above(weight_WN * self._malignant_N)
        precision_WU = np.nan_to_num(divide(true_WU, self._above(weight_WN)))
        gains_WU = np.diff(true_WU, axis=1, prepend=0.0)
        return divide((gains_WU * precision_WU).sum(axis=1), true_WU[:, -1])

    def at_sensitivity(
        self,
        weight_WN: NDArray[np.float64],
        chosen_N: NDArray[np.bool_],
        sensitivity: float = HIGH_SENSITIVITY,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Go down from the highest score until *sensitivity* is reached.

        Returns:
            The sensitivity reached there, and the share of *chosen_N* left below.
        """
        true_WU = self._above(weight_WN * self._malignant_N)
        chosen_WU = self._above(weight_WN * chosen_N)
        # Nudged, because 0.95 * 20 may come out a hair above 19.
        enough_WU = true_WU >= sensitivity * true_WU[:, -1:] - 1e-9
        stop_W1 = enough_WU.argmax(axis=1)[:, None]
        reached_W = np.take_along_axis(true_WU, stop_W1, axis=1)[:, 0]
        above_W = np.take_along_axis(chosen_WU, stop_W1, axis=1)[:, 0]
        left_W = 1 - divide(above_W, chosen_WU[:, -1])
        return divide(reached_W, true_WU[:, -1]), np.where(true_WU[:, -1] > 0, left_W, np.nan)

    def _above(self, weight_WN: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight at or above each distinct score, from the highest down, ``[W, U]``."""
        running_WN = np.cumsum(weight_WN[:, self._order_N], axis=1)
        above_WU: NDArray[np.float64] = running_WN[:, self._ends_U]
        return above_WU


def share(
    weight_WN: NDArray[np.float64], hit_N: NDArray[np.bool_], among_N: NDArray[np.bool_]
) -> Row:
    """Weight of the hits among the pictures that *among_N* marks."""
    return divide(
        weight_WN @ (hit_N & among_N).astype(np.float64), weight_WN @ among_N.astype(np.float64)
    )


def mean(weight_WN: NDArray[np.float64], value_N: NDArray[np.float64]) -> Row:
    """Weighted mean of a value of every picture."""
    return divide(weight_WN @ value_N, weight_WN.sum(axis=1))


def mean_of(values: Iterable[Row]) -> Row:
    """Mean over the figures that are defined: a class that is absent has no recall."""
    value_PW = np.stack(list(values))
    defined_PW = ~np.isnan(value_PW)
    return divide(np.where(defined_PW, value_PW, 0.0).sum(axis=0), defined_PW.sum(axis=0))


def divide(numerator: NDArray, denominator: NDArray) -> NDArray[np.float64]:
    """NaN, without a warning, where the denominator is zero."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
