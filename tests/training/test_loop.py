"""
The training loop on drawn pictures: it repeats, it resumes, it can be spread over processes.

``ten_steps.json`` holds the losses of ten steps.  A refactor leaves them as they are; a change
of numbers is made with ``python -m tests.training.test_loop`` and explained.
"""

import json
import math
import os
from pathlib import Path

import pytest
import torch
from sklearn.metrics import roc_auc_score

from tests.training.small import a_part, a_run_config, a_teacher_config, save_part
from tests.training.two_processes import in_two_processes
from training import loop
from training.errors import RunError
from training.evaluate.predictions import predict
from training.loop import train
from training.models import build_model, load_best
from training.runs import (
    BEST_NAME,
    CHECKPOINT_NAME,
    COMMIT_NAME,
    CURVES_NAME,
    DistillationConfig,
    commit_of,
    load_config,
)
from training.teaching import LiveLesson

TEN_STEPS = Path(__file__).with_name("ten_steps.json")
SURE_STEPS = 4
TOLERANCE, LATER_TOLERANCE = 1e-3, 2e-2
"""Of a loss, in the first SURE_STEPS and after them: processors add in different orders, and each
step multiplies the difference by about three."""
PROCESS_NOISE = 0.05
"""Of the validation AUROC: each process normalises over its own half of a batch."""


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


@pytest.fixture(scope="module")
def train_part():
    return a_part(32, variants=2)


@pytest.fixture(scope="module")
def validation_part():
    return a_part(14, first_seed=500)


def curves(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / CURVES_NAME).read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def checkpoint(folder: Path, name: str = CHECKPOINT_NAME) -> dict:
    return torch.load(folder / name, weights_only=True)


def assert_same(left: object, right: object) -> None:
    """Equal to the last bit, whatever is nested in what."""
    assert type(left) is type(right)
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right)
    elif isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list | tuple):
        for a, b in zip(left, right, strict=True):
            assert_same(a, b)
    else:
        assert left == right


def ten_steps(folder: Path) -> list[dict[str, float]]:
    """Train ten epochs of one step each, and return the losses."""
    train(a_run_config(epochs=10), a_part(16, variants=2), a_part(14, first_seed=500), folder)
    return [{k: v for k, v in line.items() if k.startswith("loss_")} for line in curves(folder)]


def test_ten_steps_give_the_recorded_losses(tmp_path):
    """A change of the loop, the augmentation, the losses or the student shows here first."""
    recorded = json.loads(TEN_STEPS.read_text())
    found = ten_steps(tmp_path)
    assert len(recorded) == len(found) == 10
    for step, (expected, line) in enumerate(zip(recorded, found, strict=True)):
        tolerance = TOLERANCE if step < SURE_STEPS else LATER_TOLERANCE
        assert line == pytest.approx(expected, abs=tolerance)


def test_a_run_leaves_everything_that_later_steps_read(tmp_path, train_part, validation_part):
    """Configuration, commit, a line an epoch, a checkpoint, and the best averaged weights."""
    config = a_run_config()
    train(config, train_part, validation_part, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json",
        COMMIT_NAME,
        CURVES_NAME,
        CHECKPOINT_NAME,
        BEST_NAME,
    }
    assert load_config(tmp_path) == config
    assert commit_of(tmp_path)
    lines = curves(tmp_path)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    found = predict(load_best(tmp_path), validation_part).malignancy_logit_N
    auroc = roc_auc_score(validation_part.malignant_N, found)
    best = max(line["validation_auroc"] for line in lines)
    assert auroc == pytest.approx(best, abs=1e-6)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    tmp_path, monkeypatch, train_part, validation_part
):
    """Weights, averages, optimizer and curves are equal to the last bit."""
    config = a_run_config(epochs=4)
    train(config, train_part, validation_part, tmp_path / "whole")

    calls = []

    def power_cut(model, part):
        calls.append(part)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict(model, part)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "predict", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train(config, train_part, validation_part, tmp_path / "stopped")
    assert len(curves(tmp_path / "stopped")) == 2
    torch.manual_seed(999)
    train(config, train_part, validation_part, tmp_path / "stopped")

    for name in (CHECKPOINT_NAME, BEST_NAME):
        assert_same(checkpoint(tmp_path / "whole", name), checkpoint(tmp_path / "stopped", name))
    assert curves(tmp_path / "whole") == curves(tmp_path / "stopped")


def test_an_epoch_that_was_written_down_but_not_kept_leaves_one_line(
    tmp_path, monkeypatch, train_part, validation_part
):
    """Power may fail between the line and the checkpoint; the epoch is run again."""
    config = a_run_config(epochs=2)

    def power_cut(*_parts):
        raise KeyboardInterrupt

    train(a_run_config(epochs=2), train_part, validation_part, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_save", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train(config, train_part, validation_part, tmp_path / "stopped")
    assert len(curves(tmp_path / "stopped")) == 1
    train(config, train_part, validation_part, tmp_path / "stopped")
    assert curves(tmp_path / "whole") == curves(tmp_path / "stopped")


def test_a_finished_run_is_left_alone(tmp_path, train_part, validation_part):
    """Training again finds nothing to do."""
    config = a_run_config(epochs=1)
    train(config, train_part, validation_part, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    train(config, train_part, validation_part, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_with_another_configuration_is_refused(tmp_path, train_part, validation_part):
    """Nothing of the older run is lost."""
    train(a_run_config(epochs=1), train_part, validation_part, tmp_path)
    before = (tmp_path / BEST_NAME).read_bytes()
    with pytest.raises(RunError, match="holds a run of another configuration"):
        train(a_run_config(epochs=1, seed=2), train_part, validation_part, tmp_path)
    assert (tmp_path / BEST_NAME).read_bytes() == before
    assert load_config(tmp_path).seed == 1


def test_too_few_pictures_for_a_batch_are_refused(tmp_path, validation_part):
    """An epoch without a step would train nothing and say so nowhere."""
    with pytest.raises(RunError, match="14 training pictures do not fill one batch of 16"):
        train(a_run_config(), validation_part, validation_part, tmp_path)


def test_an_average_without_memory_is_the_network_itself(tmp_path, train_part, validation_part):
    """Decay 0 keeps nothing of the past, statistics of the normalisation included."""
    train(a_run_config(ema_decay=0.0), train_part, validation_part, tmp_path)
    saved = checkpoint(tmp_path)
    for name, value in saved["model"].items():
        torch.testing.assert_close(saved["ema"][f"module.{name}"], value)


def test_an_average_begins_short_and_grows_longer(tmp_path, validation_part):
    """However long its memory, the second step counts for nine elevenths of the first average."""
    sixteen = a_part(16)
    one, two = (
        checkpoint_after(epochs, sixteen, validation_part, tmp_path / str(epochs))
        for epochs in (1, 2)
    )
    name = "trunk.0.0.weight"
    first, second = one["model"][name], two["model"][name]
    assert torch.equal(one["ema"][f"module.{name}"], first)
    torch.testing.assert_close(two["ema"][f"module.{name}"], (2 * first + 9 * second) / 11)


def checkpoint_after(epochs, part, validation_part, folder):
    """The schedule of two epochs, stopped after some, so that the first step is the same."""
    config = a_run_config(ema_decay=1.0, epochs=2)
    with pytest.MonkeyPatch.context() as patch:
        real, saved = loop._save, []

        def stop(*parts):
            real(*parts)
            saved.append(parts)
            if len(saved) == epochs:
                raise KeyboardInterrupt

        patch.setattr(loop, "_save", stop)
        with pytest.raises(KeyboardInterrupt):
            train(config, part, validation_part, folder)
    return checkpoint(folder)


def test_a_teacher_is_listened_to(tmp_path, train_part, validation_part):
    """With all weight on the teacher its terms are in the curves and fall."""
    torch.manual_seed(0)
    lesson = LiveLesson(
        teacher=build_model(a_teacher_config()).eval(),
        part=train_part,
        device=torch.device("cpu"),
    )
    config = a_run_config(
        epochs=6,
        distillation=DistillationConfig(
            teacher_runs=(tmp_path,), views=None, kd_temperature=2.0, kd_share=1.0
        ),
    )
    train(config, train_part, validation_part, tmp_path / "student", lesson=lesson)
    lines = curves(tmp_path / "student")
    assert lines[-1]["loss_kd_diagnosis"] < lines[0]["loss_kd_diagnosis"]
    assert all(math.isfinite(line["loss_kd_malignancy"]) for line in lines)


SPREAD_CONFIG = a_run_config(epochs=20, batch_size=32)


@pytest.mark.slow
def test_two_processes_train_as_well_as_one(tmp_path):
    """Same pictures, same batches, each process half of them: the same AUROC within its noise."""
    parts = {"train": a_part(192, variants=2), "validation": a_part(98, first_seed=500)}
    for name, part in parts.items():
        save_part(tmp_path / f"{name}.npz", part)
    train(SPREAD_CONFIG, *parts.values(), tmp_path / "one")
    in_two_processes("train(SPREAD_CONFIG, *parts, folder / 'two')", tmp_path)
    assert {path.name for path in tmp_path.glob("rank*")} == {"rank0_of_2", "rank1_of_2"}
    one, two = curves(tmp_path / "one"), curves(tmp_path / "two")
    # One process alone writes.
    assert [line["epoch"] for line in two] == [line["epoch"] for line in one]
    assert one[-1]["validation_auroc"] > 0.75
    assert two[-1]["validation_auroc"] == pytest.approx(
        one[-1]["validation_auroc"], abs=PROCESS_NOISE
    )
    assert two[-1]["loss_malignancy"] == pytest.approx(one[-1]["loss_malignancy"], abs=0.05)
    # Half a batch has other statistics than a whole one: equal figures would mean that each
    # process trained alone.
    assert two[-1]["loss_malignancy"] != one[-1]["loss_malignancy"]


if __name__ == "__main__":
    import tempfile

    os.environ["ACCELERATE_USE_CPU"] = "true"
    with tempfile.TemporaryDirectory() as folder:
        TEN_STEPS.write_text(json.dumps(ten_steps(Path(folder)), indent=1) + "\n")
