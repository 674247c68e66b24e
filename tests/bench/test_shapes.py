"""Peers have the shapes that were published: as many weights and multiply-adds."""

import onnx
import pytest

from bench.shapes import PEERS, matrix_product

# Weights and one bias for each output channel, as with batch normalisation folded in; multiply-adds
# at 224 px.  The same numbers come of torchvision's and timm's networks, as the slow test shows.
SIZES = {
    "MobileNetV2": (3_487_816, 300_774_272),
    "MobileNetV3-Small": (2_536_800, 56_510_400),
    "EfficientNet-Lite0": (4_631_000, 385_187_552),
    "SqueezeNet 1.1": (1_235_496, 349_151_936),
}


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_has_the_published_size(name):
    network = PEERS[name]()
    assert (network.parameters, network.macs) == SIZES[name]
    stored = onnx.load_from_string(network.content).graph.initializer
    in_file = sum(onnx.numpy_helper.to_array(tensor).size for tensor in stored)
    # The ceilings of rectifiers are in the file and no parameters.
    assert network.parameters <= in_file <= network.parameters + 100


def reference(name):
    from training.torchvision_operators import ensure_importable

    ensure_importable()
    import timm
    import torchvision

    return {
        "MobileNetV2": torchvision.models.mobilenet_v2,
        "MobileNetV3-Small": torchvision.models.mobilenet_v3_small,
        "EfficientNet-Lite0": lambda: timm.create_model("efficientnet_lite0"),
        "SqueezeNet 1.1": torchvision.models.squeezenet1_1,
    }[name]()


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_the_libraries_that_publish_it_count_the_same(name):
    import torch
    from torch import nn

    network, macs = reference(name).eval(), 0

    def count(module, _inputs, output):
        nonlocal macs
        is_linear = isinstance(module, nn.Linear)
        macs += module.weight.numel() if is_linear else output.numel() * module.weight[0].numel()

    layers = [each for each in network.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    for layer in layers:
        layer.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.zeros(1, 3, 224, 224))
    parameters = sum(layer.weight.numel() + layer.weight.shape[0] for layer in layers)
    assert (parameters, macs) == SIZES[name]


def test_the_product_is_one_of_matrices():
    graph = onnx.load_from_string(matrix_product(8)).graph
    assert [node.op_type for node in graph.node] == ["MatMul"]
