"""
What a teacher says: to a student at its side, or once and for all about a number of views.

Legend: ``V`` views, ``N`` pictures of the training part, ``B`` batch, ``D`` features, ``K``
diagnoses.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from training.cpu import in_bf16
from training.data.dataset import PreparedPart, plain_batches
from training.data.views import View, draw_view, plain_view
from training.models import Network, Outputs, channels_last
from training.models.depthwise import speed_up_depthwise
from training.runs import VIEWS_NAME, AugmentConfig

_BATCH = 64
_VIEWS_SEED = 500_000_003
"""Views that are looked at once have seeds that no epoch has."""


class Lesson(Protocol):
    """What the loop asks of a teacher."""

    def view_seed(self, epoch: int, seed: int) -> int:
        """Return the seed of the view that *epoch* goes through; *seed* is a fresh one."""
        ...

    def hear(self, view: View, epoch: int, indices_B: NDArray[np.int64]) -> Outputs:
        """Return what the teacher says about some pictures in this epoch's view."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLesson:
    """The teacher looks on, at its own side, at a view that it has never seen."""

    teacher: Network
    part: PreparedPart
    """The student's pictures, prepared for the teacher."""
    device: torch.device

    def view_seed(self, epoch: int, seed: int) -> int:  # noqa: ARG002 - a role's signature
        """Take the fresh one."""
        return seed

    def hear(self, view: View, epoch: int, indices_B: NDArray[np.int64]) -> Outputs:  # noqa: ARG002 - the same
        """Look now."""
        with torch.no_grad():
            outputs: Outputs = self.teacher(view.show(self.part, indices_B, self.device))
        return outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedLesson:
    """
    The teacher has looked at some views.

    The student goes through them again and again; or through fresh ones, where the teacher says of
    all views the same.
    """

    malignancy_logit_VN: Tensor
    """On the student's device, as the next one."""
    diagnosis_logits_VNK: Tensor
    averaged: bool = False
    """Whether it says of every view what it says on average over all of them."""

    def view_seed(self, epoch: int, seed: int) -> int:
        """Take the next view that was looked at, or the fresh one if what is said fits any."""
        return seed if self.averaged else seed_of_view(epoch % len(self.malignancy_logit_VN))

    def hear(self, view: View, epoch: int, indices_B: NDArray[np.int64]) -> Outputs:  # noqa: ARG002 - the same
        """Look it up."""
        number = epoch % len(self.malignancy_logit_VN)
        indices = torch.from_numpy(indices_B)
        malignancy_logit_B = self.malignancy_logit_VN[number, indices]
        return _answer(malignancy_logit_B[:, None], self.diagnosis_logits_VNK[number, indices])


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanLesson:
    """Several teachers, each at its own side, see the same view; their logits are averaged."""

    lessons: Sequence[Lesson]
    """All live, or all of as many views."""

    def view_seed(self, epoch: int, seed: int) -> int:
        """Take the one view that all take."""
        return self.lessons[0].view_seed(epoch, seed)

    def hear(self, view: View, epoch: int, indices_B: NDArray[np.int64]) -> Outputs:
        """Ask each, and average; nobody's features are the answer's."""
        said = [lesson.hear(view, epoch, indices_B) for lesson in self.lessons]
        return _answer(
            torch.stack([each.malignancy_logit_B1 for each in said]).mean(dim=0),
            torch.stack([each.diagnosis_logits_BK for each in said]).mean(dim=0),
        )


def _answer(malignancy_logit_B1: Tensor, diagnosis_logits_BK: Tensor) -> Outputs:
    """Return logits with neither a map nor an embedding: no student is asked for those."""
    batch = len(malignancy_logit_B1)
    return Outputs(
        malignancy_logit_B1,
        diagnosis_logits_BK,
        malignancy_logit_B1.new_zeros((batch, 0, 0)),
        malignancy_logit_B1.new_zeros((batch, 0)),
    )


def seed_of_view(number: int) -> int:
    """Return the seed of the view with this number."""
    return _VIEWS_SEED + number


def cached_lesson(
    teacher: Network,
    part: PreparedPart,
    augment: AugmentConfig,
    *,
    views: int,
    folder: Path,
    precision: str,
    averaged: bool = False,
) -> CachedLesson:
    """
    Let *teacher* look at *views* views of *part*, or find in *folder* that it has.

    Args:
        teacher: Finished.
        part: The training pictures, prepared for the teacher.
        augment: Of the student: the views must be its own.
        views: Their number; more of them can be asked for later.
        folder: Of the teacher's run.
        precision: ``fp32`` or ``bf16``.
        averaged: Whether it says of every view what it says on average over all of them: of
            probabilities, so that one view of which it is sure does not outweigh the others.
    """
    seen_VND = view_features(
        teacher, part, augment, views=views, folder=folder, precision=precision
    )
    malignancy, diagnosis = [], []
    device = next(teacher.parameters()).device
    with torch.no_grad():
        for features_ND in seen_VND:
            outputs = teacher.hear(torch.from_numpy(features_ND.astype(np.float32)).to(device))
            malignancy.append(outputs.malignancy_logit_B1[:, 0])
            diagnosis.append(outputs.diagnosis_logits_BK)
    malignancy_logit_VN, diagnosis_logits_VNK = torch.stack(malignancy), torch.stack(diagnosis)
    if averaged:
        probability_1N = torch.sigmoid(malignancy_logit_VN).mean(dim=0, keepdim=True)
        malignancy_logit_VN = torch.logit(probability_1N).expand_as(malignancy_logit_VN)
        share_1NK = torch.softmax(diagnosis_logits_VNK, dim=2).mean(dim=0, keepdim=True)
        diagnosis_logits_VNK = share_1NK.log().expand_as(diagnosis_logits_VNK)
    return CachedLesson(
        malignancy_logit_VN=malignancy_logit_VN,
        diagnosis_logits_VNK=diagnosis_logits_VNK,
        averaged=averaged,
    )


def view_features(
    teacher: Network,
    part: PreparedPart,
    augment: AugmentConfig,
    *,
    views: int,
    folder: Path | None,
    precision: str,
) -> NDArray[np.float16]:
    """
    Return what *teacher* saw in *views* views of *part*, ``[V, N, D]``.

    Args:
        teacher: Frozen, or the features would not be worth keeping.
        part: The training pictures, prepared for the teacher.
        augment: How views differ.
        views: Their number; more of them can be asked for later.
        folder: Of the teacher's run, where finished views are kept; None keeps none.
        precision: ``fp32`` or ``bf16``.
    """
    kept = None if folder is None else folder / VIEWS_NAME / _key(part, augment)
    return np.stack(
        [
            seen_view(
                teacher,
                part,
                draw_view(len(part), len(part.pixels_VNSSC), augment, seed=seed_of_view(number)),
                path=None if kept is None else kept / f"view-{number:03d}.npy",
                precision=precision,
            )
            for number in range(views)
        ]
    )


def plain_features(teacher: Network, part: PreparedPart, *, precision: str) -> NDArray[np.float16]:
    """Return the features ``[N, D]`` of the untouched pictures of *part*."""
    return seen_view(teacher, part, plain_view(len(part)), path=None, precision=precision)


def seen_view(
    teacher: Network,
    part: PreparedPart,
    view: View,
    *,
    path: Path | None,
    precision: str,
) -> NDArray[np.float16]:
    """
    Return what *teacher* sees in one view, its pooled features, fp16 ``[N, D]``.

    Args:
        teacher: Frozen, or the features would not be worth keeping.
        part: Pictures.
        view: Of them.
        path: File that keeps the features; None keeps none.
        precision: ``fp32`` or ``bf16``.
    """
    if path is not None and path.is_file():
        kept: NDArray[np.float16] = np.load(path)
        return kept
    device = next(teacher.parameters()).device
    bf16 = in_bf16(precision, device)
    if device.type == "cpu" and bf16:
        speed_up_depthwise(teacher)
    channels_last(teacher.eval(), device)
    console = Console(stderr=True)
    features = []
    with (
        torch.no_grad(),
        torch.autocast(device.type, torch.bfloat16, enabled=bf16),
    ):
        for indices_B in track(
            list(plain_batches(part, batch_size=_BATCH)),
            description="teacher looks",
            transient=True,
            console=console,
            disable=not console.is_terminal,
        ):
            seen_BD = teacher.look(view.show(part, indices_B, device))
            features.append(seen_BD.to(torch.float16).cpu().numpy())
    features_ND: NDArray[np.float16] = np.concatenate(features)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own until it is whole: two students may wait for the same teacher.
        partial = path.with_suffix(f".{os.getpid()}.npy")
        np.save(partial, features_ND)
        partial.replace(path)
    return features_ND


def _key(part: PreparedPart, augment: AugmentConfig) -> str:
    """Digest of what decides on a view: the pictures in their order, and their changes."""
    digest = hashlib.sha256(augment.model_dump_json().encode())
    digest.update(str(part.pixels_VNSSC.shape).encode())
    for case in part.cases:
        digest.update(f"{case.image_id}\n".encode())
    return digest.hexdigest()[:16]
