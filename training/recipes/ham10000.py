"""Trainings on HAM10000."""

from __future__ import annotations

from device.core.manifest import PreprocessSpec
from training.recipes.preprocessing import six_stages
from training.runs import (
    AugmentConfig,
    BlockConfig,
    DistillationConfig,
    RunConfig,
    StudentConfig,
)

STUDENT = StudentConfig(
    stem_channels=16,
    blocks=(
        BlockConfig(kind="fused", channels=32, repeats=1, stride=2, expansion=1),
        BlockConfig(kind="inverted", channels=48, repeats=3, stride=2, expansion=3),
        BlockConfig(kind="inverted", channels=80, repeats=4, stride=2, expansion=3),
    ),
    embedding_channels=128,
    dropout=0.2,
)
"""
Whole blocks of 16 channels: ONNX Runtime computes in such blocks on x86 and fills up what is
missing, so that 24 channels take as long as 32.
"""


def ham10000_supervised() -> RunConfig:
    """
    The student on labels alone: the control that every teacher must beat.

    Colour constancy is switched off; docs/stages.md says what was measured.
    """
    return _ham10000("ham10000_supervised", six_stages(128, color_constancy=False))


def ham10000_all_stages() -> RunConfig:
    """The same with all six stages on: what each stage is worth is measured against it."""
    return _ham10000("ham10000_all_stages", six_stages(128))


def student_distilled() -> RunConfig:
    """
    The student that ships: labels and a teacher, on HAM10000 and further ISIC pictures.

    Temperature and share as in arXiv 2406.17051 to begin with; the views as long as two cores
    allow.
    """
    return _long(
        "student_distilled",
        DistillationConfig(teacher_run=None, views=8, kd_temperature=1.0, kd_share=0.5),
    )


def student_control() -> RunConfig:
    """The same pictures and schedule without a teacher: what distillation is worth."""
    return _long("student_control", None)


def _long(name: str, distillation: DistillationConfig | None) -> RunConfig:
    config = _ham10000(name, six_stages(128, color_constancy=False))
    return config.model_copy(
        update={
            "variants": 4,
            "extra_share": 0.5,
            "epochs": 100,
            "precision": "bf16",
            "ema_decay": 0.999,
            "distillation": distillation,
        }
    )


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
