"""An ablation on drawn pictures: it is stopped, goes on, and judges on validation alone."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.training.ablation.runs import a_fused_teacher
from tests.training.small import a_data_set, a_run_config, a_split, a_split_of
from training.ablation.engines import InTurn
from training.ablation.grid import is_finished, run_folder, runs_of
from training.ablation.members import member_runs
from training.ablation.stage_cost import measure_stages
from training.ablation.table import FORMS_NAME, STAGES_NAME
from training.cli import main
from training.commands import ablate as command
from training.commands.ablate import ablate, everywhere, make_grid, provide_cell, train_cell
from training.data.readers import read_folders
from training.data.splits import TEST, read_split
from training.errors import RunError
from training.runs import CURVES_NAME, VIEWS_NAME, DistillationConfig, load_config
from training.source import Source


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr(command, "measure_stages", partial(measure_stages, sizes_px=((64, 48),)))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def source(tmp_path):
    """Drawn pictures, those of the test part cut in half: whoever looks at one is found out."""
    data = a_data_set(tmp_path / "drawn")
    split = a_split(tmp_path / "split.csv", data)
    for image_id, part in read_split(split).part_of.items():
        if part == TEST:
            path = data / image_id.partition("/")[2]
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return Source(data=data, split=split, cache=tmp_path / "cache", workers=1)


def a_config(**changes):
    return a_run_config(epochs=1, batch_size=4, **changes)


def files(*folders: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*.np*")}


@pytest.mark.slow
def test_an_ablation_goes_on_where_it_was_stopped(source, tmp_path, monkeypatch, capsys):
    """One run fails, the other is kept; the second call trains what is missing, and only that."""
    out, copy = tmp_path / "ablation", tmp_path / "docs" / "table.md"
    real = command.train_run

    def fails(config, source, run):
        if config.model.pooling == "max":
            raise RunError("expected better luck")
        return real(config, source, run)

    def again():
        return ablate(
            a_config(),
            source,
            out,
            seeds=(7,),
            engine=InTurn(),
            cells=("pooling_max", "baseline"),
            copy=copy,
        )

    with monkeypatch.context() as patch:
        patch.setattr(command, "train_run", fails)
        with pytest.raises(
            RunError, match=r"1 of 2 runs failed[^\n]*\n  pooling_max, seed 7: expected"
        ):
            again()
    baseline = run_folder(out, "baseline", 7)
    assert "| `baseline` | the recipe as it is | 1 of 1 |" in copy.read_text()
    assert "| `pooling_max` | pooling: the maximum over all places | missing |" in copy.read_text()
    trained = (baseline / CURVES_NAME).stat().st_mtime_ns

    grid = again()
    assert (baseline / CURVES_NAME).stat().st_mtime_ns == trained
    page = copy.read_text()
    assert page == (out / "table.md").read_text()
    assert "| `pooling_max` | pooling: the maximum over all places | 1 of 1 |" in page
    assert "| int8 | 1 of 1 |" in page
    assert "ms at 64×48" in page
    assert (out / STAGES_NAME).is_file()
    assert (baseline / FORMS_NAME).is_file()
    # A run is the grid's cell with its seed, and can be looked at as any other run.
    found = load_config(run_folder(out, "pooling_max", 7))
    assert found == grid.picked(["pooling_max"])[0].config.model_copy(update={"seed": 7})

    # The verb writes the same page from what lies there.
    copy.unlink()
    arguments = ["ablate", "demo_student", "--data", str(source.data), "--out", str(out)]
    assert main([*arguments, "--table-only", "--table", str(copy)]) == 0
    assert copy.read_text() == page


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_further_pictures_are_in_the_cells_that_take_them(source, tmp_path, share):
    """What a run says of its pictures is what the grid expects: else it would never be finished."""
    further = a_data_set(tmp_path / "further", count=8)
    cases = read_folders(source.data), read_folders(further)
    split = a_split_of(tmp_path / "both.csv", *cases)
    source = replace(source, also=(further,), split=split)
    config = a_config().model_copy(update={"extra_share": share})
    grid = ablate(
        config,
        source,
        tmp_path / "ablation",
        seeds=(7,),
        engine=InTurn(),
        cells=("baseline", f"{'without' if share else 'with'}_extra_pictures"),
    )
    named = {
        cell.name: cell.config.data.extra_fingerprint is not None
        for cell in grid.cells
        if cell.name in {"baseline", "with_extra_pictures", "without_extra_pictures"}
    }
    assert all(is_named == (grid_share(grid, name) > 0) for name, is_named in named.items())
    for run in runs_of(grid.picked(list(named)), (7,), tmp_path / "ablation"):
        assert is_finished(run), run.name
    assert (run_folder(tmp_path / "ablation", "baseline", 7) / FORMS_NAME).is_file()


def grid_share(grid, name):
    return grid.picked([name])[0].config.extra_share


@pytest.mark.slow
def test_what_a_cell_shares_is_prepared_before_its_runs(source, tmp_path):
    """Then runs side by side find pictures and views, and do not all prepare the same ones."""
    teacher = tmp_path / "teacher"
    data = make_grid(a_config(), source.read(), (1,)).baseline.config.data
    a_fused_teacher(teacher, data)
    taught = DistillationConfig(teacher_runs=(teacher,), views=1, kd_temperature=1.0, kd_share=0.5)
    grid = make_grid(a_config(distillation=taught), source.read(), (1,))
    member = member_runs([teacher])[1]
    first, last = runs_of(
        grid.picked(["baseline", f"teacher_{member.name}"]), (1,), tmp_path / "ablation"
    )
    for run in (first, last):
        provide_cell(run, 1, source=source)
    places = (source.cache, teacher / VIEWS_NAME, member / VIEWS_NAME)
    before = files(*places)
    assert all(any(place in path.parents for path in before) for place in places)
    train_cell(last, 1, source=source)
    assert files(*places) == before
    assert torch.get_num_threads() == 1
    assert (last.folder / CURVES_NAME).is_file()


def test_other_machines_get_paths_that_do_not_depend_on_a_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = everywhere(
        Source(data=Path("a"), also=(Path("b"),), split=Path("c.csv"), cache=Path("d"), workers=3)
    )
    assert found == Source(
        data=tmp_path / "a",
        also=(tmp_path / "b",),
        split=tmp_path / "c.csv",
        cache=tmp_path / "d",
        workers=3,
    )


def test_an_unknown_cell_is_refused_before_anything_is_written(source, tmp_path):
    out = tmp_path / "ablation"
    with pytest.raises(RunError, match="cell without_luck: expected one of baseline, without_"):
        ablate(a_config(), source, out, seeds=(1,), engine=InTurn(), cells=("without_luck",))
    assert not out.exists()
