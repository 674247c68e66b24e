"""How large a graph is: the two figures that the contract carries."""

from __future__ import annotations

import math

import onnx
from onnx import TensorProto

from training.export.errors import ExportError

_FLOATS = frozenset(
    {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}
)


def count_parameters(model: onnx.ModelProto) -> int:
    """Return the number of floating-point elements in the initializers of *model*."""
    return sum(
        math.prod(tensor.dims) for tensor in model.graph.initializer if tensor.data_type in _FLOATS
    )


def count_macs(model: onnx.ModelProto) -> int:
    """
    Return the multiply-adds of all Conv, Gemm and MatMul nodes for one picture.

    Raises:
        ExportError: A shape cannot be inferred.
    """
    single = onnx.ModelProto()
    single.CopyFrom(model)
    for value in [*single.graph.input, *single.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(single, strict_mode=True, data_prop=True).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.value_info, *graph.output]
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    macs = 0
    for node in graph.node:
        if node.op_type not in {"Conv", "Gemm", "MatMul"}:
            continue
        unknown = [name for name in (*node.input, *node.output) if 0 in shapes.get(name, [0])]
        if unknown:
            raise ExportError(f"{node.op_type}: no shape for {', '.join(unknown)}")
        out, left, weight = (shapes[n] for n in (node.output[0], node.input[0], node.input[1]))
        if node.op_type == "Conv":
            # A kernel is [out, in / group, kh, kw]: all but the first is summed over.
            inner = math.prod(weight[1:])
        else:
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            inner = left[0] if transposed else left[-1]
        macs += math.prod(out) * inner
    return macs
