"""
The fused teacher: several timm backbones look at one picture, one head hears them all.

Inspired by arXiv 2406.17051, which joins three networks into a teacher; fusion head and
training are our own design.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from device.core.manifest import DIAGNOSES
from training import torchvision_operators
from training.models.outputs import Outputs, combine
from training.runs import TeacherConfig


class FusedTeacher(nn.Module):
    """
    From fp32 ``[B, 3, S, S]``, 0 to 1, to :class:`Outputs`.

    The pooled features of all backbones are concatenated.  The activation map is empty
    (``[B, 0, 0]``): backbones of different kinds share no grid.
    """

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        torchvision_operators.ensure_importable()
        import timm  # After the operators, and not at all for a student.

        backbones: list[Any] = [
            timm.create_model(name, pretrained=False, num_classes=0) for name in config.backbones
        ]
        self.backbones = nn.ModuleList(backbones)
        # Each backbone is shown what it was made for: its own mean and standard deviation.
        for index, backbone in enumerate(backbones):
            for key in ("mean", "std"):
                value = torch.tensor(backbone.pretrained_cfg[key]).view(1, 3, 1, 1)
                self.register_buffer(f"{key}_{index}", value, persistent=False)
        # What comes out without a classifier: some backbones widen their features once more.
        features = sum(
            getattr(backbone, "head_hidden_size", backbone.num_features) for backbone in backbones
        )
        self.fusion = nn.Sequential(
            nn.Linear(features, config.hidden_channels), nn.ReLU(), nn.Dropout(config.dropout)
        )
        self.malignancy = nn.Linear(config.hidden_channels, 1)
        self.diagnosis = nn.Linear(config.hidden_channels, len(DIAGNOSES))

    def forward(self, x_BCHW: Tensor) -> Outputs:
        """Classify a batch of prepared pictures."""
        features = [
            backbone((x_BCHW - getattr(self, f"mean_{i}")) / getattr(self, f"std_{i}"))
            for i, backbone in enumerate(self.backbones)
        ]
        embedding_BD = self.fusion(torch.cat(features, dim=1))
        diagnosis_logits_BK = self.diagnosis(embedding_BD)
        return Outputs(
            combine(self.malignancy(embedding_BD), diagnosis_logits_BK),
            diagnosis_logits_BK,
            x_BCHW.new_zeros((len(x_BCHW), 0, 0)),
            embedding_BD,
        )
