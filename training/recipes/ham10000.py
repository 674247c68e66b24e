"""Trainings on HAM10000."""

from __future__ import annotations

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
    """The student on labels alone: the control that every teacher must beat."""
    return RunConfig(
        recipe="ham10000_supervised",
        seed=1,
        preprocess=six_stages(128),
        variants=6,
        model=STUDENT,
        augment=AugmentConfig(),
        epochs=90,
        batch_size=64,
        learning_rate=2e-3,
        warmup_epochs=3,
        weight_decay=0.05,
        label_smoothing=0.05,
        ema_decay=0.998,
    )
