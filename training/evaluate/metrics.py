"""
The figures that we publish, each with a 95 % interval; see ``bootstrap.py``.

Legend: ``N`` pictures (or lesions), ``W`` rows of weights, ``U`` distinct scores, ``K``
diagnoses, ``G`` groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax  # type: ignore[import-untyped] # scipy brings no types

from device.core.manifest import DIAGNOSES, Calibration, Metric, OperatingPoint
from training.data.case import UNKNOWN
from training.errors import DataError
from training.evaluate.bootstrap import DRAWS, Figures, draw_groups, with_intervals
from training.evaluate.calibration import calibrate
from training.evaluate.ranking import HIGH_SENSITIVITY, Ranking, Row, divide, mean, mean_of, share

ECE_BINS = 15
HALF = 0.5
LESION_PREFIX = "lesion_"
PREVALENCES = (0.01, 0.05, 0.20)
"""Shares of malignant lesions for which predictive values are stated; the last one is about that
of HAM10000, the others are what a device would sooner meet."""
_NEVER_ZERO_MEAN = frozenset({"ece", "ece_uncalibrated"})


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

    def averaged(values_N: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(pictures.group_N, weights=values_N) / counts_G

    diagnosis_G = np.full(len(counts_G), UNKNOWN, dtype=np.int64)
    known_N = pictures.diagnosis_N != UNKNOWN
    # Written backwards, so that the first one stays.
    diagnosis_G[pictures.group_N[known_N][::-1]] = pictures.diagnosis_N[known_N][::-1]
    return Scored(
        malignant_N=averaged(pictures.malignant_N.astype(np.float64)) > 0,
        diagnosis_N=diagnosis_G,
        probability_N=averaged(pictures.probability_N),
        uncalibrated_N=averaged(pictures.uncalibrated_N),
        diagnosis_probability_NK=np.stack(
            [averaged(column_N) for column_N in pictures.diagnosis_probability_NK.T], axis=1
        ),
        group_N=np.arange(len(counts_G)),
    )


def evaluate_predictions(
    pictures: Scored,
    operating_point: OperatingPoint,
    *,
    complete: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Metric]:
    """
    Work out figures for pictures and, under ``lesion_``, for lesions.

    The interval runs from the 2.5th to the 97.5th percentile over *draws* bootstrap samples of
    groups: pictures of one lesion are not independent and are drawn together.

    Args:
        pictures: From :func:`score`.
        operating_point: From the calibration part or the contract.
        complete: All figures, as a report has them; else those that the contract carries.
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
    counts_WG = draw_groups(len(lesions.group_N), draws=draws, seed=seed)
    make = all_figures if complete else figures
    metrics: dict[str, Metric] = {}
    for prefix, scored in (("", pictures), (LESION_PREFIX, lesions)):
        found = with_intervals(
            make(scored, operating_point),
            scored.group_N,
            counts_WG,
            never_zero_mean=_NEVER_ZERO_MEAN,
        )
        metrics |= {prefix + name: metric for name, metric in found.items()}
    return metrics


def figures(scored: Scored, operating_point: OperatingPoint) -> Figures:
    """
    Return the figures of record.

    ``..._at_95_sensitivity`` takes the threshold from the very pictures it judges: it describes
    the ranking.  ``..._at_benign_below`` and ``..._at_malignant_from`` take it from the
    calibration part: they describe the product.
    """
    wanted = ("sensitivity", "specificity", "balanced_accuracy", "melanoma_sensitivity")
    overall, decided = _overall(scored, operating_point), _decided(scored, operating_point)

    def of(weight_WN: NDArray[np.float64]) -> dict[str, Row]:
        at = decided(weight_WN)
        return {
            **overall(weight_WN),
            "specificity_at_90_sensitivity": at["90_sensitivity"]["specificity"],
            "specificity_at_95_sensitivity": at["95_sensitivity"]["specificity"],
            "melanoma_sensitivity_at_95_sensitivity": at["95_sensitivity"]["melanoma_sensitivity"],
            **{
                f"{name}_at_{place}": at[place][name]
                for place in ("benign_below", "malignant_from")
                for name in wanted
            },
        }

    return of


def all_figures(scored: Scored, operating_point: OperatingPoint) -> Figures:
    """
    Return every figure of a report: those of record, and each decision looked at from all sides.

    ``..._at_half`` calls a picture malignant from a probability of one half, as published
    accuracies do; ``ppv_prevalence_5_at_...`` is the predictive value where 5 of 100 lesions are
    malignant, worked out from sensitivity and specificity.
    """
    overall, decided = _overall(scored, operating_point), _decided(scored, operating_point)

    def of(weight_WN: NDArray[np.float64]) -> dict[str, Row]:
        return {
            **overall(weight_WN),
            **{
                f"{name}_at_{place}": value_W
                for place, found in decided(weight_WN).items()
                for name, value_W in found.items()
            },
        }

    return of


def _overall(scored: Scored, operating_point: OperatingPoint) -> Figures:
    """Figures that hang on no single threshold."""
    malignant, probability = scored.malignant_N, scored.probability_N
    ranking = Ranking(probability, malignant)
    known_N = scored.diagnosis_N != UNKNOWN
    right_N = scored.diagnosis_probability_NK.argmax(axis=1) == scored.diagnosis_N
    uncertain_N = (probability >= operating_point.benign_below) & (
        probability < operating_point.malignant_from
    )

    def of(weight_WN: NDArray[np.float64]) -> dict[str, Row]:
        return {
            "auroc": ranking.auroc(weight_WN),
            "average_precision": ranking.average_precision(weight_WN),
            "uncertain_share": share(weight_WN, uncertain_N, np.ones_like(malignant)),
            "diagnosis_accuracy": share(weight_WN, right_N, known_N),
            "diagnosis_balanced_accuracy": mean_of(
                share(weight_WN, right_N, scored.diagnosis_N == index)
                for index in range(len(DIAGNOSES))
            ),
            "ece": expected_calibration_error(probability, malignant, weight_WN),
            "ece_uncalibrated": expected_calibration_error(
                scored.uncalibrated_N, malignant, weight_WN
            ),
            "brier": mean(weight_WN, (probability - malignant) ** 2),
            "brier_uncalibrated": mean(weight_WN, (scored.uncalibrated_N - malignant) ** 2),
        }

    return of


def _decided(
    scored: Scored, operating_point: OperatingPoint
) -> Callable[[NDArray[np.float64]], dict[str, dict[str, Row]]]:
    """Figures by place of the threshold and by name."""
    malignant, probability = scored.malignant_N, scored.probability_N
    melanoma_N = scored.diagnosis_N == DIAGNOSES.index("MEL")
    ranking = Ranking(probability, malignant)
    thresholds = {
        "half": HALF,
        "benign_below": operating_point.benign_below,
        "malignant_from": operating_point.malignant_from,
    }
    reached = {"90_sensitivity": 0.90, "95_sensitivity": HIGH_SENSITIVITY}

    def of(weight_WN: NDArray[np.float64]) -> dict[str, dict[str, Row]]:
        prevalence_W = mean(weight_WN, malignant.astype(np.float64))
        found = {}
        for place, threshold in thresholds.items():
            above_N = probability >= threshold
            found[place] = decision_figures(
                share(weight_WN, above_N, malignant),
                share(weight_WN, ~above_N, ~malignant),
                prevalence_W,
            ) | {"melanoma_sensitivity": share(weight_WN, above_N, melanoma_N)}
        for place, sensitivity in reached.items():
            sensitivity_W, left_W = ranking.at_sensitivity(weight_WN, ~malignant, sensitivity)
            _, missed_W = ranking.at_sensitivity(weight_WN, melanoma_N, sensitivity)
            found[place] = decision_figures(sensitivity_W, left_W, prevalence_W) | {
                "melanoma_sensitivity": 1 - missed_W
            }
        return found

    return of


def decision_figures(sensitivity_W: Row, specificity_W: Row, prevalence_W: Row) -> dict[str, Row]:
    """
    Look at one decision from all sides.

    Args:
        sensitivity_W: Share of the malignant above the threshold.
        specificity_W: Share of the benign below it.
        prevalence_W: Share of the malignant among all.

    Returns:
        Sensitivity, specificity, balanced accuracy, accuracy, F1, and the predictive values at
        the prevalence of the part and at the stated ones.
    """
    found_W = sensitivity_W * prevalence_W
    false_W = (1 - specificity_W) * (1 - prevalence_W)
    result = {
        "sensitivity": sensitivity_W,
        "specificity": specificity_W,
        "balanced_accuracy": (sensitivity_W + specificity_W) / 2,
        "accuracy": found_W + specificity_W * (1 - prevalence_W),
        "f1": divide(2 * found_W, found_W + false_W + prevalence_W),
        "ppv": predictive_values(sensitivity_W, specificity_W, prevalence_W)[0],
        "npv": predictive_values(sensitivity_W, specificity_W, prevalence_W)[1],
    }
    for prevalence in PREVALENCES:
        values = predictive_values(sensitivity_W, specificity_W, np.array(prevalence))
        for name, value_W in zip(("ppv", "npv"), values, strict=True):
            result[f"{name}_prevalence_{100 * prevalence:g}"] = value_W
    return result


def predictive_values(sensitivity_W: Row, specificity_W: Row, prevalence_W: Row) -> tuple[Row, Row]:
    """
    Share of truly malignant among the positives, and of truly benign among the negatives.

    By Bayes' rule; NaN where nothing is called so.
    """
    true_W, false_W = sensitivity_W * prevalence_W, (1 - specificity_W) * (1 - prevalence_W)
    missed_W, spared_W = (1 - sensitivity_W) * prevalence_W, specificity_W * (1 - prevalence_W)
    return divide(true_W, true_W + false_W), divide(spared_W, spared_W + missed_W)


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
    return divide(np.abs(gap_WB).sum(axis=1), weight_WN.sum(axis=1))
