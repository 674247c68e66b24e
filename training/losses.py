"""
What a network is asked for: the labels, and what its teacher thinks of the same picture.

Legend: ``B`` batch, ``K`` diagnoses.  Every loss is a mean over the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.data.case import UNKNOWN
from training.models import Outputs


def label_loss(
    outputs: Outputs, malignant_B: Tensor, diagnosis_B: Tensor, *, label_smoothing: float
) -> dict[str, Tensor]:
    """
    Cross-entropy of both questions.

    Args:
        outputs: Of the network.
        malignant_B: fp32, 0 or 1.
        diagnosis_B: int64, 0 to K-1, or ``UNKNOWN`` where a data set gives none.
        label_smoothing: Share spread evenly over all classes.

    Returns:
        Terms ``malignancy`` and ``diagnosis``, by name, to be added up.
    """
    smooth_B = malignant_B * (1 - label_smoothing) + label_smoothing / 2
    malignancy = functional.binary_cross_entropy_with_logits(
        outputs.malignancy_logit_B1[:, 0].float(), smooth_B
    )
    known_B = diagnosis_B != UNKNOWN
    if not known_B.any():
        return {"malignancy": malignancy}
    diagnosis = functional.cross_entropy(
        outputs.diagnosis_logits_BK.float()[known_B],
        diagnosis_B[known_B],
        label_smoothing=label_smoothing,
    )
    return {"malignancy": malignancy, "diagnosis": diagnosis}


def distillation_loss(
    student: Outputs, teacher: Outputs, *, kd_loss: str, kd_temperature: float
) -> dict[str, Tensor]:
    """
    Distance from the teacher's softened answers, times the temperature squared.

    The factor keeps the gradient's size independent of the temperature.  On the diagnoses there
    are two: ``kl``, the divergence, summed over diagnoses and averaged over the batch
    (``batchmean``), so that a share means the same for any number of classes; and ``dist``, which
    asks for the teacher's ranking only: of the diagnoses for each picture and of the pictures
    for each diagnosis.  On malignancy it is the divergence in both cases.

    Returns:
        Terms ``kd_diagnosis`` and ``kd_malignancy``.

    Sources: Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network" (2015);
    Huang et al., "Knowledge distillation from a stronger teacher" (NeurIPS 2022).
    """
    scale = kd_temperature**2
    said_BK, taught_BK = (
        functional.log_softmax(outputs.diagnosis_logits_BK.float() / kd_temperature, dim=1)
        for outputs in (student, teacher)
    )
    if kd_loss == "dist":
        said_BK, taught_BK = said_BK.exp(), taught_BK.exp()
        diagnosis = 2 - _correlation(said_BK, taught_BK) - _correlation(said_BK.T, taught_BK.T)
    else:
        diagnosis = functional.kl_div(said_BK, taught_BK, reduction="batchmean", log_target=True)
    soft_B = torch.sigmoid(teacher.malignancy_logit_B1[:, 0].float() / kd_temperature)
    logit_B = student.malignancy_logit_B1[:, 0].float() / kd_temperature
    # Cross-entropy minus the teacher's own entropy, so that a perfect copy has loss zero.
    malignancy = functional.binary_cross_entropy_with_logits(
        logit_B, soft_B
    ) - functional.binary_cross_entropy(soft_B, soft_B)
    return {"kd_diagnosis": scale * diagnosis, "kd_malignancy": scale * malignancy}


def _correlation(a_RC: Tensor, b_RC: Tensor) -> Tensor:
    """Pearson's correlation of each row, averaged over the rows."""
    a_RC, b_RC = (values - values.mean(dim=1, keepdim=True) for values in (a_RC, b_RC))
    return functional.cosine_similarity(a_RC, b_RC, dim=1).mean()
