"""
The table of an ablation, made from what lies in its folder alone.

So it can be written again at any time, while runs go on as well, and says which are missing.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from training.ablation.grid import BASELINE, Cell, Grid, load_grid
from training.ablation.quantization import StoredForm
from training.ablation.results import (
    FIGURES,
    Result,
    differences,
    read_results,
    trained_otherwise,
)
from training.ablation.stage_cost import StageCost
from training.evaluate.compare import Difference
from training.runs import COMMIT_NAME, RunConfig

TABLE_NAME = "table.md"
STAGES_NAME = "stages.json"
FORMS_NAME = "forms.json"
STAGE_COSTS = TypeAdapter(list[StageCost])
STORED_FORMS = TypeAdapter(list[StoredForm])
_NOTHING = "–"

Results = Mapping[str, Mapping[int, Result]]
"""Finished runs by cell and seed."""


def write_table(out: Path, copy: Path | None = None) -> Path:
    """
    Write the table of the ablation in *out* into its folder, and into *copy* too.

    Raises:
        RunError: *out* is no ablation.
    """
    path, text = out / TABLE_NAME, table(out)
    for target in (path, copy):
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    return path


def table(out: Path) -> str:
    """Return the table as a page of Markdown."""
    grid = load_grid(out)
    results, costs = read_results(out, grid), _costs(out)
    sections = [
        "# What each part is worth",
        _heading(grid, results),
        _rows(
            ["cell", "what differs", "runs", *_figure_headings(), *_cost_headings(costs)],
            [_row(cell, grid, results, costs) for cell in grid.cells],
        ),
        _left_out(trained_otherwise(out, grid)),
        _explanation(grid, costs),
        _forms(grid, results),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _heading(grid: Grid, results: Results) -> str:
    config, seeds = grid.baseline.config, ", ".join(map(str, grid.seeds))
    several = "s" if len(grid.seeds) > 1 else ""
    baseline = (
        f"Baseline: recipe `{config.recipe}`{_taught(config)}, {config.epochs} epochs, "
        f"seed{several} {seeds}."
    )
    sentences = ["Written by `python -m training ablate`; not to be edited.", baseline]
    if (data := config.data) is not None:
        sentences.append(f"Judged on the validation part of split `{data.split_sha256[:12]}`.")
    if commits := _commits(results):
        sentences.append(f"Source: {', '.join(f'`{commit}`' for commit in commits)}.")
    return " ".join(sentences)


def _taught(config: RunConfig) -> str:
    distillation = config.distillation
    if distillation is None:
        return ", without a teacher"
    seen = "looking on live" if distillation.views is None else f"{distillation.views} views"
    return f", taught ({seen})"


def _commits(results: Results) -> list[str]:
    paths = [result.folder / COMMIT_NAME for cell in results.values() for result in cell.values()]
    # The mark of a dirty tree stays, the commit is shortened.
    commits = [path.read_text().strip().partition("-") for path in paths if path.is_file()]
    return sorted({commit[:12] + dash + mark for commit, dash, mark in commits})


def _figure_headings() -> list[str]:
    return [heading for name in FIGURES.values() for heading in (name, "difference")]


def _cost_headings(costs: Sequence[StageCost]) -> list[str]:
    return [f"ms at {cost.width_px}×{cost.height_px}" for cost in costs]


def _row(cell: Cell, grid: Grid, results: Results, costs: Sequence[StageCost]) -> list[str]:
    own = results[cell.name]
    is_baseline = cell.name == grid.baseline.name
    found = None if is_baseline else differences(own, results.get(cell.against, {}))
    figures = []
    for name in FIGURES:
        figures.append(_mean([result.metrics[name] for result in own.values()]))
        figures.append(_NOTHING if found is None or name not in found else _difference(found[name]))
    spent = [
        f"{sum(cost.ms[stage] for stage in cell.stages):.2f}" if cell.stages else _NOTHING
        for cost in costs
    ]
    against = "" if cell.against == BASELINE else f" (against `{cell.against}`)"
    runs = f"{len(own)} of {len(grid.seeds)}" if own else "missing"
    return [f"`{cell.name}`", cell.change + against, runs, *figures, *spent]


def _mean(values: Sequence[float]) -> str:
    """Write the mean and, of several, the standard deviation over the seeds."""
    if not values:
        return _NOTHING
    mean = f"{statistics.fmean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.4f}"


def _difference(found: Difference) -> str:
    return f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def _explanation(grid: Grid, costs: Sequence[StageCost]) -> str:
    figures = (
        "A figure is the mean over the seeds, with their standard deviation. A difference is that "
        f"of the means over the seeds that both cells have, to `{grid.baseline.name}` where "
        "nothing else is named, positive where the cell does better; its 95 % interval comes from "
        "paired draws of whole lesions and knows nothing of seeds that were not tried."
    )
    sentences = [figures]
    if costs:
        always = " and ".join(f"{cost.ms['resize']:.2f} ms" for cost in costs)
        sentences.append(
            "Milliseconds are those of the stages that a cell switches, the median over drawn "
            "pictures under hair, on one core of the machine that started the ablation; the "
            f"resize, which is never off, takes {always}."
        )
    return " ".join(sentences)


def _left_out(names: Sequence[str]) -> str:
    """Name the runs that do not count; who laid them there shall not wonder."""
    if not names:
        return ""
    return (
        "Not counted, because they were not trained as their cell and seed say: "
        f"{'; '.join(names)}."
    )


def _forms(grid: Grid, results: Results) -> str:
    """Return the second table: how the finished baseline can be stored."""
    found: dict[str, dict[int, StoredForm]] = {}
    for seed, result in results[BASELINE].items():
        path = result.folder / FORMS_NAME
        if path.is_file():
            for form in STORED_FORMS.validate_json(path.read_bytes()):
                found.setdefault(form.form, {})[seed] = form
    if not found:
        return ""
    reference = found["fp32"]
    rows = []
    for name, by_seed in found.items():
        changes = [form.auroc - reference[seed].auroc for seed, form in by_seed.items()]
        rows.append(
            [
                name,
                f"{len(by_seed)} of {len(grid.seeds)}",
                _mean([form.auroc for form in by_seed.values()]),
                _NOTHING if name == "fp32" else f"{statistics.fmean(changes):+.4f}",
                f"{max(form.largest_change for form in by_seed.values()):.4f}",
                f"{max(form.size_bytes for form in by_seed.values()):,}",
                f"{statistics.fmean(form.ms for form in by_seed.values()):.2f}",
            ]
        )
    headings = ["stored as", "runs", "AUROC", "difference", "largest change", "bytes", "ms"]
    explanation = (
        "The same trained weights in three forms of one graph, in ONNX Runtime with one thread, "
        "without the contract. The largest change is that of a probability of malignancy before "
        "calibration, from fp32's, over all pictures of the validation part. `fp16` is stored so "
        "and computed in fp32, as it ships; `int8` is static, with scales from training pictures, "
        "and keeps its heads in fp32."
    )
    return "\n\n".join(["## How the baseline is stored", _rows(headings, rows), explanation])


def _costs(out: Path) -> list[StageCost]:
    path = out / STAGES_NAME
    return STAGE_COSTS.validate_json(path.read_bytes()) if path.is_file() else []


def _rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
