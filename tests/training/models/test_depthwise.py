"""Faster gradients are the same gradients."""

import pytest
import torch
from torch import nn

from training import torchvision_operators
from training.models.depthwise import DepthwiseConv2d, speed_up_depthwise


def both(make, side):
    """Output and all gradients of a network as it is, and with its convolutions replaced."""
    found = []
    torch.manual_seed(0)
    pictures_BCHW = torch.rand(2, 6, side, side, dtype=torch.float64)
    network = make().double()
    for replaced in (False, True):
        if replaced:
            speed_up_depthwise(network)
        network.zero_grad()
        x_BCHW = pictures_BCHW.clone().requires_grad_()
        y_BCHW = network(x_BCHW)
        (y_BCHW * torch.linspace(0, 1, y_BCHW.numel()).view_as(y_BCHW)).sum().backward()
        gradients = [p.grad.clone() for p in network.parameters()]
        found.append([y_BCHW.detach(), x_BCHW.grad, *gradients])
    return found


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [8, 9])
def test_every_gradient_is_the_same(kernel, stride, side):
    plain, replaced = both(
        lambda: nn.Sequential(nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6, bias=False)),
        side,
    )
    for expected, given in zip(plain, replaced, strict=True):
        torch.testing.assert_close(given, expected)


def test_padding_as_tensorflow_does_it_is_kept():
    torchvision_operators.ensure_importable()
    from timm.layers import Conv2dSame

    plain, replaced = both(lambda: nn.Sequential(Conv2dSame(6, 6, 3, 2, groups=6, bias=False)), 8)
    for expected, given in zip(plain, replaced, strict=True):
        torch.testing.assert_close(given, expected)


def test_names_of_weights_and_other_convolutions_stay():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Sequential(nn.Conv2d(8, 8, 3, groups=8, bias=False))
    )
    before = network.state_dict()
    speed_up_depthwise(network)
    assert list(network.state_dict()) == list(before)
    assert isinstance(network[1][0], DepthwiseConv2d)
    assert type(network[0]) is nn.Conv2d


def test_under_autocast_it_computes_in_bf16_and_learns_in_fp32():
    network = nn.Sequential(nn.Conv2d(6, 6, 5, 2, 2, groups=6, bias=False))
    speed_up_depthwise(network)
    with torch.autocast("cpu", torch.bfloat16):
        y_BCHW = network(torch.rand(2, 6, 9, 9))
    assert y_BCHW.dtype == torch.bfloat16
    y_BCHW.float().sum().backward()
    assert network[0].weight.grad.dtype == torch.float32
