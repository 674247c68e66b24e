"""Run an ablation: grid, engine, stored forms and table composed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console

from training.ablation.engines import Engine, OnRay
from training.ablation.grid import CellRun, Grid, claim_grid, is_finished, runs_of
from training.ablation.members import inherit_views, member_runs
from training.ablation.quantization import CALIBRATION_PICTURES, compare_forms
from training.ablation.stage_cost import measure_stages
from training.ablation.table import (
    FORMS_NAME,
    STAGE_COSTS,
    STAGES_NAME,
    STORED_FORMS,
    write_table,
)
from training.commands.train import prepare_lesson, train_run
from training.data.provenance import describe_data
from training.data.splits import CALIBRATION, TRAIN, VALIDATION
from training.errors import RunError
from training.models import Student, load_best
from training.recipes.ablations import Baseline, whole_grid
from training.runs import RunConfig
from training.source import Pictures, Source


def ablate(
    config: RunConfig,
    source: Source,
    out: Path,
    *,
    seeds: Sequence[int],
    engine: Engine,
    cells: Sequence[str] = (),
    copy: Path | None = None,
) -> Grid:
    """
    Train what the grid of *config* lacks, and write its table after every run.

    What is finished in *out* stays, what was stopped goes on.  Only the validation part is judged
    on, and thresholds come from the calibration part; the test part is not looked at.

    Args:
        config: The baseline, a student's, at the budget of all cells.
        source: Pictures and split.
        out: Folder of the ablation; with several machines, one that all of them see.
        seeds: Each cell is trained with each.
        engine: Runs them.
        cells: Names of those to run now; none for all.
        copy: A second place for the table.

    Returns:
        The grid.

    Raises:
        DataError: Data set and split do not fit.
        RunError: Runs have failed, each named with its reason, after all others were run; or
            *out* holds another ablation.
    """
    out = out.resolve()
    if isinstance(engine, OnRay):
        source = everywhere(source)
    pictures = source.read()
    grid = make_grid(config, pictures, seeds)
    # What is wrong with the names is said before anything is written.
    picked = grid.picked(cells)
    claim_grid(out, grid)
    _measure_stages(grid, out)
    write_table(out, copy)
    runs = [run for run in runs_of(picked, seeds, out) if not is_finished(run)]
    failed: dict[str, str] = {}
    for run, problem in engine.run(
        runs, provide=partial(provide_cell, source=source), train=partial(train_cell, source=source)
    ):
        if problem is not None:
            failed[run.name] = problem
        write_table(out, copy)
    for run in runs_of(grid.cells[:1], seeds, out):
        if is_finished(run):
            _store_forms(run, pictures)
    path = write_table(out, copy)
    Console(stderr=True).print(f"table: {path}", soft_wrap=True, highlight=False)
    if failed:
        named = "".join(f"\n  {name}: {problem}" for name, problem in failed.items())
        raise RunError(
            f"{len(failed)} of {len(runs)} runs failed, the table lacks them; repair what they "
            f"say and start again, the others are kept{named}"
        )
    return grid


def make_grid(config: RunConfig, pictures: Pictures, seeds: Sequence[int]) -> Grid:
    """Return the grid whose baseline is *config* on *pictures*."""
    teachers = () if config.distillation is None else config.distillation.teacher_runs
    baseline = Baseline(
        # The seed is each run's own; a fixed one here keeps grids comparable.
        config=config.model_copy(update={"seed": 0}),
        members=member_runs(teachers),
        record_pictures=len(pictures.chosen(TRAIN)),
        extra_pictures=len(pictures.chosen_extra(TRAIN)),
    )
    grid = whole_grid(baseline, seeds)
    data = {
        share > 0: describe_data(pictures.record, pictures.split, pictures.taken(share).extra)
        for share in {cell.config.extra_share for cell in grid.cells}
    }
    return grid.model_copy(
        update={"cells": tuple(cell.on(data[cell.config.extra_share > 0]) for cell in grid.cells)}
    )


def everywhere(source: Source) -> Source:
    """Return *source* with paths that other machines understand too."""
    return replace(
        source,
        data=source.data.resolve(),
        also=tuple(root.resolve() for root in source.also),
        split=source.split.resolve(),
        cache=source.cache.resolve(),
    )


def train_cell(run: CellRun, threads: int | None, *, source: Source) -> None:
    """
    Train and judge one run.

    Args:
        run: Of a cell.
        threads: Of torch, and processes that prepare pictures; None leaves both as they are.
        source: Pictures and split.
    """
    source = _limit(source, threads)
    _inherit(run.config)
    train_run(run.config, source, run.folder)


def provide_cell(run: CellRun, threads: int | None, *, source: Source) -> None:
    """
    Prepare what the runs of a cell share: pictures, and what the teacher sees.

    Args:
        run: Any of the cell.
        threads: As in :func:`train_cell`.
        source: Pictures and split.
    """
    source = _limit(source, threads)
    config = run.config
    pictures = source.read().taken(config.extra_share)
    training = pictures.chosen(TRAIN) + pictures.chosen_extra(TRAIN)
    pictures.prepared(training, config.preprocess, variants=config.variants)
    for part in (VALIDATION, CALIBRATION):
        pictures.prepared(pictures.chosen(part), config.preprocess)
    _inherit(config)
    if config.distillation is not None and config.distillation.teacher_runs:
        prepare_lesson(config, pictures, Accelerator())


def _inherit(config: RunConfig) -> None:
    if config.distillation is not None:
        for teacher in config.distillation.teacher_runs:
            inherit_views(teacher)


def _limit(source: Source, threads: int | None) -> Source:
    if threads is None:
        return source
    torch.set_num_threads(threads)
    return replace(source, workers=threads)


def _measure_stages(grid: Grid, out: Path) -> None:
    """Measure once; again if the stages are others."""
    path, spec = out / STAGES_NAME, grid.baseline.config.preprocess
    if path.is_file():
        kept = STAGE_COSTS.validate_json(path.read_bytes())
        if all(cost.preprocess == spec.with_every_stage() for cost in kept):
            return
    path.write_bytes(STAGE_COSTS.dump_json(measure_stages(spec), indent=2) + b"\n")


def _store_forms(run: CellRun, pictures: Pictures) -> None:
    """Compare the stored forms of a finished run, once."""
    path = run.folder / FORMS_NAME
    student = load_best(run.folder)
    if path.is_file() or not isinstance(student, Student):
        return
    spec = run.config.preprocess
    cases = pictures.chosen(TRAIN)
    places = np.linspace(0, len(cases) - 1, min(CALIBRATION_PICTURES, len(cases))).round()
    scaled = pictures.prepared([cases[int(place)] for place in places], spec)
    judged = pictures.prepared(pictures.chosen(VALIDATION), spec)
    forms = compare_forms(
        student,
        side_px=spec.side_px,
        calibration_NHWC=np.asarray(scaled.pixels_VNSSC[0]),
        judged_NHWC=judged.pixels_VNSSC[0],
        malignant_N=judged.malignant_N,
    )
    path.write_bytes(STORED_FORMS.dump_json(forms, indent=2) + b"\n")
