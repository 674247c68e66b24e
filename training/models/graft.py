"""
A student that has seen the world: its trunk begins as the first blocks of a pretrained network.

A network of two hundred thousand weights learns edges, textures and colours from ten thousand
pictures only so well; one that was trained on a million has them in its first stages, which hold
few of its weights.  The student takes those stages over.  Where it is thinner in the middle of a
block, the channels that carry most stay: those whose activation, as normalisation lets it vary,
arrives strongest behind the projection.

The two differ in small ways that fine-tuning makes good: ReLU for ReLU6; padding on both sides
where TensorFlow pads on one, which moves the picture by a pixel; and around the picture black,
where the donor, whose pictures were normalised, saw their mean.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from training.errors import RunError
from training.models.student import Block, Student
from training.models.weights import normalization
from training.runs import BackboneConfig

_OF_SEPARABLE = 2
"""Convolutions of a block that expands nothing."""
_SAMPLES = 20_001
_REACH = 5.0
_CEILING = 6.0
"""Of ReLU6, with which the donor was trained."""


def graft(student: Student, backbone: nn.Module, config: BackboneConfig) -> None:
    """
    Let the trunk of *student* begin as the first stages of *backbone*, in place.

    The last convolution of the trunk, which makes the embedding, and the heads stay as they are.

    Args:
        student: Its blocks have the kinds, kernels, strides and channels of the backbone's first
            ones; their middles may be thinner.
        backbone: An EfficientNet of timm without squeeze-and-excitation.
        config: Of the backbone; it tells which mean and deviation the pictures had.

    Raises:
        RunError: A block has no counterpart.
    """
    donor: Any = backbone
    blocks = [layer for layer in student.trunk if isinstance(layer, Block)]
    pairs = _pairs(blocks, donor, config.name)
    kept = [_strongest(block, source) for block, source in pairs]
    # Where the first block expands nothing, its middle is what the stem gives.
    given = kept[0] if len(pairs[0][0].layers) == _OF_SEPARABLE else slice(None)
    _take_stem(student.trunk[0], donor, config, given)
    for (block, source), channels in zip(pairs, kept, strict=True):
        _take_block(block, source, config.name, channels)


def _pairs(blocks: list[Block], donor: Any, name: str) -> list[tuple[Block, Any]]:
    """Put each block beside its counterpart; of a stage that is longer the first ones serve."""
    pairs: list[tuple[Block, Any]] = []
    for stage in donor.blocks:
        for index, source in enumerate(stage):
            if len(pairs) == len(blocks) or (index > 0 and not blocks[len(pairs)].adds):
                break
            pairs.append((blocks[len(pairs)], source))
    if len(pairs) < len(blocks):
        raise RunError(f"{name}: expected {len(blocks)} blocks to graft from, found {len(pairs)}")
    return pairs


def _own_parts(layer: Any) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return the convolution with which a layer of the student begins, and its normalisation."""
    return layer[0], layer[1]


def _parts(source: Any) -> list[tuple[nn.Conv2d, Any]]:
    """Return the convolutions of a block of timm, each with its normalisation."""
    if hasattr(source, "conv_pwl"):
        return [
            (source.conv_pw, source.bn1),
            (source.conv_dw, source.bn2),
            (source.conv_pwl, source.bn3),
        ]
    return [(source.conv_dw, source.bn1), (source.conv_pw, source.bn2)]


def _strongest(block: Block, source: Any) -> Tensor:
    """Return which channels of the middle stay, in their order."""
    (_, norm), (projection, _) = _parts(source)[-2:]
    strength = _activity(norm) * projection.weight.flatten(1).norm(dim=0)
    wanted = _own_parts(block.layers[-1])[0].in_channels
    return torch.sort(torch.topk(strength, min(wanted, len(strength))).indices).values


@torch.no_grad()
def _take_stem(stem: nn.Module, donor: Any, config: BackboneConfig, kept: Tensor | slice) -> None:
    """Take the first convolution over, made for pictures that are not normalised."""
    mean_C, deviation_C = (torch.tensor(values) for values in normalization(config, donor))
    own, own_norm = _own_parts(stem)
    kernel = donor.conv_stem.weight[kept] / deviation_C[None, :, None, None]
    _require_alike(own.weight, kernel, config.name)
    own.weight.copy_(kernel)
    # What was subtracted from the pictures is a constant behind the convolution.
    shift = (kernel * mean_C[None, :, None, None]).sum(dim=(1, 2, 3))
    _take_norm(own_norm, donor.bn1, kept, shift)


@torch.no_grad()
def _take_block(block: Block, source: Any, name: str, kept: Tensor) -> None:
    """Take one block over, with the channels *kept* of its middle."""
    layers = list(block.layers)
    parts = _parts(source)
    if len(parts) != len(layers):
        raise RunError(
            f"{name}: expected a block of {len(layers)} convolutions, found {len(parts)}"
        )
    for layer, (convolution, norm) in zip(layers, parts, strict=True):
        own, own_norm = _own_parts(layer)
        is_last = layer is layers[-1]
        kernel = convolution.weight[:, kept] if is_last else convolution.weight[kept]
        _require_alike(own.weight, kernel, name)
        if own.stride != convolution.stride:
            raise RunError(f"{name}: expected stride {own.stride}, found {convolution.stride}")
        own.weight.copy_(kernel)
        _take_norm(own_norm, norm, slice(None) if is_last else kept)


def _take_norm(
    own: nn.BatchNorm2d, given: Any, kept: Tensor | slice, shift: Tensor | float = 0.0
) -> None:
    own.weight.copy_(given.weight[kept])
    own.bias.copy_(given.bias[kept])
    # Casts, because torch knows normalisation without these two as well.
    cast("Tensor", own.running_mean).copy_(given.running_mean[kept] + shift)
    # The donor added more to the variance before it took the root.
    cast("Tensor", own.running_var).copy_(given.running_var[kept] + given.eps - own.eps)


def _activity(norm: Any) -> Tensor:
    """Root mean square of each channel behind normalisation and ReLU6, for normal inputs."""
    normal = torch.linspace(-_REACH, _REACH, _SAMPLES)
    density = torch.exp(-(normal**2) / 2)
    density /= density.sum()
    active = (norm.weight[:, None] * normal + norm.bias[:, None]).clamp(0, _CEILING)
    return torch.sqrt((active**2 * density).sum(dim=1))


def _require_alike(own: Tensor, given: Tensor, name: str) -> None:
    if own.shape != given.shape:
        raise RunError(
            f"{name}: expected a kernel of {tuple(own.shape)}, found {tuple(given.shape)}"
        )
