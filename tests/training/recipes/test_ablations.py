"""The cells differ from the baseline in what they say, and in nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from device.core.manifest import Resize
from tests.training.small import a_run_config, a_teacher_run_config
from training.errors import RunError
from training.recipes.ablations import Baseline, teacher_cells, whole_grid
from training.recipes.preprocessing import six_stages
from training.runs import AugmentConfig, BackboneConfig, DistillationConfig

TEACHER = DistillationConfig(
    teacher_runs=(Path("teacher"),), views=8, kd_temperature=1.0, kd_share=0.5
)
MEMBERS = (Path("teacher/members/first"), Path("teacher/members/second"))


def a_baseline(config=None, *, extra_pictures=50):
    return Baseline(
        config=config or a_run_config(distillation=TEACHER, epochs=20),
        members=MEMBERS,
        record_pictures=100,
        extra_pictures=extra_pictures,
    )


def cells(baseline=None):
    return {cell.name: cell for cell in whole_grid(baseline or a_baseline(), (1, 2)).cells}


def changes(cell, baseline=None):
    """The knobs that differ from the baseline's, but for the name."""
    before = (baseline or a_baseline()).config.model_dump()
    after = cell.config.model_dump()
    return {key for key in before if before[key] != after[key]} - {"recipe"}


def enabled(cell):
    stages = cell.config.preprocess.stages
    return {stage.stage: stage.enabled for stage in stages if not isinstance(stage, Resize)}


def test_a_taught_student_has_every_comparison():
    assert list(cells()) == [
        "baseline",
        "without_field_of_view",
        "without_hair_removal",
        "without_denoise",
        "without_color_constancy",
        "without_local_contrast",
        "without_stages",
        "without_augmentation",
        "without_extra_pictures",
        "without_distillation",
        "teacher_first",
        "teacher_second",
        "kd_temperature_2_0",
        "kd_temperature_4_0",
        "kd_share_0_0",
        "kd_share_0_3",
        "kd_share_0_7",
        "kd_share_0_9",
        "kd_loss_dist",
        "kd_averaged_true",
        "pooling_max",
        "pooling_both",
    ]


@pytest.mark.parametrize("stage", ["field_of_view", "hair_removal", "local_contrast"])
def test_one_stage_is_off_and_all_others_stay(stage):
    cell = cells()[f"without_{stage}"]
    assert changes(cell) == {"preprocess"}
    assert [name for name, on in enabled(cell).items() if not on] == [stage]
    assert cell.stages == (stage,)


def test_a_stage_that_is_off_is_switched_on():
    """A student that goes without some stages has rows that say what they would be worth."""
    off = ("denoise", "color_constancy")
    found = cells(a_baseline(a_run_config(spec=six_stages(48, off=off))))
    for name in off:
        assert f"without_{name}" not in found
        cell = found[f"with_{name}"]
        assert [stage for stage, on in enabled(cell).items() if not on] == [
            other for other in off if other != name
        ]
    assert found["without_stages"].stages == ("field_of_view", "hair_removal", "local_contrast")
    assert all(enabled(found["with_stages"]).values())
    assert found["with_stages"].stages == off


def test_all_stages_off_leaves_the_resize():
    cell = cells()["without_stages"]
    assert not any(enabled(cell).values())
    assert cell.config.side_px == a_baseline().config.side_px


def test_without_extra_pictures_a_training_has_as_many_steps():
    """150 pictures an epoch over 20 epochs are 100 pictures over 30.

    And no teacher: it teaches on the pictures that it was trained on, and on no others.
    """
    cell = cells()["without_extra_pictures"]
    assert changes(cell) == {"extra_share", "epochs", "warmup_epochs", "distillation"}
    assert cell.against == "without_distillation"
    assert (cell.config.extra_share, cell.config.epochs, cell.config.warmup_epochs) == (0.0, 30, 2)
    assert "without_extra_pictures" not in cells(a_baseline(extra_pictures=0))


def test_a_baseline_of_the_record_alone_is_shown_with_half_of_the_further_pictures():
    """100 pictures an epoch over 20 epochs are 125 pictures over 16."""
    baseline = a_baseline(a_run_config(epochs=20).model_copy(update={"extra_share": 0.0}))
    cell = cells(baseline)["with_extra_pictures"]
    assert changes(cell, baseline) == {"extra_share", "epochs"}
    assert cell.against == "baseline"
    assert (cell.config.extra_share, cell.config.epochs) == (0.5, 16)
    unnamed = cells(replace(baseline, extra_pictures=0))
    assert not [name for name in unnamed if "extra" in name]


def test_without_augmentation_there_is_no_teacher_on_either_side():
    """It spoke about augmented views; so the cell is held against the one without a teacher."""
    found = cells()
    cell = found["without_augmentation"]
    assert cell.against == "without_distillation"
    assert cell.config.distillation is found["without_distillation"].config.distillation is None
    assert changes(cell) == {"augment", "variants", "distillation"}
    assert (cell.config.augment.enabled, cell.config.variants) == (False, 1)


def test_without_a_teacher_nothing_is_taken_away_from_it():
    untaught = a_baseline(a_run_config(epochs=20))
    found = cells(untaught)
    assert not {"without_distillation", "teacher_first"} & found.keys()
    assert found["without_augmentation"].against == "baseline"
    plain = a_run_config().model_copy(
        update={"augment": AugmentConfig(enabled=False), "variants": 1}
    )
    assert "without_augmentation" not in cells(a_baseline(plain))


def test_teachers_that_are_called_alike_are_told_apart():
    members = (Path("/one/first/seed-1"), Path("/one/second/seed-1"))
    config = a_run_config(distillation=TEACHER)
    baseline = Baseline(config=config, members=members, record_pictures=10)
    names = [cell.name for cell in teacher_cells(baseline)[1:]]
    assert names == ["teacher_one-first-seed-1", "teacher_one-second-seed-1"]


def test_each_member_teaches_alone():
    cell = cells()["teacher_second"]
    assert changes(cell) == {"distillation"}
    assert cell.config.distillation == TEACHER.model_copy(update={"teacher_runs": (MEMBERS[1],)})


@pytest.mark.parametrize(
    ("name", "change"), [("kd_temperature_4_0", "kd_temperature"), ("kd_loss_dist", "kd_loss")]
)
def test_one_knob_of_the_distillation_differs(name, change):
    cell = cells()[name]
    assert changes(cell) == {"distillation"}
    before, after = TEACHER.model_dump(), cell.config.distillation.model_dump()
    assert {key for key in before if before[key] != after[key]} == {change}


def test_the_poolings_are_those_that_the_baseline_does_not_have():
    pooled = a_run_config().model_copy(
        update={"model": a_run_config().model.model_copy(update={"pooling": "max"})}
    )
    found = [cell for name, cell in cells(a_baseline(pooled)).items() if "pooling" in name]
    assert [cell.config.model.pooling for cell in found] == ["average", "both"]


def test_a_teacher_is_not_ablated():
    with pytest.raises(RunError, match="expected a student's, found a teacher's"):
        whole_grid(a_baseline(a_teacher_run_config()), (1,))


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_are_distinct(seeds):
    with pytest.raises(RunError, match="expected each one once"):
        whole_grid(a_baseline(), seeds)


def test_a_grafted_student_is_held_against_one_that_begins_at_random():
    config = a_run_config(epochs=20)
    donor = BackboneConfig(name="tf_efficientnet_lite0", side_px=48, weights=None)
    model = config.model.model_copy(update={"grafted_from": donor})
    baseline = a_baseline(config.model_copy(update={"model": model}))
    cell = cells(baseline)["without_graft"]
    assert changes(cell, baseline) == {"model"}
    assert cell.config.model == config.model
