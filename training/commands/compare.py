"""Hold two evaluations, or several seeds of two trainings, against each other."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markdown import Markdown
from scipy.special import expit  # type: ignore[import-untyped] # scipy brings no types

from device.core.manifest import DIAGNOSES, OperatingPoint
from training.commands.evaluate import shown
from training.data.case import UNKNOWN
from training.data.protocols import WARNINGS
from training.errors import DataError, RunError
from training.evaluate.bootstrap import Figures
from training.evaluate.compare import Difference, compare
from training.evaluate.metrics import Scored, all_figures, by_lesion
from training.evaluate.report import PREDICTION_COLUMNS, PREDICTIONS_NAME, REPORT_NAME
from training.evaluate.tables import difference_table
from training.runs import METRICS_NAME

COMPARISON_NAME = "comparison.json"
FIGURES = (
    "auroc",
    "average_precision",
    "specificity_at_90_sensitivity",
    "specificity_at_95_sensitivity",
    "sensitivity_at_benign_below",
    "specificity_at_benign_below",
    "melanoma_sensitivity_at_benign_below",
    "balanced_accuracy_at_benign_below",
    "accuracy_at_half",
    "balanced_accuracy_at_half",
    "diagnosis_balanced_accuracy",
    "brier",
)
_PICTURES, _LESIONS = "all pictures", "all lesions"
_SIBLING, _NO_SIBLING = (
    "pictures with a sibling in training on one side only",
    "pictures without such a sibling",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a report's folder keeps of an evaluation."""

    folder: Path
    model: str
    part: str
    protocol: str
    command: str | None
    """That made it, from the training on; None in an older report."""
    image_ids: tuple[str, ...]
    groups: tuple[str, ...]
    has_sibling_N: NDArray[np.bool_]
    scored: Scored
    operating_point: OperatingPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Differences by the pictures that they are taken on."""

    title: str
    first: str
    second: str
    warnings: tuple[str, ...]
    command: str
    counts: dict[str, int]
    """Number of pictures (or lesions), under the same names."""
    differences: dict[str, dict[str, Difference]]


def compare_reports(
    first: Sequence[Path], second: Sequence[Path], *, out: Path | None = None
) -> Comparison:
    """
    Compare evaluations of the same pictures, in pairs of draws.

    Args:
        first: Folders of reports, one for each seed.
        second: Of the other side.
        out: Folder for the comparison; None writes none.

    Returns:
        Differences over all pictures and all lesions; and, where the sides differ in which
        pictures have a sibling in training, over those pictures and over all others.

    Raises:
        DataError: The reports are of different pictures.
        RunError: A folder holds no report.
    """
    sides = [[read_report(folder) for folder in side] for side in (first, second)]
    _require_same_pictures([judged for side in sides for judged in side])
    one, other = sides[0][0], sides[1][0]
    chosen = {_PICTURES: np.ones(len(one.image_ids), dtype=bool)}
    leaked_N = one.has_sibling_N != other.has_sibling_N
    if leaked_N.any():
        chosen |= {_SIBLING: leaked_N, _NO_SIBLING: ~leaked_N}
    rows = {
        name: [[(subset(each.scored, picture_N), each) for each in side] for side in sides]
        for name, picture_N in chosen.items()
    }
    rows[_LESIONS] = [[(by_lesion(each.scored), each) for each in side] for side in sides]
    names = [_side_name(side) for side in sides]
    comparison = Comparison(
        title=f"{names[0]} against {names[1]}, {one.part} part",
        first=names[0],
        second=names[1],
        warnings=tuple(
            f"{name}: {WARNINGS[name]}"
            for name in sorted({each.protocol for side in sides for each in side} & set(WARNINGS))
        ),
        command="\n".join(
            dict.fromkeys(
                line
                for made in (
                    *(each.command for side in sides for each in side),
                    _command(first, second, out),
                )
                for line in (made or "").splitlines()
            )
        ),
        counts={name: len(of_sides[0][0][0].group_N) for name, of_sides in rows.items()},
        differences={
            name: compare(
                [_figures(*pair) for pair in of_first],
                [_figures(*pair) for pair in of_second],
                of_first[0][0].group_N,
            )
            for name, (of_first, of_second) in rows.items()
        },
    )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / COMPARISON_NAME).write_text(json.dumps(asdict(comparison), indent=2) + "\n")
        (out / REPORT_NAME).write_text(page(comparison))
    return comparison


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Show the differences as tables."""
    console.print(Markdown(page(comparison)))


def page(comparison: Comparison) -> str:
    """Return the comparison as Markdown."""
    warned = "".join(f"**{text}.**\n\n" for text in comparison.warnings)
    sections = "\n\n".join(
        f"## {name[0].upper()}{name[1:]} ({comparison.counts[name]:,})\n\n"
        + difference_table(found, comparison.first, comparison.second)
        for name, found in comparison.differences.items()
    )
    return f"""# {comparison.title}

{warned}Made by

```sh
{comparison.command}
```

The difference is the first column minus the second, with its 95 % interval from 2,000 bootstrap \
draws of whole lesions, in which both sides meet the same draws.  Where a side has several seeds, \
their mean, and behind ± their standard deviation; the interval knows of the pictures' chance, not \
of the seeds' nor of that by which a threshold came out as it did.

{sections}
"""


def subset(scored: Scored, picture_N: NDArray[np.bool_]) -> Scored:
    """Return the marked pictures alone, their groups numbered anew."""
    return Scored(
        malignant_N=scored.malignant_N[picture_N],
        diagnosis_N=scored.diagnosis_N[picture_N],
        probability_N=scored.probability_N[picture_N],
        uncalibrated_N=scored.uncalibrated_N[picture_N],
        diagnosis_probability_NK=scored.diagnosis_probability_NK[picture_N],
        group_N=np.unique(scored.group_N[picture_N], return_inverse=True)[1],
    )


def read_report(folder: Path) -> Judged:
    """
    Read what an evaluation left in *folder*.

    Raises:
        RunError: It holds no report, or an older one.
    """
    absent = [name for name in (METRICS_NAME, PREDICTIONS_NAME) if not (folder / name).is_file()]
    if absent:
        raise RunError(
            f"{folder}: expected a report, found no {' and no '.join(absent)}; make it with "
            "`python -m training evaluate --out`"
        )
    document = json.loads((folder / METRICS_NAME).read_text())
    with (folder / PREDICTIONS_NAME).open(newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != PREDICTION_COLUMNS:
            raise RunError(
                f"{folder / PREDICTIONS_NAME}: expected the columns "
                f"{', '.join(PREDICTION_COLUMNS)}; evaluate again"
            )
        rows = list(reader)
    logit_N = np.array([float(row["malignancy_logit"]) for row in rows])
    return Judged(
        folder=folder,
        model=document["model"],
        part=document["part"],
        protocol=document["protocol"],
        command=document.get("command"),
        image_ids=tuple(row["image_id"] for row in rows),
        groups=tuple(row["group"] for row in rows),
        has_sibling_N=np.array([row["sibling_in_training"] == "1" for row in rows]),
        scored=Scored(
            malignant_N=np.array([row["malignant"] == "1" for row in rows]),
            diagnosis_N=np.array(
                [DIAGNOSES.index(row["diagnosis"]) if row["diagnosis"] else UNKNOWN for row in rows]
            ),
            probability_N=np.array([float(row["probability_malignant"]) for row in rows]),
            uncalibrated_N=expit(logit_N),
            diagnosis_probability_NK=np.array(
                [[float(row[code]) for code in DIAGNOSES] for row in rows]
            ),
            group_N=np.unique([row["group"] for row in rows], return_inverse=True)[1],
        ),
        operating_point=OperatingPoint(**document["operating_point"]),
    )


def _figures(scored: Scored, judged: Judged) -> Figures:
    """Return the figures that are compared."""
    everything = all_figures(scored, judged.operating_point)

    def of(weight_WN: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        found = everything(weight_WN)
        return {name: found[name] for name in FIGURES}

    return of


def _require_same_pictures(reports: Sequence[Judged]) -> None:
    first = reports[0]
    problems = [
        f"{each.folder}: {len(set(each.image_ids) ^ set(first.image_ids))} pictures are not in both"
        if set(each.image_ids) != set(first.image_ids)
        else f"{each.folder}: the same pictures in another order or with other truth"
        for each in reports
        if each.image_ids != first.image_ids
        or each.groups != first.groups
        or (each.scored.malignant_N != first.scored.malignant_N).any()
    ]
    if problems:
        raise DataError(
            f"comparison with {first.folder}",
            problems,
            "evaluate all sides on the same part of the same split",
        )


def _side_name(side: Sequence[Judged]) -> str:
    """Name the models of a side, without what differs between seeds if there are several."""
    protocols = sorted({each.protocol for each in side} & set(WARNINGS))
    name = side[0].model
    if len(side) > 1:
        name = f"{name.partition(', seed ')[0]} ({len(side)} seeds)"
    return " ".join([name.rstrip(" ,"), *(f"[{protocol}]" for protocol in protocols)])


def _command(first: Sequence[Path], second: Sequence[Path], out: Path | None) -> str:
    words = ["python -m training compare", *(shown(folder, "RUNS") for folder in first)]
    words += (f"--against {shown(folder, 'RUNS')}" for folder in second)
    return " ".join([*words, *([] if out is None else [f"--out {shown(out, 'RUNS')}"])])
