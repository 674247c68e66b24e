"""
Random changes of whole batches after the six stages: how the lesion lies, how bright it is.

They are drawn first and applied later, because two networks that see a picture at different
sides must see it changed alike.  Legend: ``B`` batch, ``C`` channel, ``H`` height, ``W`` width.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from training.runs import AugmentConfig


class Changes(NamedTuple):
    """What happens to each picture of a batch; independent of the pictures' side."""

    placement_B23: Tensor
    """Affine map from the result's place to the picture's, in half sides from the centre."""
    contrast_B: Tensor
    offset_BC: Tensor
    """Brightness and cast of colour, of 1."""

    def of(self, indices: Tensor) -> Changes:
        """Return those of some of the pictures."""
        return Changes(*(values[indices] for values in self))


def draw_changes(pictures: int, config: AugmentConfig, generator: torch.Generator) -> Changes:
    """
    Decide how to turn, mirror, scale, shift and recolour each picture on its own.

    Args:
        pictures: Their number.
        config: How far each change may go.
        generator: Decides; on the CPU.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand((pictures, *shape), generator=generator)

    angle = uniform(-math.pi, math.pi)
    scale = torch.exp(uniform(-1, 1) * math.log(config.largest_scale))
    aspect = torch.exp(uniform(-1, 1) * math.log(config.largest_aspect) / 2)
    mirror = torch.where(torch.rand(pictures, generator=generator) < 0.5, -1.0, 1.0)  # noqa: PLR2004 - half of them
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn_B22 = torch.stack(
        [
            torch.stack([cos * mirror * scale * aspect, -sin * scale / aspect], dim=1),
            torch.stack([sin * mirror * scale * aspect, cos * scale / aspect], dim=1),
        ],
        dim=1,
    )
    shift_B21 = uniform(-config.largest_shift, config.largest_shift, 2, 1)
    contrast = torch.exp(uniform(-1, 1) * math.log(config.largest_contrast))
    brightness = uniform(-1, 1, 1) * config.largest_brightness
    cast = uniform(-1, 1, 3) * config.largest_color_cast
    return Changes(torch.cat([turn_B22, shift_B21], dim=2), contrast, brightness + cast)


def apply_changes(x_BCHW: Tensor, changes: Changes) -> Tensor:
    """
    Change each picture of a batch as it was drawn.

    All pictures go through one sampling grid and one multiplication, so the cost is a small
    part of a training step.

    Args:
        x_BCHW: fp32, 0 to 1.
        changes: One for each picture; moved to where the pictures are.

    Returns:
        fp32, 0 to 1, same shape; what turns in from outside is mirrored skin.
    """
    placement_B23, contrast_B, offset_BC = (values.to(x_BCHW.device) for values in changes)
    grid = affine_grid(placement_B23, list(x_BCHW.shape), align_corners=False)
    moved_BCHW = grid_sample(
        x_BCHW, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    # x -> gain * (x - mean) + mean + offset, the gain a contrast, the offset a brightness with
    # a small cast of colour in it.
    mean_BC11 = moved_BCHW.mean(dim=(2, 3), keepdim=True)
    contrast_B111 = contrast_B[:, None, None, None]
    # One pass over the pixels; written out as above it would be four.
    return torch.addcmul(
        mean_BC11 * (1 - contrast_B111) + offset_BC[:, :, None, None], moved_BCHW, contrast_B111
    ).clamp_(0, 1)
