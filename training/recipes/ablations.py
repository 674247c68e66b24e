"""Which trainings an ablation compares: each differs from the baseline in one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.core.manifest import PreprocessSpec, Resize
from training.ablation.grid import BASELINE, Cell, Grid
from training.errors import RunError
from training.runs import Pooling, RunConfig, StudentConfig

WITHOUT_DISTILLATION = "without_distillation"
_EXTRA_SHARE = 0.5
"""So that further pictures, where a baseline goes without them, do not outweigh its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the cells are made from."""

    config: RunConfig
    """Of a student; its seed is not used."""
    members: tuple[Path, ...] = ()
    """Runs that are the teacher together: its members', or those of several teachers."""
    record_pictures: int
    """Training pictures of the set of record."""
    extra_pictures: int = 0
    """Training pictures of further sets."""


def whole_grid(baseline: Baseline, seeds: Sequence[int]) -> Grid:
    """
    Return every comparison that *baseline* has something to take away for.

    Raises:
        RunError: The baseline is no student, or a seed stands there twice.
    """
    if not isinstance(baseline.config.model, StudentConfig):
        raise RunError(
            f"recipe {baseline.config.recipe!r}: expected a student's, found a teacher's"
        )
    if not seeds or len(set(seeds)) < len(seeds):
        raise RunError(f"seeds: expected each one once and at least one, found {list(seeds)}")
    return Grid(
        seeds=tuple(seeds),
        cells=(
            Cell(name=BASELINE, change="the recipe as it is", config=baseline.config),
            *stage_cells(baseline),
            *training_cells(baseline),
            *teacher_cells(baseline),
            *distillation_cells(baseline),
            *pooling_cells(baseline),
            *graft_cells(baseline),
        ),
    )


def stage_cells(baseline: Baseline) -> list[Cell]:
    """Each stage switched, except the resize; all that are on off together, all that are off on."""
    spec = baseline.config.preprocess
    switched = {
        stage.stage: stage.enabled for stage in spec.stages if not isinstance(stage, Resize)
    }
    on = [name for name, enabled in switched.items() if enabled]
    off = [name for name in switched if name not in on]
    cells = [
        _cell(
            baseline,
            f"{'without' if enabled else 'with'}_{name}",
            f"`{name}` {'off' if enabled else 'on'}",
            stages=(name,),
            preprocess=_switch(spec, {name: not enabled}),
        )
        for name, enabled in switched.items()
    ]
    if len(on) > 1:
        cells.append(
            _cell(
                baseline,
                "without_stages",
                "all stages off but the resize",
                stages=tuple(on),
                preprocess=_switch(spec, dict.fromkeys(on, False)),
            )
        )
    if len(off) > 1:
        cells.append(
            _cell(
                baseline,
                "with_stages",
                "all stages on",
                stages=tuple(off),
                preprocess=_switch(spec, dict.fromkeys(off, True)),
            )
        )
    return cells


def training_cells(baseline: Baseline) -> list[Cell]:
    """Without augmentation; without further pictures, or with them."""
    cells = []
    config = baseline.config
    taught = config.distillation is not None
    if config.augment.enabled or config.variants > 1:
        # What the teacher said is about augmented views; it would have to look at all pictures
        # again to speak about plain ones.  So neither side of this comparison has a teacher.
        cells.append(
            _cell(
                baseline,
                "without_augmentation",
                "pictures as they are" + (", and no teacher" if taught else ""),
                against=WITHOUT_DISTILLATION if taught else BASELINE,
                augment=config.augment.model_copy(update={"enabled": False}),
                variants=1,
                distillation=None,
            )
        )
    if baseline.extra_pictures > 0:
        # As many steps either way: otherwise one of the two would be a shorter training too.
        without = config.extra_share > 0
        share = 0.0 if without else _EXTRA_SHARE
        longer = _pictures(baseline, config.extra_share) / _pictures(baseline, share)
        # What the teacher said is about the baseline's pictures alone.
        cells.append(
            _cell(
                baseline,
                f"{'without' if without else 'with'}_extra_pictures",
                (
                    "the set of record alone, as many steps"
                    if without
                    else f"and {share:.0%} of the further pictures an epoch, as many steps"
                )
                + (", and no teacher" if taught else ""),
                against=WITHOUT_DISTILLATION if taught else BASELINE,
                distillation=None,
                extra_share=share,
                epochs=max(1, round(config.epochs * longer)),
                warmup_epochs=round(config.warmup_epochs * longer),
            )
        )
    return cells


def teacher_cells(baseline: Baseline) -> list[Cell]:
    """Without a teacher, and with each of its members alone."""
    distillation = baseline.config.distillation
    if distillation is None:
        return []
    names = [member.name for member in baseline.members]
    if len(set(names)) < len(names):
        # Runs of several folders may be called alike.
        names = ["-".join(member.parts[-3:]) for member in baseline.members]
    members = [
        _cell(
            baseline,
            f"teacher_{name}",
            f"{name} alone teaches",
            distillation=distillation.model_copy(update={"teacher_runs": (member,)}),
        )
        for name, member in zip(names, baseline.members, strict=True)
    ]
    alone = _cell(baseline, WITHOUT_DISTILLATION, "labels alone", distillation=None)
    return [alone, *members]


def distillation_cells(baseline: Baseline) -> list[Cell]:
    """Other temperatures, shares and losses, one at a time, where there is a teacher."""
    distillation = baseline.config.distillation
    if distillation is None:
        return []
    sweep: Sequence[tuple[str, object, str]] = (
        ("kd_temperature", 1.0, "temperature 1"),
        ("kd_temperature", 2.0, "temperature 2"),
        ("kd_temperature", 4.0, "temperature 4"),
        ("kd_share", 0.0, "labels alone, on the views that the teacher looked at"),
        ("kd_share", 0.3, "three tenths of the loss are the teacher's"),
        ("kd_share", 0.5, "half of the loss is the teacher's"),
        ("kd_share", 0.7, "seven tenths of the loss are the teacher's"),
        ("kd_share", 0.9, "nine tenths of the loss are the teacher's"),
        ("kd_loss", "kl", "the teacher's probabilities"),
        ("kd_loss", "dist", "the teacher's ranking (DIST)"),
        ("kd_averaged", False, "what the teacher says of each view, and these views alone"),
        ("kd_averaged", True, "what it says on average over its views, of fresh ones"),
    )
    return [
        _cell(
            baseline,
            f"{name}_{value}".lower().replace(".", "_"),
            change,
            distillation=distillation.model_copy(update={name: value}),
        )
        for name, value, change in sweep
        if getattr(distillation, name) != value
    ]


def pooling_cells(baseline: Baseline) -> list[Cell]:
    """The other ways of pooling."""
    model = baseline.config.model
    assert isinstance(model, StudentConfig)  # noqa: S101 - whole_grid has checked it
    changes: Mapping[Pooling, str] = {
        "average": "the average over all places",
        "max": "the maximum over all places",
        "both": "the mean of average and maximum",
    }
    return [
        _cell(
            baseline,
            f"pooling_{pooling}",
            f"pooling: {change}",
            model=model.model_copy(update={"pooling": pooling}),
        )
        for pooling, change in changes.items()
        if pooling != model.pooling
    ]


def graft_cells(baseline: Baseline) -> list[Cell]:
    """A trunk that begins at random, where the baseline's is grafted."""
    model = baseline.config.model
    assert isinstance(model, StudentConfig)  # noqa: S101 - whole_grid has checked it
    if model.grafted_from is None:
        return []
    return [
        _cell(
            baseline,
            "without_graft",
            "the trunk begins at random",
            model=model.model_copy(update={"grafted_from": None}),
        )
    ]


def _pictures(baseline: Baseline, extra_share: float) -> float:
    """Return how many pictures an epoch takes."""
    return baseline.record_pictures + extra_share * baseline.extra_pictures


def _cell(
    baseline: Baseline,
    name: str,
    change: str,
    *,
    against: str = BASELINE,
    stages: tuple[str, ...] = (),
    **changes: object,
) -> Cell:
    changes["recipe"] = f"{baseline.config.recipe}, {name}"
    return Cell(
        name=name,
        change=change,
        config=baseline.config.model_copy(update=changes),
        against=against,
        stages=stages,
    )


def _switch(spec: PreprocessSpec, enabled: Mapping[str, bool]) -> PreprocessSpec:
    stages = tuple(
        stage.model_copy(update={"enabled": enabled[stage.stage]})
        if stage.stage in enabled
        else stage
        for stage in spec.stages
    )
    return spec.model_copy(update={"stages": stages})
