"""
The figures that we publish, each with a 95 % interval.

Every figure is a function of scores and **weights**.  With weight one for each picture it is
the figure itself; with the number of times that a bootstrap draw took each lesion it is that
draw's figure.  So all draws are worked out at once, and figure and interval cannot drift apart.

Legend: ``N`` pictures (or lesions), ``W`` rows of weights, ``U`` distinct scores, ``K``
diagnoses, ``G`` groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax  # type: ignore[import-untyped]

from device.core.manifest import DIAGNOSES, Calibration, Metric, OperatingPoint
from training.data.case import UNKNOWN
from training.errors import DataError
from training.evaluate.calibration import calibrate

DRAWS = 2000
ECE_BINS = 15
HIGH_SENSITIVITY = 0.95
LESION_PREFIX = "lesion_"
_INTERVAL = (2.5, 97.5)
_NEVER_ZERO_MEAN = ("ece", "ece_uncalibrated")
"""Every draw adds noise to every bin, and noise never cancels in a sum of distances: redrawn, the
error is larger on average.  Its interval is moved back by that excess."""
_CHUNK = 250
"""Draws worked out together: 20 MB of weights for all of HAM10000."""

Figure = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From weights ``[W, N]`` to a figure for each row ``[W]``; NaN where it is not defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Pictures, or lesions, with what is true and what the model said about them."""

    malignant_N: NDArray[np.bool_]
    diagnosis_N: NDArray[np.int64]
    """Index into ``DIAGNOSES``, or ``UNKNOWN``."""
    probability_N: NDArray[np.float64]
    """``probability_malignant`` after calibration."""
    uncalibrated_N: NDArray[np.float64]
    """The same before calibration."""
    diagnosis_probability_NK: NDArray[np.float64]
    group_N: NDArray[np.int64]
    """Number of the lesion's group, 0 to G-1."""


def score(
    *,
    malignancy_logit_N: NDArray[np.float64],
    diagnosis_logits_NK: NDArray[np.float64],
    malignant_N: NDArray,
    diagnosis_N: NDArray[np.int64],
    group_N: NDArray,
    calibration: Calibration,
) -> Scored:
    """Put truth and calibrated answers side by side; *group_N* may be any labels."""
    return Scored(
        malignant_N=np.asarray(malignant_N) > 0,
        diagnosis_N=np.asarray(diagnosis_N),
        probability_N=calibrate(calibration, malignancy_logit_N),
        uncalibrated_N=expit(np.asarray(malignancy_logit_N, dtype=np.float64)),
        diagnosis_probability_NK=softmax(diagnosis_logits_NK, axis=1),
        group_N=np.unique(np.asarray(group_N), return_inverse=True)[1],
    )


def by_lesion(pictures: Scored) -> Scored:
    """
    Average all answers over the pictures of a lesion.

    A lesion is malignant if any of its pictures is called so, and has the diagnosis of its
    first picture that has one.
    """
    counts_G = np.bincount(pictures.group_N).astype(np.float64)

    def mean(values_N: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(pictures.group_N, weights=values_N) / counts_G

    diagnosis_G = np.full(len(counts_G), UNKNOWN, dtype=np.int64)
    known_N = pictures.diagnosis_N != UNKNOWN
    # Written backwards, so that the first one stays.
    diagnosis_G[pictures.group_N[known_N][::-1]] = pictures.diagnosis_N[known_N][::-1]
    return Scored(
        malignant_N=mean(pictures.malignant_N.astype(np.float64)) > 0,
        diagnosis_N=diagnosis_G,
        probability_N=mean(pictures.probability_N),
        uncalibrated_N=mean(pictures.uncalibrated_N),
        diagnosis_probability_NK=np.stack(
            [mean(column_N) for column_N in pictures.diagnosis_probability_NK.T], axis=1
        ),
        group_N=np.arange(len(counts_G)),
    )


def evaluate_predictions(
    pictures: Scored, operating_point: OperatingPoint, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Metric]:
    """
    Work out all figures for pictures and, under ``lesion_``, for lesions.

    The interval runs from the 2.5th to the 97.5th percentile over *draws* bootstrap samples of
    groups: pictures of one lesion are not independent and are drawn together.

    Args:
        pictures: From :func:`score`.
        operating_point: From the calibration part or the contract.
        draws: Bootstrap samples.
        seed: Of the draws; two models on the same pictures meet the same draws.

    Returns:
        Metric by name; figures that are not defined here (no melanoma in the part) are left out.

    Raises:
        DataError: All pictures have one label, so that nothing can be told apart.
    """
    if pictures.malignant_N.all() or not pictures.malignant_N.any():
        raise DataError(
            "evaluation",
            [f"{len(pictures.malignant_N)} pictures, all with one label"],
            "name a part with benign and malignant pictures",
        )
    lesions = by_lesion(pictures)
    # A draw takes as many groups as there are, with replacement: a count for each group.
    groups = len(lesions.group_N)
    counts_WG = np.random.default_rng(seed).multinomial(
        groups, np.full(groups, 1 / groups), size=draws
    )
    metrics: dict[str, Metric] = {}
    for prefix, scored in (("", pictures), (LESION_PREFIX, lesions)):
        for name, figure in figures(scored, operating_point).items():
            value = float(figure(np.ones((1, len(scored.group_N))))[0])
            if np.isnan(value):
                continue
            drawn = np.concatenate(
                [
                    figure(counts_WG[start : start + _CHUNK, scored.group_N].astype(np.float64))
                    for start in range(0, draws, _CHUNK)
                ]
            )
            drawn = drawn[~np.isnan(drawn)]
            if name in _NEVER_ZERO_MEAN:
                drawn = np.maximum(drawn - drawn.mean() + value, 0.0)
            low, high = np.percentile(drawn, _INTERVAL)
            metrics[prefix + name] = Metric(value=value, low=float(low), high=float(high))
    return metrics


def figures(scored: Scored, operating_point: OperatingPoint) -> Mapping[str, Figure]:
    """
    Return every figure by its name.

    ``..._at_95_sensitivity`` takes the threshold from the very pictures it judges: it describes
    the ranking.  ``..._at_benign_below`` and ``..._at_malignant_from`` take it from the
    calibration part: they describe the product.
    """
    malignant, probability = scored.malignant_N, scored.probability_N
    ranking = Ranking(probability, malignant)
    melanoma_N = scored.diagnosis_N == DIAGNOSES.index("MEL")
    guess_N = scored.diagnosis_probability_NK.argmax(axis=1)
    known_N = scored.diagnosis_N != UNKNOWN
    right_N = guess_N == scored.diagnosis_N
    result: dict[str, Figure] = {
        "auroc": ranking.auroc,
        "average_precision": ranking.average_precision,
        "specificity_at_95_sensitivity": lambda w: ranking.at_sensitivity(w, ~malignant)[1],
        "melanoma_sensitivity_at_95_sensitivity": lambda w: (
            1 - ranking.at_sensitivity(w, melanoma_N)[1]
        ),
    }
    for name, threshold in (
        ("benign_below", operating_point.benign_below),
        ("malignant_from", operating_point.malignant_from),
    ):
        above_N = probability >= threshold
        result |= {
            f"sensitivity_at_{name}": _share(above_N, malignant),
            f"specificity_at_{name}": _share(~above_N, ~malignant),
            f"balanced_accuracy_at_{name}": _mean_of(
                _share(above_N, malignant), _share(~above_N, ~malignant)
            ),
            f"melanoma_sensitivity_at_{name}": _share(above_N, melanoma_N),
        }
    uncertain_N = (probability >= operating_point.benign_below) & (
        probability < operating_point.malignant_from
    )
    return result | {
        "uncertain_share": _share(uncertain_N, np.ones_like(malignant)),
        "diagnosis_accuracy": _share(right_N, known_N),
        "diagnosis_balanced_accuracy": _mean_of(
            *(_share(right_N, scored.diagnosis_N == index) for index in range(len(DIAGNOSES)))
        ),
        "ece": lambda w: expected_calibration_error(probability, malignant, w),
        "ece_uncalibrated": lambda w: expected_calibration_error(
            scored.uncalibrated_N, malignant, w
        ),
        "brier": _mean((probability - malignant) ** 2),
        "brier_uncalibrated": _mean((scored.uncalibrated_N - malignant) ** 2),
    }


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
        return _divide(area_W, true_WU[:, -1] * false_WU[:, -1])

    def average_precision(self, weight_WN: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean precision, each threshold weighted by the sensitivity that it adds."""
        true_WU = self._above(weight_WN * self._malignant_N)
        precision_WU = np.nan_to_num(_divide(true_WU, self._above(weight_WN)))
        gains_WU = np.diff(true_WU, axis=1, prepend=0.0)
        return _divide((gains_WU * precision_WU).sum(axis=1), true_WU[:, -1])

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
        left_W = 1 - _divide(above_W, chosen_WU[:, -1])
        return _divide(reached_W, true_WU[:, -1]), np.where(true_WU[:, -1] > 0, left_W, np.nan)

    def _above(self, weight_WN: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight at or above each distinct score, from the highest down, ``[W, U]``."""
        running_WN = np.cumsum(weight_WN[:, self._order_N], axis=1)
        above_WU: NDArray[np.float64] = running_WN[:, self._ends_U]
        return above_WU


def expected_calibration_error(
    probability_N: NDArray[np.float64],
    malignant_N: NDArray[np.bool_],
    weight_WN: NDArray[np.float64],
) -> NDArray[np.float64]:
    """
    Mean distance between what was promised and what came true, over 15 bins of equal width.

    In each bin of the probability of malignancy the mean probability is compared with the share
    of malignant pictures; bins count by their weight.
    """
    bin_N = np.minimum((probability_N * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    member_NB = np.eye(ECE_BINS)[bin_N]
    gap_WB = weight_WN @ (member_NB * (malignant_N - probability_N)[:, None])
    return _divide(np.abs(gap_WB).sum(axis=1), weight_WN.sum(axis=1))


def _share(hit_N: NDArray[np.bool_], among_N: NDArray[np.bool_]) -> Figure:
    """Weight of the hits among the pictures that *among_N* marks."""
    hit_among_N, among_N = (hit_N & among_N).astype(np.float64), among_N.astype(np.float64)
    return lambda weight_WN: _divide(weight_WN @ hit_among_N, weight_WN @ among_N)


def _mean(value_N: NDArray[np.float64]) -> Figure:
    return lambda weight_WN: _divide(weight_WN @ value_N, weight_WN.sum(axis=1))


def _mean_of(*parts: Figure) -> Figure:
    """Mean over the figures that are defined: a class that is absent has no recall."""

    def figure(weight_WN: NDArray[np.float64]) -> NDArray[np.float64]:
        values_PW = np.stack([part(weight_WN) for part in parts])
        defined_PW = ~np.isnan(values_PW)
        return _divide(np.where(defined_PW, values_PW, 0.0).sum(axis=0), defined_PW.sum(axis=0))

    return figure


def _divide(numerator: NDArray, denominator: NDArray) -> NDArray[np.float64]:
    """NaN, without a warning, where the denominator is zero."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
