"""The tables of a report, as Markdown; every figure in them comes from an evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from device.core.manifest import Metric
from training.evaluate.compare import Difference
from training.evaluate.disturbances import DISTURBANCES, LEVELS
from training.evaluate.metrics import LESION_PREFIX, PREVALENCES
from training.evaluate.probes import CLEAN
from training.evaluate.robustness import Robustness
from training.evaluate.selective import SelectiveRisk
from training.evaluate.subgroups import Subgroup

OVERALL = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "specificity_at_90_sensitivity": "specificity at 90 % sensitivity",
    "specificity_at_95_sensitivity": "specificity at 95 % sensitivity",
    "ece": "ECE",
    "ece_uncalibrated": "ECE before calibration",
    "brier": "Brier score",
    "brier_uncalibrated": "Brier score before calibration",
    "uncertain_share": "share `uncertain`",
    "diagnosis_accuracy": "accuracy, seven diagnoses",
    "diagnosis_balanced_accuracy": "balanced accuracy, seven diagnoses",
}
PLACES = {
    "benign_below": "`benign_below`",
    "malignant_from": "`malignant_from`",
    "half": "one half",
    "90_sensitivity": "90 % sensitivity",
    "95_sensitivity": "95 % sensitivity",
}
DECISION = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "melanoma_sensitivity": "sensitivity, melanoma",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "f1": "F1",
    "ppv": "PPV",
    "npv": "NPV",
}
"""Figures by their names in ``metrics.json`` and in words."""
_ROBUST = {
    "auroc": "AUROC",
    "called_benign_share": "malignant pictures called `benign`",
    "uncertain_share": "pictures called `uncertain`",
    "retake_share": "pictures called `retake`",
}


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; numbers stand on the right, the first column on the left."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(metric: Metric | None) -> str:
    """Return value and interval, a dash if there is no figure."""
    if metric is None:
        return "-"
    return f"{metric.value:.3f} ({limits(metric)})"


def limits(metric: Metric, form: str = ".3f") -> str:
    """
    Return the interval in words, each limit written in *form*.

    Where a share is 0 or 1, so is that of every draw, and an interval without width would say that
    it is known for sure.
    """
    if metric.low == metric.high == metric.value and metric.value in {0, 1}:
        return "no interval"
    return f"{metric.low:{form}} to {metric.high:{form}}"


def overall_table(metrics: Mapping[str, Metric]) -> str:
    """Figures that hang on no shipped threshold, per picture and per lesion."""
    return table(
        ("figure", "per picture", "per lesion"),
        [
            (words, cell(metrics.get(name)), cell(metrics.get(LESION_PREFIX + name)))
            for name, words in OVERALL.items()
            if name in metrics
        ],
    )


def decision_table(metrics: Mapping[str, Metric], *, prefix: str = "") -> str:
    """Figures at each threshold; *prefix* is empty or ``lesion_``."""
    return table(
        ("malignant from", *PLACES.values()),
        [
            (words, *(cell(metrics.get(f"{prefix}{name}_at_{place}")) for place in PLACES))
            for name, words in DECISION.items()
            if any(f"{prefix}{name}_at_{place}" in metrics for place in PLACES)
        ],
    )


def prevalence_table(metrics: Mapping[str, Metric]) -> str:
    """Predictive values at stated prevalences, per picture."""
    return table(
        (
            "threshold",
            *(f"{name}, {100 * p:g} % malignant" for p in PREVALENCES for name in ("PPV", "NPV")),
        ),
        [
            (
                words,
                *(
                    cell(metrics.get(f"{name}_prevalence_{100 * p:g}_at_{place}"))
                    for p in PREVALENCES
                    for name in ("ppv", "npv")
                ),
            )
            for place, words in PLACES.items()
        ],
    )


def subgroup_table(groups: Sequence[Subgroup]) -> str:
    """One row a group; a dagger where the AUROC is against the whole part's other label."""
    return table(
        (
            "group",
            "pictures",
            "lesions",
            "malignant lesions",
            "AUROC",
            "sensitivity at `benign_below`",
            "specificity at `benign_below`",
        ),
        [
            (
                f"{group.trait}: {group.value}" + (" **weak**" if group.is_weak else ""),
                f"{group.pictures:,}",
                f"{group.lesions:,}",
                f"{group.malignant_lesions:,}",
                cell(group.metrics.get("auroc")) + (" †" if group.one_label else ""),
                cell(group.metrics.get("sensitivity_at_benign_below")),
                cell(group.metrics.get("specificity_at_benign_below")),
            )
            for group in groups
        ],
    )


def selective_table(selective: SelectiveRisk) -> str:
    """Risk at some coverages."""
    return table(
        ("pictures answered", "of these answered wrongly"),
        [(f"{100 * coverage:g} %", cell(risk)) for coverage, risk in selective.by_coverage.items()],
    )


def robustness_tables(found: Robustness) -> str:
    """One table a figure: disturbances in rows, levels in columns."""
    clean = found.disturbed[CLEAN, 0]
    parts = []
    for name, words in _ROBUST.items():
        rows = [
            (
                disturbance,
                *(f"{found.disturbed[disturbance, level][name].value:.3f}" for level in LEVELS),
            )
            for disturbance in DISTURBANCES
        ]
        heading = (f"{words}; {clean[name].value:.3f} undisturbed", *(f"level {n}" for n in LEVELS))
        parts.append(table(heading, rows))
    widest = max(metric["auroc"].high - metric["auroc"].low for metric in found.disturbed.values())
    parts.append(
        f"The AUROCs have 95 % intervals of at most ±{widest / 2:.3f}; each stands in "
        "the data of this report."
    )
    return "\n\n".join(parts)


def sharper_table(compared: Mapping[str, Mapping[str, Metric]]) -> str:
    """One row for what was shown, one column a figure."""
    return table(
        ("shown", *_ROBUST.values()),
        [
            (name, *(cell(metrics.get(figure)) for figure in _ROBUST))
            for name, metrics in compared.items()
        ],
    )


def masked_table(found: Robustness) -> str:
    """AUROC by what was hidden."""
    return table(
        ("shown", "AUROC"), [(name, cell(metric)) for name, metric in found.masked.items()]
    )


def difference_table(differences: Mapping[str, Difference], first: str, second: str) -> str:
    """One row a figure: both sides, and the difference with its interval."""

    def side(value: float, spread: float | None) -> str:
        return f"{value:.3f}" + ("" if spread is None else f" ± {spread:.3f}")

    return table(
        ("figure", first, second, "difference"),
        [
            (
                words_of(name),
                side(found.first, found.spread_first),
                side(found.second, found.spread_second),
                f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
                if not math.isnan(found.low)
                else f"{found.value:+.3f}",
            )
            for name, found in differences.items()
        ],
    )


def words_of(name: str) -> str:
    """Return a figure's name as people read it."""
    if name.startswith(LESION_PREFIX):
        return f"{words_of(name.removeprefix(LESION_PREFIX))}, per lesion"
    if name in OVERALL:
        return OVERALL[name]
    figure, _, place = name.partition("_at_")
    return f"{DECISION[figure]} at {PLACES[place]}"
