"""What every network of ours says about a batch, and how its two heads become one number."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from device.core.manifest import DIAGNOSES, MALIGNANT_DIAGNOSES

COMBINATION = (
    "malignancy_logit = (m + logsumexp(diagnosis_logits of malignant) - "
    "logsumexp(diagnosis_logits of benign)) / 2, where m is the malignancy head"
)


class Outputs(NamedTuple):
    """Legend: ``B`` batch, ``K`` diagnoses, ``H``, ``W`` last feature map, ``D`` features."""

    malignancy_logit_B1: Tensor
    """Both heads combined, see :data:`COMBINATION`."""
    diagnosis_logits_BK: Tensor
    activation_map_BHW: Tensor
    """Evidence for malignancy at each place; its mean is the malignancy head without bias."""
    embedding_BD: Tensor


class Heads(nn.Module):
    """
    Malignancy and diagnosis from one feature map by average pooling.

    The malignancy head is linear and so is the mean, so the head applied at each place is an
    exact map of the evidence, at no cost.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.malignancy = nn.Linear(channels, 1)
        self.diagnosis = nn.Linear(channels, len(DIAGNOSES))

    def forward(self, features_BDHW: Tensor) -> Outputs:
        """Pool and classify fp32 features ``[B, D, H, W]``."""
        embedding_BD = features_BDHW.mean(dim=(2, 3))
        dropped_BD = self.dropout(embedding_BD)
        diagnosis_logits_BK = self.diagnosis(dropped_BD)
        weight_1D11 = self.malignancy.weight[:, :, None, None]
        activation_map_BHW = nn.functional.conv2d(features_BDHW, weight_1D11)[:, 0]
        return Outputs(
            combine(self.malignancy(dropped_BD), diagnosis_logits_BK),
            diagnosis_logits_BK,
            activation_map_BHW,
            embedding_BD,
        )


def combine(head_logit_B1: Tensor, diagnosis_logits_BK: Tensor) -> Tensor:
    """Average the log-odds of the two heads; the rule is :data:`COMBINATION`."""
    malignant = [DIAGNOSES.index(code) for code in MALIGNANT_DIAGNOSES]
    benign = [index for index in range(len(DIAGNOSES)) if index not in malignant]
    derived_B1 = torch.logsumexp(
        diagnosis_logits_BK[:, malignant], dim=1, keepdim=True
    ) - torch.logsumexp(diagnosis_logits_BK[:, benign], dim=1, keepdim=True)
    return (head_logit_B1 + derived_B1) / 2
