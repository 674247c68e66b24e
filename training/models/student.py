"""
The student: under 240,000 weights and 40 million multiply-adds, ReLU only.

A chain of blocks: inverted residuals, where weights are scarce and depthwise convolutions save
them; fused ones, for early stages; and the separable one with which MobileNets begin.

Sources: Sandler et al., "MobileNetV2" (CVPR 2018) for inverted residuals; Tan & Le,
"EfficientNetV2" (ICML 2021) for fused ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.outputs import Heads, Outputs
from training.runs import BlockConfig, StudentConfig


class Student(nn.Module):
    """
    From fp32 ``[B, 3, S, S]``, 0 to 1, to :class:`Outputs`.

    Pictures are not normalised before: batch normalisation behind the first convolution does it,
    and what is not there costs no time on the board.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, config.stem_channels, 3, stride=2)]
        channels = config.stem_channels
        for block in config.blocks:
            for repeat in range(block.repeats):
                layers.append(Block(channels, block, stride=block.stride if repeat == 0 else 1))
                channels = block.channels
        layers.append(_convolution(channels, config.embedding_channels, 1))
        self.trunk = nn.Sequential(*layers)
        self.heads = Heads(config.embedding_channels, config.dropout, config.pooling)

    def forward(self, x_BCHW: Tensor) -> Outputs:
        """Classify a batch of prepared pictures."""
        features_BDHW = self.trunk(x_BCHW)
        # In fp32, whatever the trunk computed in: the logits decide.
        with torch.autocast(x_BCHW.device.type, enabled=False):
            outputs: Outputs = self.heads(features_BDHW.float())
        return outputs

    def look(self, x_BCHW: Tensor) -> Tensor:
        """Return the embedding ``[B, D]`` alone, for :meth:`hear`."""
        embedding_BD, _ = self.heads.pool(self.trunk(x_BCHW).float())
        return embedding_BD

    def hear(self, features_BD: Tensor) -> Outputs:
        """Classify by the embedding, without an activation map."""
        return self.heads.hear(features_BD)


class Block(nn.Module):
    """Residual block with an expanded middle; no activation after the projection."""

    def __init__(self, channels: int, config: BlockConfig, *, stride: int) -> None:
        super().__init__()
        middle = channels * config.expansion
        layers = []
        if config.kind == "fused":
            layers.append(_convolution(channels, middle, 3, stride=stride))
        else:
            if config.kind == "inverted":
                layers.append(_convolution(channels, middle, 1))
            layers.append(_convolution(middle, middle, config.kernel, stride=stride, groups=middle))
        layers.append(_convolution(middle, config.channels, 1, activate=False))
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and channels == config.channels

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Transform, and add the input where shapes allow it."""
        y_BCHW: Tensor = self.layers(x_BCHW)
        return x_BCHW + y_BCHW if self.adds else y_BCHW


def _convolution(
    channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1, activate: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    ]
    if activate:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
