"""What is left of an evaluation in a folder: figures as JSON, pictures as PNG, a page of both."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from device.core.manifest import DIAGNOSES, Calibration, Guarantee, Metric, OperatingPoint
from training.data.case import UNKNOWN, Case
from training.data.protocols import WARNINGS
from training.data.splits import TEST
from training.evaluate.disturbances import DISTURBANCES, NEVER_TRAINED_ON
from training.evaluate.guarantee import held_against, lowest_of_lesions
from training.evaluate.metrics import LESION_PREFIX, Scored, by_lesion
from training.evaluate.plots import (
    confusion,
    plot_confusion,
    plot_curves,
    plot_reliability,
    plot_risk,
    plot_robustness,
    plot_roc,
    plot_subgroups,
    plot_worst,
)
from training.evaluate.robustness import Robustness
from training.evaluate.selective import SelectiveRisk
from training.evaluate.subgroups import (
    ENOUGH_LESIONS,
    FEWEST_LESIONS,
    LOWEST_AUROC,
    Subgroup,
    weak_subgroups,
)
from training.evaluate.tables import (
    cell,
    decision_table,
    masked_table,
    overall_table,
    prevalence_table,
    robustness_tables,
    selective_table,
    sharper_table,
    subgroup_table,
    words_of,
)
from training.runs import METRICS_NAME

REPORT_NAME = "report.md"
ERRORS_NAME = "errors.md"
PREDICTIONS_NAME = "predictions.csv"
CURVES_PLOT, ROC_PLOT, RELIABILITY_PLOT, CONFUSION_PLOT, WORST_PLOT = (
    "curves.png",
    "roc.png",
    "reliability.png",
    "confusion.png",
    "worst.png",
)
PREDICTION_COLUMNS = (
    "image_id",
    "group",
    "sibling_in_training",
    "malignant",
    "diagnosis",
    "malignancy_logit",
    "probability_malignant",
    *DIAGNOSES,
)
RISK_PLOT, SUBGROUPS_PLOT, ROBUSTNESS_PLOT = "risk.png", "subgroups.png", "robustness.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One model on one part.  Legend: ``N`` pictures, ``S`` side, ``C`` channel."""

    model: str
    """Name for people: recipe and seed, or name and version."""
    part: str
    """Of the split."""
    protocol: str
    split_sha256: str
    cases: Sequence[Case]
    groups: Sequence[str]
    """Of each case, from the split."""
    has_sibling_N: Sequence[bool]
    """Whether another picture of the same group was trained on: never, under our protocol."""
    malignancy_logit_N: NDArray[np.float64]
    scored: Scored
    pixels_NSSC: NDArray[np.uint8]
    calibration: Calibration
    operating_point: OperatingPoint
    metrics: Mapping[str, Metric]
    """All figures."""
    subgroups: Sequence[Subgroup]
    selective: SelectiveRisk
    promise: Guarantee | None = None
    """Of the model's file, on missed lesions."""
    robustness: Robustness | None = None
    """Where it was asked for."""
    command: str | None = None
    """That makes the same report again."""


def write_report(
    evaluation: Evaluation, folder: Path, *, curves: Sequence[Mapping[str, float]] = ()
) -> None:
    """
    Write metrics, predictions, plots and the page that shows them into *folder*.

    The page may be published; the sheet of the worst errors shows pictures of the data set and
    has a page of its own.

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
    if counts_KK.any():
        plot_confusion(counts_KK, folder / CONFUSION_PLOT)
    plot_risk(scored, evaluation.selective, folder / RISK_PLOT)
    if evaluation.subgroups:
        plot_subgroups(evaluation.subgroups, evaluation.metrics["auroc"], folder / SUBGROUPS_PLOT)
    if evaluation.robustness is not None:
        plot_robustness(evaluation.robustness, folder / ROBUSTNESS_PLOT)
    names = [case.image_id for case in evaluation.cases]
    plot_worst(scored, evaluation.pixels_NSSC, names, folder / WORST_PLOT)
    _write_predictions(evaluation, folder / PREDICTIONS_NAME)
    document = _document(evaluation) | {"confusion": counts_KK.tolist()}
    (folder / METRICS_NAME).write_text(json.dumps(document, indent=2) + "\n")
    (folder / REPORT_NAME).write_text(_page(evaluation, has_curves=bool(curves)))
    (folder / ERRORS_NAME).write_text(
        f"# Worst errors of {title(evaluation)}\n\n![The worst errors, as the network saw them]"
        f"({WORST_PLOT})\n\nThe sheet shows pictures of the data set; do not publish it.\n"
    )


def print_metrics(evaluation: Evaluation, console: Console) -> None:
    """Show the figures of record and what must be said with them."""
    table = Table(title=title(evaluation), caption=WARNINGS.get(evaluation.protocol))
    for heading in ("figure", "per picture", "per lesion"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for name in _PRINTED:
        if name in evaluation.metrics:
            of_lesions = evaluation.metrics.get(LESION_PREFIX + name)
            table.add_row(words_of(name), cell(evaluation.metrics[name]), cell(of_lesions))
    console.print(table)
    for weak in weak_subgroups(evaluation.subgroups):
        console.print(f"weak: {weak}", highlight=False)


_PRINTED = (
    "auroc",
    "average_precision",
    "specificity_at_90_sensitivity",
    "specificity_at_95_sensitivity",
    *(
        f"{name}_at_{place}"
        for place in ("benign_below", "malignant_from")
        for name in ("sensitivity", "specificity", "melanoma_sensitivity", "balanced_accuracy")
    ),
    "accuracy_at_half",
    "uncertain_share",
    "diagnosis_accuracy",
    "diagnosis_balanced_accuracy",
    "ece",
    "ece_uncalibrated",
    "brier",
    "brier_uncalibrated",
)


def title(evaluation: Evaluation) -> str:
    """Name model, part and, if it is not ours, the protocol with what is to be said of it."""
    text = f"{evaluation.model} on the {evaluation.part} part"
    if evaluation.protocol not in WARNINGS:
        return text
    return f"{text}, protocol {evaluation.protocol} ({WARNINGS[evaluation.protocol]})"


def _document(evaluation: Evaluation) -> dict[str, Any]:
    """Return everything but the confusion matrix for ``metrics.json``."""
    selective, found = evaluation.selective, evaluation.robustness
    return {
        "model": evaluation.model,
        "dataset": evaluation.cases[0].dataset,
        "part": evaluation.part,
        "protocol": evaluation.protocol,
        "warning": WARNINGS.get(evaluation.protocol),
        "command": evaluation.command,
        "split_sha256": evaluation.split_sha256,
        "pictures": len(evaluation.cases),
        "lesions": len(set(evaluation.groups)),
        "calibration": evaluation.calibration.model_dump(),
        "operating_point": evaluation.operating_point.model_dump(),
        "metrics": _dumped(evaluation.metrics),
        "weak_subgroups": weak_subgroups(evaluation.subgroups),
        "subgroups": [group.document() for group in evaluation.subgroups],
        "selective_risk": {
            "by_coverage": _dumped({f"{c:g}": m for c, m in selective.by_coverage.items()}),
            "shipped": {
                "coverage": selective.shipped_coverage,
                **_dumped(
                    {
                        name: metric
                        for name, metric in (
                            ("risk", selective.shipped_risk),
                            ("malignant_among_benign", selective.shipped_missed),
                        )
                        if metric is not None
                    }
                ),
            },
        },
        "robustness": None
        if found is None
        else [
            {"disturbance": name, "level": level, **_dumped(metrics)}
            for (name, level), metrics in found.disturbed.items()
        ],
        "sharper": None
        if found is None or found.sharper is None
        else {name: _dumped(metrics) for name, metrics in found.sharper.items()},
        "sharper_pictures": 0 if found is None else found.sharper_pictures,
        "masked": None if found is None else _dumped(found.masked),
        "diagnoses": list(DIAGNOSES),
    }


def _dumped(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    return {name: metric.model_dump() for name, metric in metrics.items()}


def _page(evaluation: Evaluation, *, has_curves: bool) -> str:
    """Put the sections one below the other."""
    found = evaluation.robustness
    sections = [
        _opening(evaluation),
        _decisions(evaluation),
        _subgroup_section(evaluation) if evaluation.subgroups else None,
        _risk_section(evaluation),
        _robustness_section(found) if found else None,
        _sharper_section(found) if found else None,
        _picture("Loss and validation AUROC by epoch", CURVES_PLOT) if has_curves else None,
        _picture("ROC with the 95 % sensitivity point and both thresholds", ROC_PLOT),
        _picture("Promised probability against the share that came true", RELIABILITY_PLOT),
        _picture("Confusion matrix of the seven diagnoses", CONFUSION_PLOT)
        if (evaluation.scored.diagnosis_N != UNKNOWN).any()
        else None,
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _opening(evaluation: Evaluation) -> str:
    calibration = evaluation.calibration
    malignant = int(evaluation.scored.malignant_N.sum())
    warning = WARNINGS.get(evaluation.protocol)
    said = f"**Protocol {evaluation.protocol}: {warning}.**\n\n" if warning else ""
    made = f"Made by\n\n```sh\n{evaluation.command}\n```\n\n" if evaluation.command else ""
    return f"""# {title(evaluation)}

{said}{made}{len(evaluation.cases):,} pictures of {len(set(evaluation.groups)):,} lesions, \
{malignant:,} of the pictures malignant (MEL, BCC, AKIEC; AKIEC is pre-malignant).  Split \
`{evaluation.split_sha256[:12]}`.  Values with 95 % intervals from 2,000 bootstrap draws of whole \
lesions; a lesion's probability is the mean over its pictures.

## Ranking and calibration

{overall_table(evaluation.metrics)}

A figure at 90 or 95 % sensitivity takes its threshold from the pictures of this part and \
describes the ranking.  Calibration, fitted on the calibration part: {calibration.method}, \
probability = sigmoid({calibration.scale:.4f} × logit {calibration.offset:+.4f})."""


def _decisions(evaluation: Evaluation) -> str:
    point = evaluation.operating_point
    return f"""## Decisions

The thresholds were chosen on the calibration part: benign below {point.benign_below:.4f} \
(`benign_below`), malignant from {point.malignant_from:.4f} (`malignant_from`), uncertain between \
them.  In each column everything from that threshold on counts as malignant.  PPV and NPV: at the \
share of malignant pictures in this part.  What a device would refuse (`retake`) counts here as \
the network answers it.

{_missed(evaluation)}

Per picture:

{decision_table(evaluation.metrics)}

Per lesion:

{decision_table(evaluation.metrics, prefix=LESION_PREFIX)}

Where malignant lesions are rarer than here, a positive answer is worth less and a negative one \
more.  Predictive values at stated shares of malignant lesions, from sensitivity and specificity \
per picture:

{prevalence_table(evaluation.metrics)}"""


def _missed(evaluation: Evaluation) -> str:
    """Say how many lesions are called benign, and hold that against the promise there may be."""
    scored, promise = evaluation.scored, evaluation.promise
    lowest_L = lowest_of_lesions(scored.probability_N, scored.malignant_N, scored.group_N)
    missed = int((lowest_L < evaluation.operating_point.benign_below).sum())
    said = f"Of {len(lowest_L):,} malignant lesions {missed:,} have a picture below `benign_below`."
    if promise is None:
        return said
    said += f"  The contract's promise: {promise.in_words}"
    if evaluation.part != TEST:  # The others had their share in the promise, or in the network.
        return said
    return f"{said}  {held_against(missed, len(lowest_L), promise)}"


def _subgroup_section(evaluation: Evaluation) -> str:
    weak = weak_subgroups(evaluation.subgroups)
    named = "\n".join(f"- {line}" for line in weak) if weak else "None."
    return f"""## Subgroups

Per picture.  † The group has one label only: its AUROC is taken against all pictures of the part \
that have the other label.  Age, sex, site and how the diagnosis was confirmed as the data set \
gives them: a diagnosis confirmed by follow-up or consensus is less sure than one by histology.  \
Skin tone: individual typology angle of the median colour around the lesion (very light above \
55°, light 41°, intermediate 28°, tan 10°, brown -30°); lamp, camera and the curators' colour \
corrections are in it, and under bluish light it is not defined.  Small groups can look good or \
bad by chance; the intervals say how much, and figures that rest on fewer than {FEWEST_LESIONS} \
malignant or benign lesions are left out.

{subgroup_table(evaluation.subgroups)}

![AUROC by subgroup, with 95 % intervals]({SUBGROUPS_PLOT})

Groups of more than {ENOUGH_LESIONS} lesions with an AUROC below {LOWEST_AUROC}:

{named}"""


def _risk_section(evaluation: Evaluation) -> str:
    selective = evaluation.selective
    given = (
        f"The two thresholds answer {100 * selective.shipped_coverage:.1f} % of the pictures "
        f"`benign` or `malignant`; of those answers {cell(selective.shipped_risk)} are wrong, and "
        f"of those that say `benign` {cell(selective.shipped_missed)} are of malignant lesions."
    )
    return f"""## Risk against coverage

How often an answer is wrong if only the surest pictures are answered.  The answer is malignant \
from a probability of one half, and the surer the further from it.

{selective_table(selective)}

{given}  They weigh a missed malignant lesion more than a false alarm, so their point may lie \
above the curve.

![Share of wrong answers against the share of pictures that are answered]({RISK_PLOT})"""


def _robustness_section(found: Robustness) -> str:
    trained_on = ", ".join(name for name in DISTURBANCES if name not in NEVER_TRAINED_ON)
    return f"""## Robustness

Drawn over the decoded picture, before the device's stages, then through quality gate, stages, \
network and thresholds as on the device.  In training our recipes show a network {trained_on} too, \
milder and by the same code, but neither {" nor ".join(NEVER_TRAINED_ON)}: only these two say what \
it makes of something new.  Level 1 is seldom noticed, 3 is plain, 5 is more than \
anybody would send.  The AUROC counts pictures that were refused (`retake`) too.

{robustness_tables(found)}

![AUROC and answers by disturbance and level]({ROBUSTNESS_PLOT})

### Is it the lesion that is looked at?

The lesion, found by Otsu's threshold and widened by its rim, is painted over in the colour of the \
surrounding skin; then the surroundings instead; then a disc in the middle of every picture.  What \
AUROC is left without the lesion comes from elsewhere: from the skin around it, from light and \
equipment, or from the outline of what was hidden.  The last row is what the size of that outline \
tells by itself.

{masked_table(found)}"""


def _sharper_section(found: Robustness) -> str | None:
    if found.sharper is None:
        return None
    return f"""### Is it sharpness that is looked at?

Of {found.sharper_pictures:,} pictures the data set has a sharper copy of the central square, of \
every melanoma and not of every other one.  No copy was trained on.  The device's answers to these \
pictures, and to the copies in their place:

{sharper_table(found.sharper)}"""


def _picture(text: str, name: str) -> str:
    return f"## {text}\n\n![{text}]({name})"


def _write_predictions(evaluation: Evaluation, path: Path) -> None:
    """One row a picture, enough to compare two models on the same draws later."""
    scored = evaluation.scored
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PREDICTION_COLUMNS)
        for index, (case, group, has_sibling) in enumerate(
            zip(evaluation.cases, evaluation.groups, evaluation.has_sibling_N, strict=True)
        ):
            writer.writerow(
                (
                    case.image_id,
                    group,
                    int(has_sibling),
                    int(case.malignant),
                    case.diagnosis or "",
                    f"{evaluation.malignancy_logit_N[index]:.9g}",
                    f"{scored.probability_N[index]:.9g}",
                    *(f"{value:.9g}" for value in scored.diagnosis_probability_NK[index]),
                )
            )
