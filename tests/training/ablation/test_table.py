"""The table says what was found, what is missing, and what a stage costs."""

import pytest

from tests.training.ablation.runs import a_grid, write_result
from training.ablation.grid import claim_grid, run_folder
from training.ablation.quantization import StoredForm
from training.ablation.stage_cost import StageCost
from training.ablation.table import (
    FORMS_NAME,
    STAGE_COSTS,
    STAGES_NAME,
    STORED_FORMS,
    table,
    write_table,
)
from training.errors import RunError
from training.evaluate.report import PREDICTIONS_NAME
from training.recipes.preprocessing import six_stages
from training.runs import CONFIG_NAME, load_config, save_config

RIGHT = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Ranks all five pictures right: AUROC 1."""
SWAPPED = (-2.0, -1.0, 1.5, 1.0, 2.0)
"""One malignant below one benign, of six pairs: AUROC 5/6."""
MISSING = "–"


def row(page: str, first: str) -> list[str]:
    """The cells of the line that begins with *first*."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def out(tmp_path):
    claim_grid(tmp_path, a_grid("other"))
    return tmp_path


def test_a_row_has_mean_spread_and_difference(out):
    """Means 0.9 and 0.7; the difference is worked out from the answers themselves."""
    for seed, (ours, theirs) in enumerate([(0.8, 0.6), (1.0, 0.8)], start=1):
        write_result(out, "baseline", seed, logits=RIGHT, auroc=ours)
        write_result(out, "other", seed, logits=SWAPPED, auroc=theirs)
    page = table(out)
    assert row(page, "`baseline`")[1:5] == [
        "change of baseline",
        "2 of 2",
        "0.9000 ± 0.1414",
        MISSING,
    ]
    found = row(page, "`other`")
    assert found[2:4] == ["2 of 2", "0.7000 ± 0.1414"]
    # Five sixths minus one; no draw ranks better than right, and none loses more than all.
    assert found[4].startswith("-0.1667 (-")
    assert found[4].endswith("to +0.0000)")


def test_a_difference_takes_the_seeds_that_both_have(out):
    """A second seed of one side alone changes the mean, not the difference."""
    write_result(out, "baseline", 1, logits=RIGHT, auroc=1.0)
    write_result(out, "baseline", 2, logits=SWAPPED, auroc=0.8)
    write_result(out, "other", 1, logits=RIGHT, auroc=1.0)
    found = row(table(out), "`other`")
    assert found[2:5] == ["1 of 2", "1.0000", "+0.0000 (+0.0000 to +0.0000)"]


def test_what_is_missing_is_said(out):
    write_result(out, "baseline", 1, logits=RIGHT, auroc=1.0)
    found = row(table(out), "`other`")
    assert found[2:] == ["missing", MISSING, MISSING, MISSING, MISSING]


@pytest.mark.parametrize("change", [{"epochs": 99}, {"seed": 2}, None])
def test_a_run_that_was_trained_otherwise_does_not_count(out, change):
    """Other epochs, another seed, or nobody knows; nor do its stored forms."""
    write_result(out, "baseline", 2, logits=RIGHT, auroc=0.9)
    folder = write_result(out, "baseline", 1, logits=RIGHT, auroc=1.0)
    form = StoredForm(form="fp32", size_bytes=9, ms=1.0, auroc=1.0, largest_change=0.0)
    (folder / FORMS_NAME).write_bytes(STORED_FORMS.dump_json([form]))
    assert "Not counted" not in table(out)
    if change is None:
        (folder / CONFIG_NAME).unlink()
    else:
        save_config(folder, load_config(folder).model_copy(update=change))
    page = table(out)
    assert row(page, "`baseline`")[2:4] == ["1 of 2", "0.9000"]
    assert "as their cell and seed say: baseline, seed 1.\n" in page
    assert "fp32" not in page


def test_a_training_that_was_laid_there_counts_whatever_its_recipe_is_called(out):
    write_result(out, "other", 1, logits=RIGHT, auroc=1.0)
    folder = run_folder(out, "other", 1)
    save_config(folder, load_config(folder).model_copy(update={"recipe": "the plain recipe"}))
    assert row(table(out), "`other`")[2] == "1 of 2"


def test_other_pictures_are_not_compared(out):
    write_result(out, "baseline", 1, logits=RIGHT, auroc=1.0)
    folder = write_result(out, "other", 1, logits=RIGHT, auroc=1.0)
    path = folder / PREDICTIONS_NAME
    path.write_text(path.read_text().replace("set/4", "set/5"))
    with pytest.raises(RunError, match="expected the pictures that"):
        table(out)


def test_a_cell_may_be_held_against_another_than_the_baseline(tmp_path):
    grid = a_grid("control", "other")
    cells = (*grid.cells[:2], grid.cells[2].model_copy(update={"against": "control"}))
    claim_grid(tmp_path, grid.model_copy(update={"cells": cells}))
    write_result(tmp_path, "baseline", 1, logits=RIGHT, auroc=1.0)
    write_result(tmp_path, "control", 1, logits=SWAPPED, auroc=0.8)
    write_result(tmp_path, "other", 1, logits=SWAPPED, auroc=0.8)
    found = row(table(tmp_path), "`other`")
    assert found[1] == "change of other (against `control`)"
    assert found[4] == "+0.0000 (+0.0000 to +0.0000)"


def test_a_stage_has_its_milliseconds(tmp_path):
    """Two stages that are switched together cost what both cost."""
    grid = a_grid("other")
    both = grid.cells[1].model_copy(update={"stages": ("denoise", "local_contrast")})
    claim_grid(tmp_path, grid.model_copy(update={"cells": (grid.baseline, both)}))
    ms = {"field_of_view": 1.0, "resize": 7.5, "denoise": 0.25, "local_contrast": 0.5}
    cost = StageCost(preprocess=six_stages(48), width_px=200, height_px=150, ms=ms)
    (tmp_path / STAGES_NAME).write_bytes(STAGE_COSTS.dump_json([cost]))
    page = table(tmp_path)
    assert "| ms at 200×150 |" in page
    assert row(page, "`other`")[-1] == "0.75"
    assert row(page, "`baseline`")[-1] == MISSING
    assert "the resize, which is never off, takes 7.50 ms" in page


def test_the_stored_forms_have_a_table_of_their_own(out):
    for seed, auroc in ((1, 0.9), (2, 0.8)):
        folder = write_result(out, "baseline", seed, logits=RIGHT, auroc=auroc)
        forms = [
            StoredForm(form="fp32", size_bytes=900_000, ms=1.0, auroc=auroc, largest_change=0.0),
            StoredForm(
                form="int8",
                size_bytes=260_000,
                ms=0.5,
                auroc=auroc - 0.01,
                largest_change=seed / 10,
            ),
        ]
        (folder / FORMS_NAME).write_bytes(STORED_FORMS.dump_json(forms))
    page = table(out)
    assert row(page, "fp32") == [
        "fp32", "2 of 2", "0.8500 ± 0.0707", MISSING, "0.0000", "900,000", "1.00",
    ]  # fmt: skip
    assert row(page, "int8") == [
        "int8", "2 of 2", "0.8400 ± 0.0707", "-0.0100", "0.2000", "260,000", "0.50",
    ]  # fmt: skip


def test_the_table_is_written_in_both_places(out):
    path = write_table(out, out / "docs" / "table.md")
    assert path.read_text() == (out / "docs" / "table.md").read_text() == table(out)
    assert "not to be edited" in path.read_text()
