"""What is left of an evaluation in a folder: figures as JSON, pictures as PNG, a page of both."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from device.core.manifest import DIAGNOSES, Calibration, Metric, OperatingPoint
from training.data.case import Case
from training.evaluate.metrics import LESION_PREFIX, Scored, by_lesion
from training.evaluate.plots import (
    confusion,
    plot_confusion,
    plot_curves,
    plot_reliability,
    plot_roc,
    plot_worst,
)
from training.runs import METRICS_NAME

REPORT_NAME = "report.md"
PREDICTIONS_NAME = "predictions.csv"
CURVES_PLOT, ROC_PLOT, RELIABILITY_PLOT, CONFUSION_PLOT, WORST_PLOT = (
    "curves.png",
    "roc.png",
    "reliability.png",
    "confusion.png",
    "worst.png",
)
_WORDING = (
    ("auroc", "AUROC"),
    ("ece", "ECE"),
    ("brier", "Brier score"),
    ("uncalibrated", "before calibration"),
    ("at_95_sensitivity", "at 95 % sensitivity"),
    ("at_benign_below", "at `benign_below`"),
    ("at_malignant_from", "at `malignant_from`"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One model on one part.  Legend: ``N`` pictures, ``S`` side, ``C`` channel."""

    model: str
    """Name for people: recipe and seed, or name and version."""
    part: str
    """Of the split."""
    split_sha256: str
    cases: Sequence[Case]
    groups: Sequence[str]
    """Of each case, from the split."""
    malignancy_logit_N: NDArray[np.float64]
    scored: Scored
    pixels_NSSC: NDArray[np.uint8]
    calibration: Calibration
    operating_point: OperatingPoint
    metrics: Mapping[str, Metric]


def write_report(
    evaluation: Evaluation, folder: Path, *, curves: Sequence[Mapping[str, float]] = ()
) -> None:
    """
    Write metrics, predictions, plots and the page that shows them into *folder*.

    Args:
        evaluation: What to write.
        folder: Made if it is not there; files of an older report are replaced.
        curves: Lines of a run's epochs, if the model comes from a run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scored = evaluation.scored
    counts_KK = confusion(scored)
    if curves:
        plot_curves(curves, folder / CURVES_PLOT)
    plot_roc(scored, by_lesion(scored), evaluation.operating_point, folder / ROC_PLOT)
    plot_reliability(scored, folder / RELIABILITY_PLOT)
    plot_confusion(counts_KK, folder / CONFUSION_PLOT)
    names = [case.image_id for case in evaluation.cases]
    plot_worst(scored, evaluation.pixels_NSSC, names, folder / WORST_PLOT)
    _write_predictions(evaluation, folder / PREDICTIONS_NAME)
    document = {
        "model": evaluation.model,
        "part": evaluation.part,
        "split_sha256": evaluation.split_sha256,
        "pictures": len(evaluation.cases),
        "lesions": len(set(evaluation.groups)),
        "calibration": evaluation.calibration.model_dump(),
        "operating_point": evaluation.operating_point.model_dump(),
        "metrics": {name: metric.model_dump() for name, metric in evaluation.metrics.items()},
        "diagnoses": list(DIAGNOSES),
        "confusion": counts_KK.tolist(),
    }
    (folder / METRICS_NAME).write_text(json.dumps(document, indent=2) + "\n")
    (folder / REPORT_NAME).write_text(_page(evaluation, has_curves=bool(curves)))


def print_metrics(evaluation: Evaluation, console: Console) -> None:
    """Show the figures as a table."""
    table = Table(title=_title(evaluation))
    for heading in ("figure", "per picture", "per lesion"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for row in _rows(evaluation.metrics):
        table.add_row(*row)
    console.print(table)


def _page(evaluation: Evaluation, *, has_curves: bool) -> str:
    calibration, point = evaluation.calibration, evaluation.operating_point
    rows = "\n".join(f"| {' | '.join(row)} |" for row in _rows(evaluation.metrics))
    malignant = int(evaluation.scored.malignant_N.sum())
    plots = [
        (CURVES_PLOT, "Loss and validation AUROC by epoch") if has_curves else None,
        (ROC_PLOT, "ROC with the 95 % sensitivity point and both thresholds"),
        (RELIABILITY_PLOT, "Promised probability against the share that came true"),
        (CONFUSION_PLOT, "Confusion matrix of the seven diagnoses"),
        (WORST_PLOT, "The worst errors, as the network saw them"),
    ]
    shown = "\n\n".join(f"## {text}\n\n![{text}]({name})" for name, text in filter(None, plots))
    return f"""# {_title(evaluation)}

{len(evaluation.cases):,} pictures of {len(set(evaluation.groups)):,} lesions, {malignant:,} of \
the pictures malignant (MEL, BCC, AKIEC; AKIEC is pre-malignant).  Split \
`{evaluation.split_sha256[:12]}`.  Values with 95 % intervals from bootstrap draws of whole \
lesions; a lesion's probability is the mean over its pictures.

| figure | per picture | per lesion |
| --- | --- | --- |
{rows}

A figure at 95 % sensitivity takes its threshold from the pictures of this part and describes \
the ranking.  The others use the thresholds that were chosen on the calibration part: benign below \
{point.benign_below:.4f}, malignant from {point.malignant_from:.4f}, uncertain between them.  \
Calibration: {calibration.method}, probability = sigmoid({calibration.scale:.4f} × logit \
{calibration.offset:+.4f}).

{shown}

The last sheet shows pictures of the data set; do not publish it.
"""


def _title(evaluation: Evaluation) -> str:
    return f"{evaluation.model} on the {evaluation.part} part"


def _rows(metrics: Mapping[str, Metric]) -> list[tuple[str, str, str]]:
    """Name, value per picture, value per lesion."""
    return [
        (
            _words(name),
            _cell(metric),
            _cell(metrics.get(LESION_PREFIX + name)),
        )
        for name, metric in metrics.items()
        if not name.startswith(LESION_PREFIX)
    ]


def _words(name: str) -> str:
    """The figure's name as people read it."""
    words, _, code = name.partition("_at_")
    words = words.replace("_", " ") + (f" at_{code}" if code else "")
    for short, long in _WORDING:
        words = words.replace(short, long)
    return words


def _cell(metric: Metric | None) -> str:
    if metric is None:
        return "-"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def _write_predictions(evaluation: Evaluation, path: Path) -> None:
    """One row a picture, enough to compare two models on the same draws later."""
    scored = evaluation.scored
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            (
                "image_id",
                "group",
                "malignant",
                "diagnosis",
                "malignancy_logit",
                "probability_malignant",
                *DIAGNOSES,
            )
        )
        for index, (case, group) in enumerate(
            zip(evaluation.cases, evaluation.groups, strict=True)
        ):
            writer.writerow(
                (
                    case.image_id,
                    group,
                    int(case.malignant),
                    case.diagnosis or "",
                    f"{evaluation.malignancy_logit_N[index]:.6f}",
                    f"{scored.probability_N[index]:.6f}",
                    *(f"{value:.6f}" for value in scored.diagnosis_probability_NK[index]),
                )
            )
