"""Prepared pictures with their labels, and the order in which an epoch goes through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from device.core.manifest import PreprocessSpec
from training.data.cache import prepared
from training.data.case import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPart:
    """
    One part of a split, ready to be shown to a network.

    Legend: ``V`` variants, ``N`` pictures, ``S`` side, ``C`` channels.
    """

    cases: tuple[Case, ...]
    pixels_VNSSC: NDArray[np.uint8]
    malignant_N: NDArray[np.float32]
    diagnosis_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cases)

    def is_extra(self) -> NDArray[np.bool_]:
        """Tell which pictures come from another set than the first one, ``[N]``."""
        # A set that came in parts names them behind a slash.
        sets = [case.dataset.split("/")[0] for case in self.cases]
        return np.array([name != sets[0] for name in sets])

    def pictures(self, indices_B: NDArray[np.int64], variants_B: NDArray[np.int64]) -> Tensor:
        """Gather pictures as fp32 ``[B, C, S, S]`` from 0 to 1."""
        pixels_BSSC = torch.from_numpy(self.pixels_VNSSC[variants_B, indices_B])
        # A view in channels-last order: what both CPU and GPU convolutions like best.
        return pixels_BSSC.permute(0, 3, 1, 2).float().div_(255)

    def labels(self, indices_B: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return malignancy, fp32, and diagnosis, int64, of some pictures, ``[B]`` each."""
        return (
            torch.from_numpy(self.malignant_N[indices_B]),
            torch.from_numpy(self.diagnosis_N[indices_B]),
        )


def prepare_part(
    cases: Sequence[Case], spec: PreprocessSpec, *, cache: Path, variants: int = 1, workers: int = 2
) -> PreparedPart:
    """Run the stages on *cases* (or find that done in *cache*) and put the labels beside."""
    return PreparedPart(
        cases=tuple(cases),
        pixels_VNSSC=prepared(cases, spec, folder=cache, variants=variants, workers=workers),
        malignant_N=np.array([case.malignant for case in cases], dtype=np.float32),
        diagnosis_N=np.array([case.diagnosis_index for case in cases], dtype=np.int64),
    )


def training_batches(
    part: PreparedPart,
    *,
    batch_size: int,
    rank: int,
    world: int,
    generator: torch.Generator,
    extra_share: float = 1.0,
) -> Iterator[NDArray[np.int64]]:
    """
    Go once through *part* in random order, batch by batch.

    Every process draws the same order and takes its own share of each batch, so that several
    processes see together what one would see alone.

    Args:
        part: What is trained on.
        batch_size: Over all processes; pictures that fill no batch wait for the next epoch.
        rank: Number of this process.
        world: Number of processes.
        generator: Decides; in the same state in every process.
        extra_share: How many of the pictures of further sets an epoch takes, 0 to 1.

    Returns:
        Positions in *part*, ``[B / world]`` each.
    """
    order_N = torch.randperm(len(part), generator=generator).numpy()
    if extra_share < 1.0:
        extra_N = part.is_extra()[order_N]
        # The first ones of a random order are a random choice.
        left_out_N = extra_N & (np.cumsum(extra_N) > round(extra_share * extra_N.sum()))
        order_N = order_N[~left_out_N]
    for start in range(0, len(order_N) - batch_size + 1, batch_size):
        yield order_N[start + rank : start + batch_size : world]


def steps_of_an_epoch(part: PreparedPart, *, batch_size: int, extra_share: float = 1.0) -> int:
    """Return the number of batches that :func:`training_batches` gives."""
    extra = int(part.is_extra().sum())
    return (len(part) - extra + round(extra_share * extra)) // batch_size


def plain_batches(part: PreparedPart, *, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Go once through all positions of *part*, in order."""
    for start in range(0, len(part), batch_size):
        yield np.arange(start, min(start + batch_size, len(part)))
