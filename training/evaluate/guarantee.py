"""
What the benign threshold promises about malignant lesions, from the calibration lesions alone.

The threshold is the k-th lowest score of the n malignant calibration lesions, with k fixed by
the sensitivity aimed at before any score is seen.  The share of all malignant lesions that lie
below that score is then distributed as Beta(k, n + 1 - k), whatever the scores' distribution
is, as long as the lesions are exchangeable.  So two things hold without any assumption on the
network: on average over calibration parts a new malignant lesion is missed with a probability
of at most k / (n + 1) (split conformal prediction), and this calibration part keeps the miss
rate below the Beta's quantile with the stated confidence.

A lesion's score is the *lowest* of its pictures: it counts as missed if even one of them would
be called benign.  Whoever takes one picture of a lesion misses it at most as often.  Pictures
that would have to be taken again count with the score that they have, which misses more again.

Sources: Angelopoulos & Bates, "A gentle introduction to conformal prediction" (2021), for split
conformal prediction and its distribution over calibration sets; Bates et al., "Distribution-free,
risk-controlling prediction sets" (J. ACM 2021); the bound is that of Clopper & Pearson
(Biometrika 1934), and Wilks (1941) for order statistics.

Legend: ``N`` pictures, ``L`` malignant lesions.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, betabinom, binom  # type: ignore[import-untyped] # it has none

from device.core.manifest import Guarantee

SENSITIVITY = 0.95
"""Share of the malignant lesions that are aimed to be found."""
CONFIDENCE = 0.95
"""Least confidence that is stated."""
REFUTED_BELOW = 0.05
"""Chance of what other lesions show, if the promise held, below which it counts as refuted."""
_STEPS = 1000
"""The miss rate is stated in thousandths, rounded up."""


def lowest_of_lesions(
    value_N: NDArray[np.float64], malignant_N: NDArray[np.bool_], lesion_N: NDArray
) -> NDArray[np.float64]:
    """Return the lowest value of each malignant lesion, float64 ``[L]``, in rising order."""
    _, lesion_N = np.unique(lesion_N[malignant_N], return_inverse=True)
    lowest_L = np.full(lesion_N.max(initial=-1) + 1, np.inf)
    np.minimum.at(lowest_L, lesion_N, value_N[malignant_N])
    return np.sort(lowest_L)


def missed_lesions(lesions: int, sensitivity: float = SENSITIVITY) -> int:
    """
    Return how many of so many malignant calibration lesions the benign threshold may miss.

    One fewer than the rank k of the lesion that the threshold stands at; k is the largest with
    k / (n + 1) at most one minus *sensitivity*, and at least 1.
    """
    # Nudged, because 0.05 * 20 may come out a hair below one.
    return max(1, math.floor((1 - sensitivity) * (lesions + 1) + 1e-9)) - 1


def guarantee(lesions: int, *, sensitivity: float = SENSITIVITY) -> Guarantee:
    """
    State the lowest miss rate that the lesions support with at least :data:`CONFIDENCE`.

    Args:
        lesions: Malignant ones of the calibration part, at least 1.
        sensitivity: That the threshold was chosen for.
    """
    missed = missed_lesions(lesions, sensitivity)
    rate = beta(missed + 1, lesions - missed)
    miss_rate = math.ceil(float(rate.ppf(CONFIDENCE)) * _STEPS) / _STEPS
    return Guarantee(
        method="order_statistic",
        miss_rate=miss_rate,
        # Cut, not rounded: it must not say more than holds.
        confidence=math.floor(float(rate.cdf(miss_rate)) * _STEPS) / _STEPS,
        lesions=lesions,
        missed=missed,
    )


def chance_of(missed: int, lesions: int, promise: Guarantee) -> float:
    """
    Return how likely it is to miss so many or more if the promise holds exactly, 0 to 1.

    Args:
        missed: Malignant lesions that the threshold misses.
        lesions: All malignant ones, none of them from the calibration part.
        promise: See :func:`guarantee`.
    """
    return float(binom.sf(missed - 1, lesions, promise.miss_rate))


def held_against(missed: int, lesions: int, promise: Guarantee) -> str:
    """
    Say in words how probable it is to miss so many or more, by both ways of asking.

    Args:
        missed: Malignant lesions that the threshold misses.
        lesions: All malignant ones, none of them from the calibration part.
        promise: See :func:`guarantee`.
    """
    return (
        "If the share were exactly the promised one, so many here, or more, would have a "
        f"probability of {chance_of(missed, lesions, promise):.2g}; if these lesions and those "
        f"of the calibration part were alike, {chance_if_alike(missed, lesions, promise):.2g}."
    )


def chance_if_alike(missed: int, lesions: int, promise: Guarantee) -> float:
    """
    Return how likely it is to miss so many or more if these lesions are as the calibration's.

    The true miss rate is then not known, but how it is distributed is, so the number is
    beta-binomial.  Below :data:`REFUTED_BELOW` it is doubtful that they are alike; the promise
    itself may still hold.

    Args:
        missed: Malignant lesions that the threshold misses.
        lesions: All malignant ones, none of them from the calibration part.
        promise: See :func:`guarantee`.
    """
    rank = promise.missed + 1
    return float(betabinom.sf(missed - 1, lesions, rank, promise.lesions + 1 - rank))
