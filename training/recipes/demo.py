"""The whole path in minutes, on drawn pictures: small networks, few epochs."""

from __future__ import annotations

from training.recipes.preprocessing import six_stages
from training.runs import (
    AugmentConfig,
    BackboneConfig,
    BlockConfig,
    DistillationConfig,
    HeadsConfig,
    RunConfig,
    StudentConfig,
    TeacherConfig,
)


def demo_teacher() -> RunConfig:
    """Two small backbones with fresh weights, fused."""
    return _demo(
        "demo_teacher",
        TeacherConfig(
            backbones=tuple(
                BackboneConfig(name=name, side_px=64, weights=None)
                for name in ("mobilenetv3_small_050", "test_convnext")
            ),
            hidden_channels=32,
            dropout=0.1,
            drop_path=0.0,
        ),
        epochs=10,
        learning_rate=3e-3,
    )


def demo_student() -> RunConfig:
    """A student of a tenth of the usual size; the demo gives it the teacher."""
    return _demo(
        "demo_student",
        StudentConfig(
            stem_channels=8,
            blocks=(
                BlockConfig(kind="fused", channels=16, repeats=1, stride=2, expansion=2),
                BlockConfig(kind="inverted", channels=24, repeats=1, stride=2, expansion=3),
                BlockConfig(kind="inverted", channels=32, repeats=1, stride=2, expansion=3),
            ),
            embedding_channels=48,
            dropout=0.0,
        ),
        epochs=15,
        learning_rate=5e-3,
        distillation=DistillationConfig(
            teacher_runs=(), views=None, kd_temperature=1.0, kd_share=0.5
        ),
    )


def _demo(
    name: str,
    model: StudentConfig | TeacherConfig,
    *,
    epochs: int,
    learning_rate: float,
    distillation: DistillationConfig | None = None,
) -> RunConfig:
    return RunConfig(
        recipe=name,
        seed=1,
        preprocess=six_stages(64),
        variants=2,
        model=model,
        augment=AugmentConfig(),
        heads=HeadsConfig(views=2, epochs=4, learning_rate=1e-3)
        if isinstance(model, TeacherConfig)
        else None,
        epochs=epochs,
        batch_size=16,
        learning_rate=learning_rate,
        warmup_epochs=1,
        weight_decay=0.02,
        label_smoothing=0.0,
        ema_decay=0.95,
        distillation=distillation,
    )
