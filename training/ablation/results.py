"""
What the runs of an ablation say, read from their folders alone.

Legend: ``N`` pictures of the validation part, ``W`` rows of weights.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.ablation.grid import Grid, is_finished, read_metrics, runs_of
from training.errors import RunError
from training.evaluate.bootstrap import Figures
from training.evaluate.compare import Difference, compare
from training.evaluate.metrics import Ranking
from training.evaluate.report import PREDICTIONS_NAME

FIGURES: Mapping[str, str] = {
    "auroc": "AUROC",
    "specificity_at_95_sensitivity": "specificity at 95 % sensitivity",
}
"""Those that the table shows, with their headings; none depends on a calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One finished run."""

    metrics: Mapping[str, float]
    """As the run's report has them."""
    folder: Path


def read_results(out: Path, grid: Grid) -> dict[str, dict[int, Result]]:
    """
    Return what is finished, by cell and seed; a cell without a finished run has none.

    A run counts where it was trained as its cell and its seed say, whatever its recipe is called:
    so may a training that was laid into the folder.
    """
    results: dict[str, dict[int, Result]] = {cell.name: {} for cell in grid.cells}
    for run in runs_of(grid.cells, grid.seeds, out):
        metrics = read_metrics(run.folder)
        if metrics is not None and is_finished(run):
            results[run.cell][run.config.seed] = Result(metrics=metrics, folder=run.folder)
    return results


def trained_otherwise(out: Path, grid: Grid) -> list[str]:
    """Return the names of runs that are judged, but were not trained as their cell says."""
    return [
        run.name
        for run in runs_of(grid.cells, grid.seeds, out)
        if read_metrics(run.folder) is not None and not is_finished(run)
    ]


def differences(
    own: Mapping[int, Result], other: Mapping[int, Result]
) -> Mapping[str, Difference] | None:
    """
    Return by how much *own* exceeds *other*, on the seeds that both have; None if there is none.

    Raises:
        RunError: They were not judged on the same pictures.
    """
    seeds = sorted(own.keys() & other.keys())
    if not seeds:
        return None
    ours, theirs = ([_read_answers(side[seed].folder) for seed in seeds] for side in (own, other))
    first = ours[0]
    for answers in [*ours, *theirs]:
        if answers.image_ids != first.image_ids:
            raise RunError(
                f"{answers.folder}: expected the pictures that {first.folder} was judged on, found "
                "others; remove the run and start it again"
            )
    return compare(
        [answers.figures() for answers in ours],
        [answers.figures() for answers in theirs],
        first.group_N,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """What one run said about the validation part."""

    folder: Path
    image_ids: list[str]
    group_N: NDArray[np.int64]
    malignant_N: NDArray[np.bool_]
    logit_N: NDArray[np.float64]

    def figures(self) -> Figures:
        """Return the figures of :data:`FIGURES` as functions of weights."""
        ranking = Ranking(self.logit_N, self.malignant_N)

        def work_out(weight_WN: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
            return {
                "auroc": ranking.auroc(weight_WN),
                "specificity_at_95_sensitivity": ranking.at_sensitivity(
                    weight_WN, ~self.malignant_N
                )[1],
            }

        return work_out


def _read_answers(folder: Path) -> _Answers:
    with (folder / PREDICTIONS_NAME).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return _Answers(
        folder=folder,
        image_ids=[row["image_id"] for row in rows],
        group_N=np.unique([row["group"] for row in rows], return_inverse=True)[1],
        malignant_N=np.array([row["malignant"] == "1" for row in rows]),
        logit_N=np.array([float(row["malignancy_logit"]) for row in rows]),
    )
