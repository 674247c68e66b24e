"""
Depthwise convolutions whose gradients do not crawl on a CPU in bf16.

The forward pass of oneDNN's depthwise convolution is fast; two of its gradients are not.  With a
stride the gradient of the input takes 20 times as long as the forward pass, and with kernels
larger than 3 the gradient of the weight does.  The first is another depthwise convolution, over
the gradient with zeros between its pixels; the second is faster in fp32.  Same result, and a
training step of EfficientNet-lite0 in half the time.  On a GPU nothing is replaced.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_FAST_KERNEL = 3
"""Largest kernel whose weight gradient is fast in bf16 too."""


def speed_up_depthwise(network: nn.Module) -> None:
    """Put :class:`DepthwiseConv2d` in the place of every depthwise convolution, weights kept."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d) and _is_depthwise(child):
                setattr(parent, name, DepthwiseConv2d.of(child))


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution over fp32 or bf16 ``[B, C, H, W]``; parameters as in ``Conv2d``."""

    same: bool
    """Whether the input is padded as TensorFlow does: so that a stride divides the side."""

    @classmethod
    def of(cls, other: nn.Conv2d) -> DepthwiseConv2d:
        """Return one with the very parameters of *other*."""
        # Torch's types ask for a pair, and call what it keeps a tuple of any length.
        new = cls(
            other.in_channels,
            other.out_channels,
            other.kernel_size,  # type: ignore[arg-type]
            other.stride,  # type: ignore[arg-type]
            other.padding,  # type: ignore[arg-type]
            groups=other.groups,
            bias=False,
        )
        new.weight = other.weight
        new.same = type(other).__name__ == "Conv2dSame"
        new.train(other.training)
        return new

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Convolve each channel with its own kernel."""
        (stride, _), (kernel, _) = self.stride, self.kernel_size
        padding = int(self.padding[0])
        if self.same:
            height, width = (_same_padding(side, kernel, stride) for side in x_BCHW.shape[2:])
            x_BCHW = functional.pad(x_BCHW, (*width, *height))
            padding = 0
        y_BCHW: Tensor = _Depthwise.apply(x_BCHW, self.weight, stride, padding)
        return y_BCHW


class _Depthwise(torch.autograd.Function):
    """The convolution with its two gradients."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu")
    def forward(ctx: Any, x_BCHW: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            x_BCHW, weight = x_BCHW.to(dtype), weight.to(dtype)
        ctx.save_for_backward(x_BCHW, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(x_BCHW, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x_BCHW, weight = ctx.saved_tensors
        gradient_BCHW = gradients[0].contiguous(memory_format=torch.channels_last)
        stride, padding, kernel = ctx.stride, ctx.padding, weight.shape[-1]
        input_gradient = weight_gradient = None
        if ctx.needs_input_grad[0]:
            input_gradient = _input_gradient(gradient_BCHW, weight, x_BCHW, stride, padding)
        if ctx.needs_input_grad[1]:
            if kernel > _FAST_KERNEL and x_BCHW.dtype == torch.bfloat16:
                x_BCHW, gradient_BCHW = x_BCHW.float(), gradient_BCHW.float()
            _, weight_gradient, _ = torch.ops.aten.convolution_backward(
                gradient_BCHW,
                x_BCHW,
                weight.to(x_BCHW.dtype),
                None,
                [stride, stride],
                [padding, padding],
                [1, 1],
                False,  # noqa: FBT003 - not transposed
                [0, 0],
                len(weight),
                [False, True, False],
            )
        return input_gradient, weight_gradient, None, None


def _input_gradient(
    gradient_BCHW: Tensor, weight: Tensor, x_BCHW: Tensor, stride: int, padding: int
) -> Tensor:
    """Correlate the gradient, spread out again by the stride, with the mirrored kernel."""
    kernel = weight.shape[-1]
    height, width = x_BCHW.shape[2:]
    margin = kernel - 1 - padding
    if stride > 1:
        spread = gradient_BCHW.new_zeros(
            (
                *gradient_BCHW.shape[:2],
                height + 2 * padding - kernel + 1,
                width + 2 * padding - kernel + 1,
            )
        ).contiguous(memory_format=torch.channels_last)
        spread[:, :, ::stride, ::stride] = gradient_BCHW
        gradient_BCHW = spread
    return functional.conv2d(gradient_BCHW, weight.flip(2, 3), None, 1, margin, groups=len(weight))


def _same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return missing // 2, missing - missing // 2


def _is_depthwise(module: nn.Conv2d) -> bool:
    return (
        not isinstance(module, DepthwiseConv2d)
        and module.groups == module.in_channels == module.out_channels > 1
        and module.bias is None
        and module.dilation == (1, 1)
        and module.kernel_size[0] == module.kernel_size[1]
        and module.stride[0] == module.stride[1]
    )
