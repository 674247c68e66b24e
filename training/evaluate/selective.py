"""
Risk against coverage: how often an answer is wrong if the doubtful ones are not given.

Legend: ``N`` pictures, ``Q`` coverages, ``W`` draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.core.manifest import Metric, OperatingPoint
from training.evaluate.bootstrap import DRAWS, Figures, draw_groups, with_intervals
from training.evaluate.metrics import HALF, Scored
from training.evaluate.ranking import divide

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectiveRisk:
    """What is wrong among the answers that are given."""

    by_coverage: dict[float, Metric]
    """Share of wrong answers among the most certain pictures, by their share of all.  An answer
    is malignant from a probability of one half; the further from it, the more certain."""
    shipped_coverage: float
    """Share of the pictures that the two thresholds answer."""
    shipped_risk: Metric | None
    """Share of wrong ones among those answers; None if there is none."""
    shipped_missed: Metric | None
    """Share of malignant ones among the answers ``benign``; None if there is none."""


def selective_risk(
    scored: Scored, operating_point: OperatingPoint, *, draws: int = DRAWS, seed: int = 0
) -> SelectiveRisk:
    """Work out risks with 95 % intervals, from draws of whole lesions."""
    counts_WG = draw_groups(int(scored.group_N.max()) + 1, draws=draws, seed=seed)
    found = with_intervals(_figures(scored, operating_point), scored.group_N, counts_WG)
    return SelectiveRisk(
        by_coverage={coverage: found[f"risk_{coverage}"] for coverage in COVERAGES},
        shipped_coverage=found["coverage"].value,
        shipped_risk=found.get("risk"),
        shipped_missed=found.get("missed"),
    )


def risk_curve(
    scored: Scored,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return coverage and risk at every picture that is answered more, from the surest on.

    Pictures of equal certainty are answered together.
    """
    certainty_N, wrong_N = _certainty_and_error(scored)
    order_N = np.argsort(-certainty_N, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(certainty_N[order_N]) != 0, True))
    answered = ends + 1
    return answered / len(wrong_N), np.cumsum(wrong_N[order_N])[ends] / answered


def _certainty_and_error(scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    certainty_N = np.abs(scored.probability_N - HALF)
    return certainty_N, (scored.probability_N >= HALF) != scored.malignant_N


def _figures(scored: Scored, operating_point: OperatingPoint) -> Figures:
    certainty_N, wrong_N = _certainty_and_error(scored)
    order_N = np.argsort(-certainty_N, kind="stable")
    said_benign_N = scored.probability_N < operating_point.benign_below
    said_malignant_N = scored.probability_N >= operating_point.malignant_from
    given_N = said_benign_N | said_malignant_N
    missed_N = said_benign_N & scored.malignant_N
    error_N = missed_N | (said_malignant_N & ~scored.malignant_N)

    def of(weight_WN: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        weight_sorted_WN = weight_WN[:, order_N]
        answered_WN = np.cumsum(weight_sorted_WN, axis=1)
        wrong_WN = np.cumsum(weight_sorted_WN * wrong_N[order_N], axis=1)
        total_W1 = answered_WN[:, -1:]
        result = {}
        for coverage in COVERAGES:
            # Nudged, because 0.7 * 10 may come out a hair above 7.
            stop_W1 = (answered_WN >= coverage * total_W1 - 1e-9).argmax(axis=1)[:, None]
            result[f"risk_{coverage}"] = (
                np.take_along_axis(wrong_WN, stop_W1, axis=1)
                / np.take_along_axis(answered_WN, stop_W1, axis=1)
            )[:, 0]
        given_W, benign_W = weight_WN @ given_N, weight_WN @ said_benign_N
        return result | {
            "coverage": given_W / total_W1[:, 0],
            "risk": divide(weight_WN @ error_N, given_W),
            "missed": divide(weight_WN @ missed_N, benign_W),
        }

    return of
