"""A teacher comes to be in stages, and goes on where it was stopped."""

import json

import pytest
import torch

from tests.training.small import a_part, a_run_config, a_teacher_run_config, save_part
from tests.training.two_processes import in_two_processes
from training import teacher_stages
from training.errors import RunError
from training.models import load_best
from training.runs import (
    BEST_NAME,
    CURVES_NAME,
    HEADS_NAME,
    MEMBERS_NAME,
    VIEWS_NAME,
    load_config,
)
from training.teacher_stages import member_config, member_folder, train_teacher

NAMES = ("test_efficientnet", "test_resnet")
PAPER = ("resnetv2_18", "test_convnext", "test_vit")
"""The three families of arXiv 2406.17051, at a size for tests."""
FUSED_CONFIG = a_teacher_run_config()


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


@pytest.fixture(scope="module")
def parts():
    return a_part(32, variants=2), a_part(14, first_seed=500)


def test_members_come_first_and_the_fusion_is_at_least_their_mean(tmp_path, parts):
    config = a_teacher_run_config()
    train_teacher(config, *parts, tmp_path)
    members = [tmp_path / MEMBERS_NAME / name for name in NAMES]
    for name, member in zip(NAMES, members, strict=True):
        assert [b.name for b in load_config(member).model.backbones] == [name]
        assert (member / HEADS_NAME).is_file()
    assert load_config(tmp_path) == config
    lines = [json.loads(line) for line in (tmp_path / CURVES_NAME).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    fused = load_best(tmp_path)
    for index, member in enumerate(members):
        expected = load_best(member).backbones[0].state_dict()
        for name, value in fused.backbones[index].state_dict().items():
            assert torch.equal(value, expected[name])


def test_members_that_were_trained_side_by_side_are_fused_as_if_in_turn(tmp_path, parts):
    config = a_teacher_run_config()
    train_teacher(config, *parts, tmp_path / "in turn")
    for backbone in reversed(config.model.backbones):
        folder = member_folder(tmp_path / "apart", backbone.name)
        train_teacher(member_config(config, backbone), *parts, folder)
    assert not (tmp_path / "apart" / BEST_NAME).exists()
    train_teacher(config, *parts, tmp_path / "apart")
    in_turn, apart = (load_best(tmp_path / name).state_dict() for name in ("in turn", "apart"))
    assert all(torch.equal(value, apart[name]) for name, value in in_turn.items())


@pytest.mark.slow
def test_a_fused_teacher_comes_to_be_in_two_processes(tmp_path, parts):
    """The second member finds the group of processes as the first one did."""
    for name, part in zip(("train", "validation"), parts, strict=True):
        save_part(tmp_path / f"{name}.npz", part)
    in_two_processes("train_teacher(FUSED_CONFIG, *parts, folder / 'two')", tmp_path)
    assert {path.name for path in tmp_path.glob("rank*")} == {"rank0_of_2", "rank1_of_2"}
    for folder in (tmp_path / "two", *(member_folder(tmp_path / "two", name) for name in NAMES)):
        assert (folder / BEST_NAME).is_file()


@pytest.mark.slow
def test_the_families_of_the_paper_are_trained_in_the_same_stages(tmp_path, parts):
    """With layers left out at random, as the recipe has it."""
    config = a_teacher_run_config(*PAPER)
    config = config.model_copy(update={"model": config.model.model_copy(update={"drop_path": 0.2})})
    train_teacher(config, *parts, tmp_path)
    for name in PAPER:
        member = member_folder(tmp_path, name)
        before = torch.load(member / HEADS_NAME, weights_only=True)
        after = dict(load_best(member).named_parameters())
        moved = [key for key, value in after.items() if not torch.equal(value, before[key])]
        assert any(key.startswith("backbones.") for key in moved)
    assert len(load_best(tmp_path).backbones) == len(PAPER)


def test_a_finished_teacher_is_left_alone(tmp_path, parts):
    config = a_teacher_run_config()
    train_teacher(config, *parts, tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.pt")}
    train_teacher(config, *parts, tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.pt")} == before


def test_a_member_that_was_stopped_keeps_its_heads(tmp_path, monkeypatch, parts):
    """The frozen backbone need not look again, and the end is the same."""
    config = a_teacher_run_config("test_efficientnet")
    train_teacher(config, *parts, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(teacher_stages, "train", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            train_teacher(config, *parts, tmp_path / "stopped")
    assert (tmp_path / "stopped" / HEADS_NAME).is_file()
    train_teacher(config, *parts, tmp_path / "stopped")
    whole, stopped = (load_best(tmp_path / n).state_dict() for n in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_heads_that_another_seed_left_behind_are_not_taken(tmp_path, monkeypatch, parts):
    """Nothing tells them apart once they are loaded: the shapes are the same."""
    config = a_teacher_run_config("test_efficientnet")
    with monkeypatch.context() as patch:
        patch.setattr(teacher_stages, "train", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            train_teacher(config, *parts, tmp_path / "reused")
    other = config.model_copy(update={"seed": config.seed + 1})
    (tmp_path / "reused" / VIEWS_NAME).mkdir()
    for name in ("reused", "fresh"):
        train_teacher(other, *parts, tmp_path / name)
    assert not (tmp_path / "reused" / VIEWS_NAME).exists()
    reused, fresh = (load_best(tmp_path / name).state_dict() for name in ("reused", "fresh"))
    assert all(torch.equal(fresh[name], reused[name]) for name in fresh)


def test_heads_learn_while_the_backbone_stays(tmp_path, parts):
    config = a_teacher_run_config("test_efficientnet")
    train_teacher(config, *parts, tmp_path)
    heads = torch.load(tmp_path / HEADS_NAME, weights_only=True)
    torch.manual_seed(config.seed)
    begin = teacher_stages.FusedTeacher(config.model).state_dict()
    frozen = [name for name in begin if name.startswith("backbones.")]
    assert all(torch.equal(heads[name], begin[name]) for name in frozen)
    best = torch.load(tmp_path / BEST_NAME, weights_only=True)
    assert any(not torch.equal(best[name], begin[name]) for name in frozen)


def test_deeper_layers_learn_slower():
    from training.loop import parameter_groups
    from training.models import build_model

    config = a_teacher_run_config("test_efficientnet")
    model = build_model(config.model)
    groups = parameter_groups(model, config)
    rate = {id(p): g.get("lr", config.learning_rate) for g in groups for p in g["params"]}
    assert len(rate) == len(list(model.parameters()))
    stem = rate[id(next(model.backbones[0].parameters()))]
    assert stem < rate[id(model.malignancy.weight)] == config.learning_rate


def test_a_student_is_no_teacher(tmp_path, parts):
    with pytest.raises(RunError, match="expected a teacher"):
        train_teacher(a_run_config(), *parts, tmp_path)


def _power_cut(*_args, **_kwargs):
    raise KeyboardInterrupt
