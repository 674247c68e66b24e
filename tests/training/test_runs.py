"""A run's folder says what was asked for, and which source did it."""

import re

import pytest
from pydantic import ValidationError

from tests.training.small import a_finished_run, a_run_config, a_student
from training import runs
from training.errors import RunError
from training.models import load_best
from training.recipes import RECIPES
from training.runs import COMMIT_NAME, RunConfig, commit_of, load_config, record_commit, save_config


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_saved_configuration_comes_back_whole(tmp_path, name):
    """Every recipe survives the file, and names itself."""
    config = RECIPES[name]()
    save_config(tmp_path / "run", config)
    assert load_config(tmp_path / "run") == config
    assert config.recipe == name


@pytest.mark.parametrize("name", sorted(name for name in RECIPES if "demo" not in name))
def test_recipes_take_no_further_pictures_but_one(name):
    """Their labels seem to harm: docs/ablation.md.  One asks a teacher about them instead."""
    config = RECIPES[name]()
    assert (config.extra_share > 0) is (name == "student_further")
    if config.extra_share > 0:
        assert config.distillation.kd_share >= 0.9


def test_an_unknown_knob_is_refused():
    """A misspelt setting must not pass for the default."""
    fields = a_run_config().model_dump()
    with pytest.raises(ValidationError, match="learning_rat"):
        RunConfig.model_validate(fields | {"learning_rat": 1.0})


def test_a_configuration_is_frozen():
    """What was saved is what is used."""
    with pytest.raises(ValidationError, match="frozen"):
        a_run_config().seed = 2


def test_the_source_has_a_commit():
    """Forty hexadecimal digits, marked if files differ; outside of git it is unknown."""
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", runs.source_commit())


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ("a" * 40, "a" * 40, "a" * 40),
        ("a" * 40, "b" * 40, "a" * 40 + "-dirty"),
        ("a" * 40 + "-dirty", "a" * 40 + "-dirty", "a" * 40 + "-dirty"),
        ("a" * 40 + "-dirty", "a" * 40, "a" * 40 + "-dirty"),
    ],
)
def test_a_run_keeps_its_first_commit(tmp_path, monkeypatch, first, then, expected):
    """Going on under another one is marked as not the whole truth."""
    for commit in (first, then):
        monkeypatch.setattr(runs, "source_commit", lambda commit=commit: commit)
        record_commit(tmp_path)
    assert commit_of(tmp_path) == expected
    assert (tmp_path / COMMIT_NAME).read_text() == expected + "\n"


def test_a_run_without_a_recorded_commit_is_marked(tmp_path, monkeypatch):
    """The present source is the best guess, and is said to be one."""
    monkeypatch.setattr(runs, "source_commit", lambda: "c" * 40)
    assert commit_of(tmp_path) == "c" * 40 + "-dirty"


def test_the_best_network_of_a_run_comes_back(tmp_path):
    """Same weights, and ready to predict."""
    student = a_student(seed=3)
    loaded = load_best(a_finished_run(tmp_path, student))
    assert not loaded.training
    states = (student.state_dict(), loaded.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all((states[0][name] == states[1][name]).all() for name in states[0])


def test_a_run_that_has_not_finished_an_epoch_has_no_best_network(tmp_path):
    """The error says what to do first."""
    save_config(tmp_path, a_run_config())
    with pytest.raises(RunError, match=r"no best\.pt; train it first"):
        load_best(tmp_path)
