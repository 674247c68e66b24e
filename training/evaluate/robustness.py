"""
Answers to disturbed and to masked pictures, as figures.

Legend: ``N`` pictures, ``W`` draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.core.manifest import Metric
from device.core.values import Result
from training.evaluate.bootstrap import DRAWS, Figures, draw_groups, with_intervals
from training.evaluate.probes import Answers
from training.evaluate.ranking import Ranking, share


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """What disturbances and hidden lesions do to the figures."""

    disturbed: Mapping[tuple[str, int], Mapping[str, Metric]]
    """By disturbance and level, ``(CLEAN, 0)`` first: ``auroc`` over all pictures, those that
    should be taken again included, ``uncertain_share``, ``retake_share``, and
    ``called_benign_share``, of the malignant ones."""
    masked: Mapping[str, Metric]
    """AUROC by what was hidden."""
    sharper: Mapping[str, Mapping[str, Metric]] | None = None
    """The figures of ``disturbed`` for the pictures that have a sharper copy, and for the copies,
    by what was shown; None if no picture has one."""
    sharper_pictures: int = 0


def robustness(
    disturbed: Mapping[tuple[str, int], Answers],
    masked: Mapping[str, Answers],
    malignant_N: NDArray[np.bool_],
    group_N: NDArray[np.int64],
    *,
    sharper: tuple[NDArray[np.int64], Mapping[str, Answers]] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Robustness:
    """
    Work out figures with 95 % intervals from draws of whole lesions.

    Args:
        disturbed: From :func:`training.evaluate.probes.disturbed_answers`.
        masked: From :func:`training.evaluate.probes.masked_answers`.
        malignant_N: Truth.
        group_N: Group of each picture, 0 to G-1.
        sharper: From :func:`training.evaluate.probes.sharper_answers`.
        draws: Bootstrap samples; every row meets the same ones.
        seed: Of the draws.
    """
    counts_WG = draw_groups(int(group_N.max()) + 1, draws=draws, seed=seed)
    places_M, compared = sharper or (np.zeros(0, dtype=np.int64), {})
    return Robustness(
        disturbed={
            key: with_intervals(_figures(answers, malignant_N), group_N, counts_WG)
            for key, answers in disturbed.items()
        },
        masked={
            name: with_intervals(_figures(answers, malignant_N), group_N, counts_WG)["auroc"]
            for name, answers in masked.items()
        },
        sharper={
            name: with_intervals(
                _figures(answers, malignant_N[places_M]), group_N[places_M], counts_WG
            )
            for name, answers in compared.items()
        }
        or None,
        sharper_pictures=len(places_M),
    )


def _figures(answers: Answers, malignant_N: NDArray[np.bool_]) -> Figures:
    ranking = Ranking(answers.probability_N, malignant_N)
    everything_N = np.ones_like(malignant_N)

    def of(weight_WN: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {
            "auroc": ranking.auroc(weight_WN),
            "uncertain_share": share(weight_WN, answers.called(Result.UNCERTAIN), everything_N),
            "retake_share": share(weight_WN, answers.called(Result.RETAKE), everything_N),
            "called_benign_share": share(weight_WN, answers.called(Result.BENIGN), malignant_N),
        }

    return of
