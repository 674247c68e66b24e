"""Show a part of the split to a network in torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.dataset import PreparedPart, plain_batches
from training.data.views import View, draw_view, plain_view
from training.runs import AugmentConfig

_BATCH = 256
_TTA = AugmentConfig(
    largest_scale=1.1,
    largest_aspect=1.0,
    largest_shift=0.05,
    largest_contrast=1.0,
    largest_brightness=0.0,
    largest_color_cast=0.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a network said about a part.  Legend: ``N`` pictures, ``K`` diagnoses."""

    malignancy_logit_N: NDArray[np.float64]
    diagnosis_logits_NK: NDArray[np.float64]


def predict(model: nn.Module, part: PreparedPart, *, tta: int = 1) -> Predictions:
    """
    Show the pictures of *part* to *model*, in order.

    Args:
        model: In torch.
        part: Judged.
        tta: Views of each picture (test-time augmentation): the untouched one, then turned,
            mirrored and slightly scaled ones.  The answer is the mean of their probabilities; a
            device has no time for that.
    """
    views = [
        plain_view(len(part)),
        *(draw_view(len(part), 1, _TTA, seed=number) for number in range(1, tta)),
    ]
    seen = [_look(model, part, view) for view in views]
    if len(seen) == 1:
        return seen[0]
    logit_VN = torch.tensor(np.stack([each.malignancy_logit_N for each in seen]))
    logits_VNK = torch.tensor(np.stack([each.diagnosis_logits_NK for each in seen]))
    return Predictions(
        malignancy_logit_N=torch.logit(torch.sigmoid(logit_VN).mean(dim=0)).numpy(),
        diagnosis_logits_NK=torch.softmax(logits_VNK, dim=2).mean(dim=0).log().numpy(),
    )


def mean_of(answers: Sequence[Predictions]) -> Predictions:
    """Average the logits of several networks, as they teach together."""
    return Predictions(
        malignancy_logit_N=np.mean([each.malignancy_logit_N for each in answers], axis=0),
        diagnosis_logits_NK=np.mean([each.diagnosis_logits_NK for each in answers], axis=0),
    )


def _look(model: nn.Module, part: PreparedPart, view: View) -> Predictions:
    model.eval()
    device = next(model.parameters()).device
    malignancy, diagnosis = [], []
    with torch.no_grad():
        for indices_B in plain_batches(part, batch_size=_BATCH):
            outputs = model(view.show(part, indices_B, device))
            malignancy.append(outputs.malignancy_logit_B1[:, 0].double().cpu().numpy())
            diagnosis.append(outputs.diagnosis_logits_BK.double().cpu().numpy())
    return Predictions(
        malignancy_logit_N=np.concatenate(malignancy), diagnosis_logits_NK=np.concatenate(diagnosis)
    )
