"""
The fused teacher: several timm backbones look at one picture, one head hears them all.

Inspired by arXiv 2406.17051, which joins three networks into a teacher; fusion head and
training are our own design.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from device.core.manifest import DIAGNOSES
from training.models.outputs import Outputs, combine
from training.models.weights import load_backbone, normalization
from training.runs import TeacherConfig


class Layer(NamedTuple):
    """Parameters of a backbone that lie equally deep."""

    parameters: list[nn.Parameter]
    depth: int
    """0 is the layer below the heads."""
    weight_decay: float
    """0 for biases and norms."""


class FusedTeacher(nn.Module):
    """
    From fp32 ``[B, 3, S, S]``, 0 to 1, to :class:`Outputs`.

    The pooled features of all backbones are concatenated.  The activation map is empty
    (``[B, 0, 0]``): backbones of different kinds share no grid.

    Args:
        config: The members.
        fresh: Leave all weights random, because others are loaded over them.
    """

    def __init__(self, config: TeacherConfig, *, fresh: bool = False) -> None:
        super().__init__()
        backbones = [
            load_backbone(backbone, drop_path=config.drop_path, fresh=fresh)
            for backbone in config.backbones
        ]
        self.backbones = nn.ModuleList(backbones)
        self.sides_px = [backbone.side_px for backbone in config.backbones]
        # Each backbone is shown what it was made for: its own mean and standard deviation.
        for index, (known, backbone) in enumerate(zip(config.backbones, backbones, strict=True)):
            for key, values in zip(("mean", "std"), normalization(known, backbone), strict=True):
                value = torch.tensor(values).view(1, 3, 1, 1)
                self.register_buffer(f"{key}_{index}", value, persistent=False)
        features = [_features(backbone) for backbone in backbones]
        hidden = config.hidden_channels * len(backbones)
        self.fusion = nn.Sequential(
            nn.Linear(sum(features), hidden), nn.ReLU(), nn.Dropout(config.dropout)
        )
        self.malignancy = nn.Linear(hidden, 1)
        self.diagnosis = nn.Linear(hidden, len(DIAGNOSES))

    def forward(self, x_BCHW: Tensor) -> Outputs:
        """Classify a batch of prepared pictures."""
        return self.hear(self.look(x_BCHW))

    def look(self, x_BCHW: Tensor) -> Tensor:
        """Return the pooled features of all backbones, ``[B, D]``."""
        features = []
        for index, backbone in enumerate(self.backbones):
            seen_BCHW = x_BCHW
            if (side_px := self.sides_px[index]) != x_BCHW.shape[-1]:
                # By area, as the resize stage does it.
                seen_BCHW = functional.interpolate(x_BCHW, size=(side_px, side_px), mode="area")
            mean, std = getattr(self, f"mean_{index}"), getattr(self, f"std_{index}")
            features.append(backbone((seen_BCHW - mean) / std))
        return torch.cat(features, dim=1)

    def hear(self, features_BD: Tensor) -> Outputs:
        """Classify by features; in fp32, whatever the backbones computed in."""
        with torch.autocast(features_BD.device.type, enabled=False):
            embedding_BE = self.fusion(features_BD.float())
            diagnosis_logits_BK = self.diagnosis(embedding_BE)
            return Outputs(
                combine(self.malignancy(embedding_BE), diagnosis_logits_BK),
                diagnosis_logits_BK,
                features_BD.new_zeros((len(features_BD), 0, 0)),
                embedding_BE,
            )

    @torch.no_grad()
    def begin_as_mean_of(self, members: Sequence[FusedTeacher]) -> None:
        """
        Take over single-backbone teachers, so that all heads say the mean of what theirs say.

        The fusion head starts from there: its first answer is that of an ensemble, and what it
        learns is where to trust whom.
        """
        fusion = self.linear_layers()[0]
        fusion.weight.zero_()
        column = row = 0
        for index, member in enumerate(members):
            self.backbones[index].load_state_dict(member.backbones[0].state_dict())
            part = member.linear_layers()[0]
            rows, columns = part.weight.shape
            fusion.weight[row : row + rows, column : column + columns] = part.weight
            fusion.bias[row : row + rows] = part.bias
            for whole, one in zip(
                self.linear_layers()[1:], member.linear_layers()[1:], strict=True
            ):
                whole.weight[:, row : row + rows] = one.weight / len(members)
            row, column = row + rows, column + columns
        layers = zip(self.linear_layers(), *(m.linear_layers() for m in members), strict=True)
        for whole, *parts in list(layers)[1:]:
            whole.bias.copy_(torch.stack([part.bias for part in parts]).mean(dim=0))

    def layers(self, weight_decay: float) -> list[Layer]:
        """Return the parameters of all backbones by their depth, as timm counts it."""
        from timm.optim import param_groups_layer_decay  # With the backbones it is imported.

        # With one half as the factor, the exponent of the scale that timm gives is the depth.
        groups = [
            group
            for backbone in self.backbones
            for group in param_groups_layer_decay(
                backbone, weight_decay=weight_decay, layer_decay=0.5
            )
        ]
        return [
            Layer(
                parameters=group["params"],
                depth=round(-math.log2(group["lr_scale"])),
                weight_decay=group["weight_decay"],
            )
            for group in groups
        ]

    def linear_layers(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        """Return fusion, malignancy and diagnosis."""
        # A cast, because a chain does not tell what its links are.
        return cast("nn.Linear", self.fusion[0]), self.malignancy, self.diagnosis


def _features(backbone: nn.Module) -> int:
    """Return how many features come out without a classifier."""
    known: Any = backbone
    # Some backbones widen their features once more.
    return int(getattr(known, "head_hidden_size", None) or known.num_features)
