"""What every network of ours says about a batch, and how its two heads become one number."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from device.core.manifest import DIAGNOSES, MALIGNANT_DIAGNOSES
from training.runs import Pooling

NEAR_MAXIMUM = 0.9
"""A maximum is credited to the places that come within this share of it."""
ALMOST_ZERO = 1e-12

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
    Malignancy and diagnosis from one feature map.

    The malignancy head is linear and so is the mean, so the head applied at each place is an
    exact map of the evidence, at no cost.  With the maximum it is exact too: each channel's
    maximum is first laid back on the places that it came from, see :func:`credit_maximum`.
    """

    def __init__(self, channels: int, dropout: float, pooling: Pooling = "average") -> None:
        super().__init__()
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.malignancy = nn.Linear(channels, 1)
        self.diagnosis = nn.Linear(channels, len(DIAGNOSES))

    def forward(self, features_BDHW: Tensor) -> Outputs:
        """Pool and classify fp32 features ``[B, D, H, W]``, none of them negative."""
        embedding_BD, credited_BDHW = self.pool(features_BDHW)
        weight_1D11 = self.malignancy.weight[:, :, None, None]
        activation_map_BHW = nn.functional.conv2d(credited_BDHW, weight_1D11)[:, 0]
        return self.hear(embedding_BD)._replace(activation_map_BHW=activation_map_BHW)

    def hear(self, embedding_BD: Tensor) -> Outputs:
        """Classify by an embedding alone: the activation map is empty, ``[B, 0, 0]``."""
        dropped_BD = self.dropout(embedding_BD)
        diagnosis_logits_BK = self.diagnosis(dropped_BD)
        return Outputs(
            combine(self.malignancy(dropped_BD), diagnosis_logits_BK),
            diagnosis_logits_BK,
            embedding_BD.new_zeros((len(embedding_BD), 0, 0)),
            embedding_BD,
        )

    def pool(self, features_BDHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding and the map of which it is the mean."""
        average_BD = features_BDHW.mean(dim=(2, 3))
        if self.pooling == "average":
            return average_BD, features_BDHW
        maximum_BD, credited_BDHW = features_BDHW.amax(dim=(2, 3)), credit_maximum(features_BDHW)
        if self.pooling == "max":
            return maximum_BD, credited_BDHW
        return (average_BD + maximum_BD) / 2, (features_BDHW + credited_BDHW) / 2


def credit_maximum(features_BDHW: Tensor) -> Tensor:
    """
    Spread each channel's maximum over the places that come near it.

    A place counts by how far it exceeds :data:`NEAR_MAXIMUM` of the maximum, so that two places
    that differ by rounding share the credit alike in every runtime, where picking one would be a
    toss.

    Args:
        features_BDHW: fp32, not negative.

    Returns:
        The same shape; the mean over all places is the maximum, elsewhere is zero.
    """
    maximum_BD11 = features_BDHW.amax(dim=(2, 3), keepdim=True)
    excess_BDHW = torch.relu(features_BDHW - NEAR_MAXIMUM * maximum_BD11)
    share_BDHW = excess_BDHW / (excess_BDHW.mean(dim=(2, 3), keepdim=True) + ALMOST_ZERO)
    return maximum_BD11 * share_BDHW


def combine(head_logit_B1: Tensor, diagnosis_logits_BK: Tensor) -> Tensor:
    """Average the log-odds of the two heads; the rule is :data:`COMBINATION`."""
    malignant = [DIAGNOSES.index(code) for code in MALIGNANT_DIAGNOSES]
    benign = [index for index in range(len(DIAGNOSES)) if index not in malignant]
    derived_B1 = torch.logsumexp(
        diagnosis_logits_BK[:, malignant], dim=1, keepdim=True
    ) - torch.logsumexp(diagnosis_logits_BK[:, benign], dim=1, keepdim=True)
    return (head_logit_B1 + derived_B1) / 2
