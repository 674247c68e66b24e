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

    def batch(self, indices: NDArray[np.int64], variants: NDArray[np.int64]) -> Batch:
        """Gather pictures as fp32 ``[B, C, S, S]`` from 0 to 1, with their labels."""
        pixels_BSSC = torch.from_numpy(self.pixels_VNSSC[variants, indices])
        return Batch(
            # A view in channels-last order: what both CPU and GPU convolutions like best.
            x_BCHW=pixels_BSSC.permute(0, 3, 1, 2).float().div_(255),
            malignant_B=torch.from_numpy(self.malignant_N[indices]),
            diagnosis_B=torch.from_numpy(self.diagnosis_N[indices]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Pictures and labels of one step."""

    x_BCHW: Tensor
    malignant_B: Tensor
    diagnosis_B: Tensor


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
    part: PreparedPart, *, batch_size: int, rank: int, world: int, generator: torch.Generator
) -> Iterator[Batch]:
    """
    Go once through *part* in random order, each picture as a random one of its variants.

    Every process draws the same order and takes its own share of each batch, so that several
    processes see together what one would see alone.

    Args:
        part: What is trained on.
        batch_size: Over all processes; pictures that fill no batch wait for the next epoch.
        rank: Number of this process.
        world: Number of processes.
        generator: Decides; in the same state in every process.
    """
    order_N = torch.randperm(len(part), generator=generator).numpy()
    variant_N = torch.randint(part.pixels_VNSSC.shape[0], (len(part),), generator=generator).numpy()
    for start in range(0, len(part) - batch_size + 1, batch_size):
        mine = slice(start + rank, start + batch_size, world)
        yield part.batch(order_N[mine], variant_N[mine])


def plain_batches(part: PreparedPart, *, batch_size: int) -> Iterator[Batch]:
    """Go once through the untouched pictures of *part*, in order."""
    for start in range(0, len(part), batch_size):
        indices = np.arange(start, min(start + batch_size, len(part)))
        yield part.batch(indices, np.zeros_like(indices))
