"""
Random changes of whole batches after the six stages: how the lesion lies, how bright it is.

Legend: ``B`` batch, ``C`` channel, ``H`` height, ``W`` width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from training.runs import AugmentConfig


def augment(x_BCHW: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """
    Turn, mirror, scale, shift and recolour each picture of a batch on its own.

    All pictures go through one sampling grid and one multiplication, so the cost is a small
    part of a training step.

    Args:
        x_BCHW: fp32, 0 to 1.
        config: How far each change may go.
        generator: Decides; on the CPU, whatever the device of *x_BCHW*.

    Returns:
        fp32, 0 to 1, same shape; what turns in from outside is mirrored skin.
    """
    if not config.enabled:
        return x_BCHW
    batch = x_BCHW.shape[0]

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand((batch, *shape), generator=generator)

    angle = uniform(-math.pi, math.pi)
    scale = torch.exp(uniform(-1, 1) * math.log(config.largest_scale))
    aspect = torch.exp(uniform(-1, 1) * math.log(config.largest_aspect) / 2)
    mirror = torch.where(torch.rand(batch, generator=generator) < 0.5, -1.0, 1.0)  # noqa: PLR2004 - half of them
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack(
        [
            torch.stack([cos * mirror * scale * aspect, -sin * scale / aspect], dim=1),
            torch.stack([sin * mirror * scale * aspect, cos * scale / aspect], dim=1),
        ],
        dim=1,
    )
    shift = uniform(-config.largest_shift, config.largest_shift, 2, 1)
    grid = affine_grid(
        torch.cat([theta, shift], dim=2).to(x_BCHW.device), list(x_BCHW.shape), align_corners=False
    )
    moved_BCHW = grid_sample(
        x_BCHW, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )

    # x -> gain * (x - mean) + mean + offset, the gain a contrast, the offset a brightness with
    # a small cast of colour in it.
    contrast = torch.exp(uniform(-1, 1, 1, 1, 1) * math.log(config.largest_contrast))
    brightness = uniform(-1, 1, 1, 1, 1) * config.largest_brightness
    cast = uniform(-1, 1, 3, 1, 1) * config.largest_color_cast
    mean_BC11 = moved_BCHW.mean(dim=(2, 3), keepdim=True)
    contrast, offset = contrast.to(x_BCHW.device), (brightness + cast).to(x_BCHW.device)
    # One pass over the pixels; written out as above it would be four.
    return torch.addcmul(mean_BC11 * (1 - contrast) + offset, moved_BCHW, contrast).clamp_(0, 1)
