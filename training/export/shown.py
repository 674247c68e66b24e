"""What a report of the model file on the test part shows, for the card: read, never typed."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.core.manifest import Metric, ModelManifest
from training.data.splits import TEST
from training.evaluate.guarantee import lowest_of_lesions
from training.evaluate.report import PREDICTIONS_NAME
from training.export.errors import ExportError
from training.runs import METRICS_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Evidence that the contract does not hold."""

    missed: int
    """Malignant lesions of which a picture is called benign."""
    lesions: int
    """All malignant ones of the test part."""
    masked: Mapping[str, Metric]
    """AUROC by what was hidden; empty where the report has no probes."""
    called_benign: Mapping[tuple[str, int], Metric]
    """Share of the malignant pictures, by disturbance and level; empty as above."""


def read_shown(report: Path, manifest: ModelManifest) -> Shown:
    """
    Read the folder that ``evaluate --model FILE --part test --out`` wrote.

    Args:
        report: The folder.
        manifest: Contract of the file that was judged.

    Raises:
        ExportError: There is no report, or one of another file, part or split.
    """
    absent = [name for name in (METRICS_NAME, PREDICTIONS_NAME) if not (report / name).is_file()]
    if absent:
        raise ExportError(
            f"{report}: expected a report of the model file, found no {' and no '.join(absent)}; "
            "make it with `python -m training evaluate --model FILE --part test --probes --out`"
        )
    document = json.loads((report / METRICS_NAME).read_text())
    expected = {
        "model": f"{manifest.name} {manifest.version}",
        "part": TEST,
        "split_sha256": manifest.training.split_sha256,
        # Two files of one name and version seldom have both in common.
        "calibration": manifest.calibration.model_dump(),
        "operating_point": manifest.operating_point.model_dump(),
    }
    others = [
        f"{name}: expected {value}, found {document[name]}"
        for name, value in expected.items()
        if document[name] != value
    ]
    if others:
        raise ExportError(f"{report} is no report of this file; {'; '.join(others)}")
    lesions, missed = _missed(report, manifest)
    return Shown(
        missed=missed,
        lesions=lesions,
        masked=_metrics(document["masked"] or {}),
        called_benign={
            (row["disturbance"], row["level"]): Metric(**row["called_benign_share"])
            for row in document["robustness"] or ()
        },
    )


def _missed(report: Path, manifest: ModelManifest) -> tuple[int, int]:
    """Return how many malignant lesions there are, and how many are called benign."""
    with (report / PREDICTIONS_NAME).open(newline="") as file:
        rows = list(csv.DictReader(file))
    lowest_L = lowest_of_lesions(
        np.array([float(row["probability_malignant"]) for row in rows]),
        np.array([row["malignant"] == "1" for row in rows]),
        np.array([row["group"] for row in rows]),
    )
    return len(lowest_L), int((lowest_L < manifest.operating_point.benign_below).sum())


def _metrics(dumped: Mapping[str, Any]) -> dict[str, Metric]:
    return {name: Metric(**metric) for name, metric in dumped.items()}
