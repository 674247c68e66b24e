"""
A view is one look at every picture of a part: which cached variant, changed how.

An epoch goes through one view.  A view is made of its seed alone, so a teacher can look at it
today and a student tomorrow, each at its own side, and what the teacher said still holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.augment import Changes, apply_changes, draw_changes
from training.data.dataset import PreparedPart
from training.runs import AugmentConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Legend: ``N`` pictures of a part."""

    variant_N: NDArray[np.int64]
    changes: Changes | None
    """None: pictures are shown as they were prepared."""

    def show(
        self, part: PreparedPart, indices_B: NDArray[np.int64], device: torch.device
    ) -> Tensor:
        """
        Return some pictures of *part* as this view has them, fp32 ``[B, C, S, S]``.

        A part of one variant shows that one: a teacher of plain pictures sees them turned and
        scaled as its student does, and without the hair that was drawn over the student's.
        """
        variant_B = self.variant_N[indices_B] if len(part.pixels_VNSSC) > 1 else 0 * indices_B
        x_BCHW = part.pictures(indices_B, variant_B).to(device)
        if self.changes is None:
            return x_BCHW
        return apply_changes(x_BCHW, self.changes.of(torch.from_numpy(indices_B)))


def draw_view(pictures: int, variants: int, config: AugmentConfig, *, seed: int) -> View:
    """
    Make the view of a seed.

    Args:
        pictures: Number of pictures in the part.
        variants: Cached variants of each.
        config: How far they are changed.
        seed: Decides alone.
    """
    generator = torch.Generator().manual_seed(seed)
    variant_N = torch.randint(variants, (pictures,), generator=generator).numpy()
    changes = draw_changes(pictures, config, generator) if config.enabled else None
    return View(variant_N=variant_N, changes=changes)


def plain_view(pictures: int) -> View:
    """Return the view that a device would have: the picture as it is."""
    return View(variant_N=np.zeros(pictures, dtype=np.int64), changes=None)
