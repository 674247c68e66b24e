"""Which runs there are, where they lie, and which of them are finished."""

import pytest

from tests.training.ablation.runs import a_grid, write_result
from training.ablation.grid import claim_grid, is_finished, load_grid, read_metrics, runs_of
from training.errors import RunError
from training.runs import METRICS_NAME, load_config, save_config

LOGITS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def test_every_cell_has_its_first_seed_before_any_has_its_second(tmp_path):
    grid = a_grid("other")
    found = [(run.name, run.folder) for run in runs_of(grid.cells, grid.seeds, tmp_path)]
    assert found == [
        ("baseline, seed 1", tmp_path / "baseline" / "seed-1"),
        ("other, seed 1", tmp_path / "other" / "seed-1"),
        ("baseline, seed 2", tmp_path / "baseline" / "seed-2"),
        ("other, seed 2", tmp_path / "other" / "seed-2"),
    ]


def test_a_run_has_its_own_seed(tmp_path):
    grid = a_grid("other")
    assert [run.config.seed for run in runs_of(grid.cells, grid.seeds, tmp_path)] == [1, 1, 2, 2]


def test_a_run_is_finished_when_it_was_judged_as_configured(tmp_path):
    (run,) = runs_of(a_grid().cells, (1,), tmp_path)
    assert not is_finished(run)
    write_result(tmp_path, "baseline", 1, logits=LOGITS, auroc=0.9)
    assert is_finished(run)
    save_config(run.folder, load_config(run.folder).model_copy(update={"epochs": 99}))
    assert not is_finished(run)


def test_figures_that_were_cut_off_are_none(tmp_path):
    """The run is judged again; training is not repeated, its checkpoint is there."""
    folder = write_result(tmp_path, "baseline", 1, logits=LOGITS, auroc=0.9)
    assert read_metrics(folder) == {"auroc": 0.9, "specificity_at_95_sensitivity": 0.45}
    path = folder / METRICS_NAME
    path.write_text(path.read_text()[:40])
    assert read_metrics(folder) is None


def test_figures_of_the_test_part_are_refused(tmp_path):
    """An ablation chooses, and nothing may be chosen on the test part."""
    folder = write_result(tmp_path, "baseline", 1, logits=LOGITS, auroc=0.9, part="test")
    with pytest.raises(RunError, match="expected figures of the validation part, found test"):
        read_metrics(folder)


def test_a_grid_comes_back_and_may_grow(tmp_path):
    claim_grid(tmp_path, a_grid())
    grown = a_grid("other", seeds=(1, 2, 3))
    claim_grid(tmp_path, grown)
    assert load_grid(tmp_path) == grown


def test_another_budget_does_not_mix_in(tmp_path):
    grid = a_grid()
    claim_grid(tmp_path, grid)
    longer = grid.baseline.config.model_copy(update={"epochs": 99})
    cells = (grid.baseline.model_copy(update={"config": longer}),)
    with pytest.raises(RunError, match="another baseline or budget; name another folder"):
        claim_grid(tmp_path, grid.model_copy(update={"cells": cells}))
    assert load_grid(tmp_path) == grid


def test_a_folder_without_a_grid_has_no_table(tmp_path):
    with pytest.raises(RunError, match=r"expected an ablation, found no grid\.json"):
        load_grid(tmp_path)


def test_cells_are_picked_by_name_in_the_grids_order():
    grid = a_grid("first", "second")
    assert [cell.name for cell in grid.picked(["second", "baseline"])] == ["baseline", "second"]
    assert grid.picked([]) == grid.cells
    with pytest.raises(RunError, match="cell third: expected one of baseline, first, second"):
        grid.picked(["third"])
