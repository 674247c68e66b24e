"""Grids, finished runs and a teacher that are written by hand, without a training."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from tests.training.small import a_run_config, a_teacher_run_config
from training.ablation.grid import Cell, Grid, run_folder
from training.evaluate.report import PREDICTIONS_NAME
from training.models import build_model
from training.runs import (
    BEST_NAME,
    CURVES_NAME,
    MEMBERS_NAME,
    METRICS_NAME,
    DataConfig,
    save_config,
)
from training.teacher_stages import member_config

MALIGNANT = (0, 0, 0, 1, 1)


def a_grid(*names: str, seeds: tuple[int, ...] = (1, 2)) -> Grid:
    """The baseline and cells of these names, all alike but for their recipe."""
    return Grid(
        seeds=seeds,
        cells=tuple(
            Cell(
                name=name,
                change=f"change of {name}",
                config=a_run_config(seed=0).model_copy(update={"recipe": name}),
            )
            for name in ("baseline", *names)
        ),
    )


def write_result(
    out: Path,
    cell: str,
    seed: int,
    *,
    logits: Sequence[float],
    auroc: float,
    part: str = "validation",
) -> Path:
    """Leave in a run's folder what the table reads; pictures 0 and 1 are of one lesion."""
    folder = run_folder(out, cell, seed)
    save_config(folder, a_run_config(seed=seed).model_copy(update={"recipe": cell}))
    figures = {"auroc": auroc, "specificity_at_95_sensitivity": auroc / 2}
    metrics = {name: {"value": value, "low": 0.0, "high": 1.0} for name, value in figures.items()}
    (folder / METRICS_NAME).write_text(json.dumps({"part": part, "metrics": metrics}))
    with (folder / PREDICTIONS_NAME).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image_id", "group", "malignant", "malignancy_logit"))
        for index, (malignant, logit) in enumerate(zip(MALIGNANT, logits, strict=True)):
            writer.writerow((f"set/{index}", f"lesion-{max(1, index)}", malignant, logit))
    return folder


def a_fused_teacher(folder: Path, data: DataConfig | None = None) -> Path:
    """Leave a teacher of two members with random weights, and its members' runs, in *folder*."""
    torch.manual_seed(0)
    config = a_teacher_run_config().model_copy(update={"data": data})
    members = []
    for backbone in config.model.backbones:
        alone, member = member_config(config, backbone), folder / MEMBERS_NAME / backbone.name
        members.append(build_model(alone.model))
        save_config(member, alone)
        torch.save(members[-1].state_dict(), member / BEST_NAME)
    whole = build_model(config.model)
    whole.begin_as_mean_of(members)
    save_config(folder, config)
    for run in (folder, *(folder / MEMBERS_NAME / each.name for each in config.model.backbones)):
        (run / CURVES_NAME).write_text("{}\n" * config.heads.epochs)
    torch.save(whole.state_dict(), folder / BEST_NAME)
    return folder
