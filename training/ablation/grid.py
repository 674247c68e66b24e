"""The grid: which trainings, in which folders, and which of them are finished."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.splits import VALIDATION
from training.errors import RunError
from training.runs import (
    CONFIG_NAME,
    METRICS_NAME,
    Config,
    DataConfig,
    RunConfig,
    load_config,
)

GRID_NAME = "grid.json"
BASELINE = "baseline"


class Cell(Config):
    """One training that differs from another in one thing."""

    name: str
    """Also of its folder."""
    change: str
    """What differs, in words."""
    config: RunConfig
    """Complete but for the seed, which each run of the cell sets."""
    against: str = BASELINE
    """The cell that it differs from."""
    stages: tuple[str, ...] = ()
    """Preprocessing stages that it switches on or off: their time is what it saves or costs."""

    def on(self, data: DataConfig) -> Cell:
        """Return the cell on these pictures."""
        return self.model_copy(update={"config": self.config.model_copy(update={"data": data})})


class Grid(Config):
    """All cells at one budget; the first one is the baseline."""

    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]

    @property
    def baseline(self) -> Cell:
        """The cell that the others are measured against."""
        return self.cells[0]

    def picked(self, names: Sequence[str]) -> tuple[Cell, ...]:
        """
        Return the cells of these names, in the order of the grid; all of them for none.

        Raises:
            RunError: There is no such cell.
        """
        known = [cell.name for cell in self.cells]
        if unknown := sorted(set(names) - set(known)):
            raise RunError(f"cell {', '.join(unknown)}: expected one of {', '.join(known)}")
        return tuple(cell for cell in self.cells if not names or cell.name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRun:
    """One cell with one seed."""

    cell: str
    config: RunConfig
    folder: Path

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.cell}, seed {self.config.seed}"


def runs_of(cells: Sequence[Cell], seeds: Sequence[int], out: Path) -> list[CellRun]:
    """Return all runs; every cell has its first seed before any has its second."""
    return [
        CellRun(
            cell=cell.name,
            config=cell.config.model_copy(update={"seed": seed}),
            folder=run_folder(out, cell.name, seed),
        )
        for seed in seeds
        for cell in cells
    ]


def run_folder(out: Path, cell: str, seed: int) -> Path:
    """Return where the run of a cell with a seed lies."""
    return out / cell / f"seed-{seed}"


def is_finished(run: CellRun) -> bool:
    """Tell whether *run* was trained to its end, as configured, and judged on validation."""
    if read_metrics(run.folder) is None or not (run.folder / CONFIG_NAME).is_file():
        return False
    return load_config(run.folder).is_as(run.config)


def read_metrics(folder: Path) -> dict[str, float] | None:
    """Return the validation figures of the run in *folder* by name; None if it has none yet."""
    try:
        document = json.loads((folder / METRICS_NAME).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        # A run that was stopped while it wrote them is judged again.
        return None
    if document["part"] != VALIDATION:
        raise RunError(
            f"{folder}: expected figures of the validation part, found {document['part']}"
        )
    return {name: metric["value"] for name, metric in document["metrics"].items()}


def claim_grid(out: Path, grid: Grid) -> None:
    """
    Write *grid* into the folder of the ablation, so that the table knows what is missing.

    Raises:
        RunError: *out* holds an ablation of another baseline, whose figures would mix with these.
    """
    if (out / GRID_NAME).is_file() and not load_grid(out).baseline.config.is_as(
        grid.baseline.config
    ):
        raise RunError(
            f"{out} holds an ablation of another baseline or budget; name another folder"
        )
    out.mkdir(parents=True, exist_ok=True)
    fresh = out / f".{GRID_NAME}.fresh"
    fresh.write_text(grid.model_dump_json(indent=2) + "\n")
    fresh.replace(out / GRID_NAME)


def load_grid(out: Path) -> Grid:
    """
    Read the grid of the ablation in *out*.

    Raises:
        RunError: There is none.
    """
    if not (out / GRID_NAME).is_file():
        raise RunError(f"{out}: expected an ablation, found no {GRID_NAME}; start one first")
    return Grid.model_validate_json((out / GRID_NAME).read_text())
