"""Show a part of the split to a network in torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.dataset import PreparedPart, plain_batches
from training.data.views import plain_view

_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a network said about a part.  Legend: ``N`` pictures, ``K`` diagnoses."""

    malignancy_logit_N: NDArray[np.float64]
    diagnosis_logits_NK: NDArray[np.float64]


def predict(model: nn.Module, part: PreparedPart) -> Predictions:
    """Show the untouched pictures of *part* to *model*, in order."""
    model.eval()
    device = next(model.parameters()).device
    view, malignancy, diagnosis = plain_view(len(part)), [], []
    with torch.no_grad():
        for indices_B in plain_batches(part, batch_size=_BATCH):
            outputs = model(view.show(part, indices_B, device))
            malignancy.append(outputs.malignancy_logit_B1[:, 0].double().cpu().numpy())
            diagnosis.append(outputs.diagnosis_logits_BK.double().cpu().numpy())
    return Predictions(
        malignancy_logit_N=np.concatenate(malignancy), diagnosis_logits_NK=np.concatenate(diagnosis)
    )
