"""Trainings on HAM10000."""

from __future__ import annotations

from device.core.manifest import PreprocessSpec
from training.recipes.preprocessing import six_stages
from training.runs import AugmentConfig, BlockConfig, RunConfig, StudentConfig

STUDENT = StudentConfig(
    stem_channels=16,
    blocks=(
        BlockConfig(kind="fused", channels=24, repeats=1, stride=2, expansion=2),
        BlockConfig(kind="fused", channels=24, repeats=1, stride=1, expansion=1),
        BlockConfig(kind="inverted", channels=40, repeats=3, stride=2, expansion=4),
        BlockConfig(kind="inverted", channels=72, repeats=4, stride=2, expansion=4),
    ),
    embedding_channels=128,
    dropout=0.2,
)


def ham10000_supervised() -> RunConfig:
    """
    The student on labels alone: the control that every teacher must beat.

    Colour constancy is switched off; docs/stages.md says what was measured.
    """
    return _ham10000("ham10000_supervised", six_stages(128, color_constancy=False))


def ham10000_all_stages() -> RunConfig:
    """The same with all six stages on: what each stage is worth is measured against it."""
    return _ham10000("ham10000_all_stages", six_stages(128))


def _ham10000(name: str, preprocess: PreprocessSpec) -> RunConfig:
    return RunConfig(
        recipe=name,
        seed=1,
        preprocess=preprocess,
        variants=6,
        model=STUDENT,
        augment=AugmentConfig(),
        epochs=60,
        batch_size=64,
        learning_rate=2e-3,
        warmup_epochs=3,
        weight_decay=0.05,
        label_smoothing=0.05,
        ema_decay=0.998,
    )
