"""The student's graph, read: with fp32 weights, and as steps that other runtimes can be given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

HEADS = ("activation_map", "embedding", "diagnosis_logits")
"""What a translation must give; the combination of both heads behind them costs nothing."""
_FLOAT_BYTES = 4
_DONE_BEFOREHAND = frozenset({"Cast", "Mul"})
"""What the exporter does to a stored weight; the runtime does it when it loads the file."""
_READ = frozenset(
    {"Add", "Cast", "Conv", "Flatten", "Gather", "Gemm", "GlobalAveragePool", "Mul"}
    | {"ReduceLogSumExp", "Relu", "Squeeze", "Sub", "Transpose"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A step from results to a result, batch 1."""

    kind: str
    """``conv``, ``add``, ``pool`` (the mean over all places) or ``linear``."""
    inputs: tuple[str, ...]
    output: str
    weight: NDArray[np.float32] | None = None
    """``[out, in / groups, kh, kw]``, for ``linear`` ``[out, in]``."""
    bias: NDArray[np.float32] | None = None
    stride: int = 1
    pad: int = 0
    groups: int = 1
    rectifies: bool = False
    """Whether what is below zero becomes zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The student up to its heads: ``x * scale + shift``, then the layers."""

    side_px: int
    scale: float
    shift: float
    layers: tuple[Layer, ...]
    outputs: Mapping[str, str]
    """From a head to the result that holds it."""


def with_fp32_weights(content: bytes) -> bytes:
    """Return the file with weights as they are computed with: fp32, Casts and factors done."""
    model = onnx.load_from_string(content)
    graph = model.graph
    values = _values(graph)
    for node in list(graph.node):
        if node.op_type not in _DONE_BEFOREHAND or not set(node.input) <= set(values):
            continue
        arrays = [values[name].astype(np.float32) for name in node.input]
        values[node.output[0]] = arrays[0] if node.op_type == "Cast" else arrays[0] * arrays[1]
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in values.items() if name in used
    )
    return bytes(model.SerializeToString())


def moved_bytes(content: bytes) -> int:
    """Bytes of all weights and of every result, written once and read once, in fp32."""
    model = onnx.load_from_string(with_fp32_weights(content))
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*inferred.input, *inferred.value_info, *inferred.output]
    }
    # A rectifier is done together with what is before it.
    passed_by = {node.output[0] for node in inferred.node if node.op_type == "Relu"}
    results = sum(math.prod(shape) for name, shape in shapes.items() if name not in passed_by)
    weights = sum(math.prod(tensor.dims) for tensor in inferred.initializer)
    return _FLOAT_BYTES * (weights + 2 * results)


def translate(content: bytes) -> Translation:
    """
    Read the student as the exporter writes it.

    Raises:
        ValueError: The graph has a step that the student's exporter does not write.
    """
    graph = onnx.load_from_string(with_fp32_weights(content)).graph
    if unknown := sorted({node.op_type for node in graph.node} - _READ):
        raise ValueError(f"expected the steps of a student, found {', '.join(unknown)}")
    scale, shift = _normalization(graph)
    reading = _Reading(graph)
    for node in graph.node:
        reading.read(node)
    return Translation(
        side_px=graph.input[0].type.tensor_type.shape.dim[1].dim_value,
        scale=scale,
        shift=shift,
        layers=tuple(reading.layers),
        outputs=reading.outputs,
    )


class _Reading:
    """Goes through the graph once, in its order."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.layers: list[Layer] = []
        self.outputs = {name: name for name in HEADS}
        self._values = _values(graph)
        self._users: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)
        first = next(node for node in graph.node if node.op_type == "Conv")
        self._alias = {first.input[0]: "image"}

    def read(self, node: onnx.NodeProto) -> None:
        """Append what *node* is, if it is part of the trunk or of a head."""
        source, result = self._named(node.input[0]), node.output[0]
        users = self._users.get(result, [])
        if node.op_type == "Conv":
            self.layers.append(_conv(node, self._values, source, users))
        elif node.op_type == "Relu":
            self._alias[result] = source
        elif node.op_type == "Add" and any(user.op_type == "Conv" for user in users):
            if result not in self._alias:  # The last step of the normalisation is the image.
                sources = (source, self._named(node.input[1]))
                self.layers.append(Layer(kind="add", inputs=sources, output=result))
        elif node.op_type == "GlobalAveragePool" and users[0].output[0] == "embedding":
            self.layers.append(Layer(kind="pool", inputs=(source,), output="embedding"))
        elif node.op_type == "Gemm":
            weight, bias = (self._values[name] for name in node.input[1:3])
            self.layers.append(
                Layer(kind="linear", inputs=(source,), output=result, weight=weight, bias=bias)
            )
        elif node.op_type == "Squeeze":
            self.outputs["activation_map"] = source

    def _named(self, name: str) -> str:
        return self._alias.get(name, name)


def _values(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _normalization(graph: onnx.GraphProto) -> tuple[float, float]:
    """Read the product and the sum before the first convolution, where there are such."""
    values = _values(graph)
    found = {"Mul": 1.0, "Add": 0.0}
    for node in graph.node:
        if node.op_type == "Conv":
            break
        if node.op_type in found:
            found[node.op_type] = float(values[node.input[1]])
    return found["Mul"], found["Add"]


def _conv(
    node: onnx.NodeProto,
    values: Mapping[str, NDArray[Any]],
    source: str,
    users: list[onnx.NodeProto],
) -> Layer:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    weight = values[node.input[1]]
    pads = attributes.get("pads", [0, 0, 0, 0])
    strides = attributes.get("strides", [1, 1])
    if len(set(pads)) != 1 or len(set(strides)) != 1:
        raise ValueError(f"expected equal pads and strides, found {pads} and {strides}")
    return Layer(
        kind="conv",
        inputs=(source,),
        output=node.output[0],
        weight=weight,
        bias=values[node.input[2]] if len(node.input) > 2 else None,  # noqa: PLR2004 - x, w, bias
        stride=strides[0],
        pad=pads[0],
        groups=attributes.get("group", 1),
        rectifies=len(users) == 1 and users[0].op_type == "Relu",
    )
