"""
From a logit to a probability that means what it says, and from there to three answers.

Both are fitted on the calibration part alone: what chose the network must not judge its
confidence too.  Legend: ``N`` pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped] # scipy brings no types
from scipy.special import expit  # type: ignore[import-untyped] # scipy brings no types
from sklearn.model_selection import StratifiedKFold

from device.core.manifest import Calibration, OperatingPoint
from training.errors import DataError
from training.evaluate.guarantee import SENSITIVITY, lowest_of_lesions, missed_lesions

MALIGNANT_SPECIFICITY = 0.90
"""Share of the benign pictures that ``malignant_from`` must leave below itself."""
_BOARDS_DIFFER = 1e-4
"""Largest difference of a probability between two boards."""
_FOLDS = 5
_SEED = 0
_LARGEST_LOG_SCALE = 4.6
_LARGEST_OFFSET = 100.0
"""What the contract accepts: a factor of 100 and an offset of 100."""


def calibrate(calibration: Calibration, malignancy_logit_N: NDArray[np.float64]) -> NDArray:
    """Return ``probability_malignant``, float64 ``[N]``, by the contract's formula."""
    probability_N: NDArray[np.float64] = expit(
        calibration.scale * np.asarray(malignancy_logit_N, dtype=np.float64) + calibration.offset
    )
    return probability_N


def fit_calibration(malignancy_logit_N: NDArray[np.float64], malignant_N: NDArray) -> Calibration:
    """
    Fit a temperature and a Platt line, and return the one that predicts unseen pictures better.

    Better is the lower log loss over five folds; the winner is then fitted on everything.  A
    temperature has one number to fit, a Platt line two: with few pictures the second one costs
    more than it brings, and the folds say so.

    Args:
        malignancy_logit_N: Of the calibration part.
        malignant_N: Truth, bool or 0 and 1.

    Raises:
        DataError: Benign or malignant pictures are too few to fill the folds.

    Sources: Guo et al., "On calibration of modern neural networks" (ICML 2017); Platt,
    "Probabilistic outputs for support vector machines" (1999).
    """
    logit_N, truth_N = _checked(malignancy_logit_N, malignant_N, least=_FOLDS)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
    losses = dict.fromkeys(_FITS, 0.0)
    for fitted, unseen in folds.split(logit_N, truth_N):
        for method, fit in _FITS.items():
            scale, offset = fit(logit_N[fitted], truth_N[fitted])
            losses[method] += _log_loss(scale * logit_N[unseen] + offset, truth_N[unseen])
    method = min(losses, key=losses.__getitem__)
    scale, offset = _FITS[method](logit_N, truth_N)
    return Calibration(method=method, scale=scale, offset=offset)


def choose_operating_point(
    probability_N: NDArray[np.float64],
    malignant_N: NDArray,
    lesion_N: NDArray,
    *,
    sensitivity: float = SENSITIVITY,
    specificity: float = MALIGNANT_SPECIFICITY,
) -> OperatingPoint:
    """
    Choose the two thresholds between which a lesion is ``uncertain``.

    ``benign_below`` stands just below the score of one malignant lesion, so that fewer than one
    minus *sensitivity* of them have a picture below it and the promise of
    :mod:`training.evaluate.guarantee` holds; ``malignant_from`` is the lowest threshold that
    leaves *specificity* of the benign pictures below it, and never less than the first.

    Args:
        probability_N: Calibrated, of the calibration part, 0 to 1.
        malignant_N: Truth, bool or 0 and 1.
        lesion_N: Which lesion each picture shows, any values.
        sensitivity: Over malignant lesions, 0 to 1.
        specificity: Over benign pictures, 0 to 1.

    Raises:
        DataError: There is no benign or no malignant picture.
    """
    value_N, truth_N = _checked(probability_N, malignant_N, least=1)
    lowest_L = lowest_of_lesions(value_N, truth_N, np.asarray(lesion_N))
    benign = np.sort(value_N[~truth_N])
    # Below by more than another board's arithmetic moves that lesion's score.
    benign_below = max(
        0.0, float(lowest_L[missed_lesions(len(lowest_L), sensitivity)]) - _BOARDS_DIFFER
    )
    # Nudged, because 0.9 * 10 may come out a hair above nine.
    kept = math.ceil(specificity * len(benign) - 1e-9)
    malignant_from = float(np.nextafter(benign[kept - 1], 2.0)) if kept else 0.0
    return OperatingPoint(
        benign_below=benign_below, malignant_from=min(1.0, max(benign_below, malignant_from))
    )


def _fit_temperature(logit_N: NDArray, truth_N: NDArray) -> tuple[float, float]:
    targets_N = _platt_targets(truth_N)
    found = minimize(
        lambda p: _log_loss(math.exp(p[0]) * logit_N, targets_N),
        x0=[0.0],
        bounds=[(-_LARGEST_LOG_SCALE, _LARGEST_LOG_SCALE)],
    )
    return math.exp(found.x[0]), 0.0


def _fit_platt(logit_N: NDArray, truth_N: NDArray) -> tuple[float, float]:
    targets_N = _platt_targets(truth_N)
    found = minimize(
        lambda p: _log_loss(math.exp(p[0]) * logit_N + p[1], targets_N),
        x0=[0.0, 0.0],
        bounds=[(-_LARGEST_LOG_SCALE, _LARGEST_LOG_SCALE), (-_LARGEST_OFFSET, _LARGEST_OFFSET)],
    )
    return math.exp(found.x[0]), float(found.x[1])


_FITS: Mapping[
    Literal["temperature", "platt"], Callable[[NDArray, NDArray], tuple[float, float]]
] = {"temperature": _fit_temperature, "platt": _fit_platt}


def _platt_targets(truth_N: NDArray) -> NDArray[np.float64]:
    """Platt's targets: a hair away from 0 and 1, so that separable classes have a finite fit."""
    positives, negatives = truth_N.sum(), (~truth_N).sum()
    return np.where(truth_N, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _log_loss(logit_N: NDArray, target_N: NDArray) -> float:
    """Summed cross-entropy in nats, stable for logits of any size."""
    return float(np.sum(np.logaddexp(0.0, logit_N) - target_N * logit_N))


def _checked(value_N: NDArray, malignant_N: NDArray, *, least: int) -> tuple[NDArray, NDArray]:
    """Return both as float64 and bool, or say which label has fewer than *least* pictures."""
    value_N, truth_N = np.asarray(value_N, dtype=np.float64), np.asarray(malignant_N) > 0
    problems = [
        f"{label}: expected at least {least} picture(s), found {count}"
        for label, count in (("malignant", truth_N.sum()), ("benign", (~truth_N).sum()))
        if count < least
    ]
    if problems:
        raise DataError("calibration", problems, "use a larger calibration part")
    return value_N, truth_N
