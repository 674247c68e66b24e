"""
Networks that others would put on such a board, as ONNX graphs with weights made up.

How long a network takes depends on its shape and not on what it has learnt, so nothing is
downloaded.  Batch normalisation is folded into the convolutions, as wherever such a network is
deployed.  Input: fp32 ``[1, 3, 224, 224]``; output: 1,000 logits, the shape as published.

Legend: C channels, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE_PX = 224
CLASSES = 1000
_OPSET = 17
_IR_VERSION = 9
_SEED = 0
_DIVISOR = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A graph and its size."""

    content: bytes
    """Of an ONNX file."""
    parameters: int
    """Weights and biases."""
    macs: int
    """Multiply-adds of all convolutions and matrix products for one picture."""


@dataclass(frozen=True, slots=True)
class _Value:
    """A result inside of the graph, by name, with its shape."""

    name: str
    channels: int
    side: int


class _Graph:
    """A graph under construction that counts what it costs."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.parameters = 0
        self.macs = 0
        self._rng = np.random.default_rng(_SEED)

    def node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, value: NDArray[np.float32]) -> str:
        """Append an initializer and return its name."""
        name = f"i{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def weights(self, *shape: int) -> list[str]:
        """Append made-up weights, sized so that signals neither die nor explode, and biases."""
        fan_in = math.prod(shape[1:])
        values = self._rng.normal(0, math.sqrt(2 / fan_in), shape).astype(np.float32)
        biases = self._rng.normal(0, 0.1, shape[0]).astype(np.float32)
        self.parameters += values.size + biases.size
        return [self.constant(values), self.constant(biases)]

    def conv(
        self, x: _Value, out: int, kernel: int = 1, stride: int = 1, *, groups: int = 1,
        pad: int | None = None,
    ) -> _Value:  # fmt: skip
        """Append a convolution that keeps the side, but for its stride."""
        pad = kernel // 2 if pad is None else pad
        side = (x.side + 2 * pad - kernel) // stride + 1
        name = self.node(
            "Conv",
            [x.name, *self.weights(out, x.channels // groups, kernel, kernel)],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
            group=groups,
        )
        self.macs += out * side * side * (x.channels // groups) * kernel * kernel
        return _Value(name, out, side)

    def on(self, x: _Value, operator: str, *more: str, **attributes: Any) -> _Value:
        """Append a node that keeps the shape."""
        return _Value(self.node(operator, [x.name, *more], **attributes), x.channels, x.side)

    def relu6(self, x: _Value) -> _Value:
        """Append a rectifier with a ceiling."""
        zero, six = (self.constant(np.array(level, dtype=np.float32)) for level in (0, 6))
        return self.on(x, "Clip", zero, six)

    def relu(self, x: _Value) -> _Value:
        """Append a rectifier."""
        return self.on(x, "Relu")

    def hard_swish(self, x: _Value) -> _Value:
        """Append MobileNetV3's own activation."""
        return self.on(x, "HardSwish")

    def linear(self, x: _Value, out: int) -> _Value:
        """Append a matrix product on pooled features."""
        name = self.node("Gemm", [x.name, *self.weights(out, x.channels)], transB=1)
        self.macs += x.channels * out
        return _Value(name, out, 1)

    def pooled(self, x: _Value) -> _Value:
        """Append the mean over all places."""
        pooled = self.node("GlobalAveragePool", [x.name])
        return _Value(self.node("Flatten", [pooled]), x.channels, 1)

    def squeeze_excite(self, x: _Value, squeezed: int) -> _Value:
        """Append a gain for each channel that depends on the whole picture."""
        gain = _Value(self.node("GlobalAveragePool", [x.name]), x.channels, 1)
        gain = self.conv(self.relu(self.conv(gain, squeezed)), x.channels)
        gain = self.on(gain, "HardSigmoid", alpha=1 / 6, beta=0.5)
        return self.on(x, "Mul", gain.name)

    def finished(self, logits: _Value) -> Network:
        """Return the graph as a file."""
        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                "peer",
                [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE_PX, SIDE_PX])],
                [helper.make_tensor_value_info(logits.name, TensorProto.FLOAT, [1, CLASSES])],
                initializer=self.initializers,
            ),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="edgederm-bench",
        )
        onnx.checker.check_model(model, full_check=True)
        return Network(
            content=model.SerializeToString(), parameters=self.parameters, macs=self.macs
        )


_Activation = Callable[[_Value], _Value]


def _inverted(
    graph: _Graph, x: _Value, out: int, *, hidden: int, kernel: int, stride: int, act: _Activation,
    squeezed: int = 0,
) -> _Value:  # fmt: skip
    """Append an inverted residual block: widen, look around, narrow, add."""
    y = x if hidden == x.channels else act(graph.conv(x, hidden))
    y = act(graph.conv(y, hidden, kernel, stride, groups=hidden))
    if squeezed:
        y = graph.squeeze_excite(y, squeezed)
    y = graph.conv(y, out)
    return graph.on(x, "Add", y.name) if stride == 1 and out == x.channels else y


def _divisible(channels: float) -> int:
    """Round to a multiple of 8, down by at most a tenth."""
    rounded = max(_DIVISOR, int(channels + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return rounded + _DIVISOR if rounded < 0.9 * channels else rounded


def _of_inverted(table: tuple[tuple[int, ...], ...]) -> Network:
    """Write a network of stem, inverted blocks, head; rows: see its use."""
    graph = _Graph()
    x = graph.relu6(graph.conv(_Value("x", 3, SIDE_PX), 32, 3, 2))
    for widening, out, count, stride, kernel in table:
        for number in range(count):
            x = _inverted(
                graph, x, out, hidden=x.channels * widening, kernel=kernel,
                stride=stride if number == 0 else 1, act=graph.relu6,
            )  # fmt: skip
    x = graph.relu6(graph.conv(x, 1280))
    return graph.finished(graph.linear(graph.pooled(x), CLASSES))


def mobilenet_v2() -> Network:
    """Source: Sandler et al., "MobileNetV2" (CVPR 2018), table 2; width 1."""
    return _of_inverted(
        (
            (1, 16, 1, 1, 3),
            (6, 24, 2, 2, 3),
            (6, 32, 3, 2, 3),
            (6, 64, 4, 2, 3),
            (6, 96, 3, 1, 3),
            (6, 160, 3, 2, 3),
            (6, 320, 1, 1, 3),
        )
    )


def efficientnet_lite0() -> Network:
    """Source: Tan & Le, "EfficientNet" (ICML 2019), table 1, without squeeze-and-excitation."""
    return _of_inverted(
        (
            (1, 16, 1, 1, 3),
            (6, 24, 2, 2, 3),
            (6, 40, 2, 2, 5),
            (6, 80, 3, 2, 3),
            (6, 112, 3, 1, 5),
            (6, 192, 4, 2, 5),
            (6, 320, 1, 1, 3),
        )
    )


def mobilenet_v3_small() -> Network:
    """Source: Howard et al., "Searching for MobileNetV3" (ICCV 2019), table 2."""
    graph = _Graph()
    x = graph.hard_swish(graph.conv(_Value("x", 3, SIDE_PX), 16, 3, 2))
    # kernel, hidden, out, squeezes, swishes, stride
    for kernel, hidden, out, squeezes, swishes, stride in (
        (3, 16, 16, True, False, 2),
        (3, 72, 24, False, False, 2),
        (3, 88, 24, False, False, 1),
        (5, 96, 40, True, True, 2),
        (5, 240, 40, True, True, 1),
        (5, 240, 40, True, True, 1),
        (5, 120, 48, True, True, 1),
        (5, 144, 48, True, True, 1),
        (5, 288, 96, True, True, 2),
        (5, 576, 96, True, True, 1),
        (5, 576, 96, True, True, 1),
    ):
        x = _inverted(
            graph, x, out, hidden=hidden, kernel=kernel, stride=stride,
            act=graph.hard_swish if swishes else graph.relu,
            squeezed=_divisible(hidden / 4) if squeezes else 0,
        )  # fmt: skip
    x = graph.pooled(graph.hard_swish(graph.conv(x, 576)))
    return graph.finished(graph.linear(graph.hard_swish(graph.linear(x, 1024)), CLASSES))


def squeezenet() -> Network:
    """Source: Iandola et al., "SqueezeNet" (2016), in its version 1.1."""
    graph = _Graph()

    def shrunk(x: _Value) -> _Value:
        name = graph.node("MaxPool", [x.name], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
        return _Value(name, x.channels, math.ceil((x.side - 3) / 2) + 1)

    def fire(x: _Value, squeezed: int, expanded: int) -> _Value:
        x = graph.relu(graph.conv(x, squeezed))
        near = graph.relu(graph.conv(x, expanded))
        wide = graph.relu(graph.conv(x, expanded, 3))
        return _Value(graph.node("Concat", [near.name, wide.name], axis=1), 2 * expanded, x.side)

    x = shrunk(graph.relu(graph.conv(_Value("x", 3, SIDE_PX), 64, 3, 2, pad=0)))
    x = shrunk(fire(fire(x, 16, 64), 16, 64))
    x = shrunk(fire(fire(x, 32, 128), 32, 128))
    for squeezed, expanded in ((48, 192), (48, 192), (64, 256), (64, 256)):
        x = fire(x, squeezed, expanded)
    return graph.finished(graph.pooled(graph.relu(graph.conv(x, CLASSES))))


PEERS: Mapping[str, Callable[[], Network]] = MappingProxyType(
    {
        "MobileNetV2": mobilenet_v2,
        "MobileNetV3-Small": mobilenet_v3_small,
        "EfficientNet-Lite0": efficientnet_lite0,
        "SqueezeNet 1.1": squeezenet,
    }
)


def matrix_product(side: int) -> bytes:
    """Write a single product of two square matrices, the second one known beforehand."""
    rng = np.random.default_rng(_SEED)
    known = numpy_helper.from_array(rng.normal(size=(side, side)).astype(np.float32), "b")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [side, side]) for n in ("x", "y")]
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "b"], ["y"])], "product", ends[:1], ends[1:], [known]
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    return model.SerializeToString()
