"""
From a trained student to an ONNX graph that every ONNX Runtime from 1.20 loads.

The graph is written node by node: a student is a chain of convolutions, so that is shorter
than what an exporter of torch needs to be told, and every name and type in the file is ours.
Batch normalisation is folded into the convolutions.  Weights are stored as fp16, each followed
by one Cast, and everything is computed in fp32: the runtime folds the Casts when it loads the
file, so they cost half the bytes and no time.  Biases stay fp32; they are few, and the folded
shift of the normalisation is in them.  So do small kernels: together they are a few kilobytes, and
they stand at the beginning, where what rounding does to one weight passes through all that follows.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from device.core.manifest import DIAGNOSES, MALIGNANT_DIAGNOSES
from training.export.errors import ExportError
from training.models import Student
from training.models.outputs import ALMOST_ZERO, NEAR_MAXIMUM
from training.models.student import Block
from training.runs import Pooling

OPSET = 17
IR_VERSION = 9
OUTPUTS = ("malignancy_logit", "diagnosis_logits", "activation_map", "embedding")

_LARGEST_PIXEL = 255
_SMALL_KERNEL = 1000
"""A kernel of so many weights, or fewer, stays fp32."""
_LARGEST_FP16 = float(np.finfo(np.float16).max)
_SMALLEST_NORMAL_FP16 = float(np.finfo(np.float16).tiny)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A graph, and the torch network that computes the same from the same rounded weights."""

    model: onnx.ModelProto
    rounded: Student
    subnormal_weights: int
    """Weights that are not zero and below 6.1e-5, where fp16 has fewer digits."""


def export_graph(student: Student, side_px: int, *, rounds: bool = True) -> Exported:
    """
    Write *student* as a graph over uint8 pictures of *side_px*.

    The input is ``image``, uint8 ``[N, H, W, 3]`` RGB; outputs are :data:`OUTPUTS`, fp32.

    Args:
        student: Trained; not changed.
        side_px: Height and width of the input, fixed.
        rounds: Store weights as fp16, as what ships; without it they stay fp32, at twice the
            size, to measure what the rounding costs.

    Raises:
        ExportError: A weight does not fit into fp16, or a layer has no translation.
    """
    rounded = fold(student)
    subnormal = _round_weights(rounded) if rounds else 0
    with torch.no_grad():
        h, w = rounded(torch.zeros(1, 3, side_px, side_px)).activation_map_BHW.shape[1:]
    graph = _Graph(np.float16 if rounds else np.float32)
    _heads(graph, rounded, _trunk(graph, rounded))
    shapes: dict[str, list[int | str]] = {
        "malignancy_logit": ["N", 1],
        "diagnosis_logits": ["N", len(DIAGNOSES)],
        "activation_map": ["N", h, w],
        "embedding": ["N", rounded.heads.diagnosis.in_features],
    }
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "student",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", side_px, side_px, 3])],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, shapes[n]) for n in OUTPUTS],
            initializer=graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="edgederm",
    )
    onnx.checker.check_model(model, full_check=True)
    return Exported(model=model, rounded=rounded, subnormal_weights=subnormal)


def fold(student: Student) -> Student:
    """Return a copy of *student* that computes the same without batch normalisation."""
    folded = copy.deepcopy(student).eval()
    for chain in [m for m in folded.modules() if isinstance(m, nn.Sequential)]:
        for index in range(len(chain) - 1):
            convolution, norm = chain[index], chain[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                chain[index] = fuse_conv_bn_eval(convolution.double(), norm.double()).float()
                chain[index + 1] = nn.Identity()
    return folded


def is_rounded(module: nn.Module) -> bool:
    """Tell whether the weights of *module* are stored as fp16."""
    if isinstance(module, nn.Conv2d):
        return module.weight.numel() > _SMALL_KERNEL
    return isinstance(module, nn.Linear)


def _round_weights(folded: Student) -> int:
    """Round what is stored as fp16, in place, and return how many weights became subnormal."""
    subnormal = 0
    for name, module in folded.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        largest = module.weight.abs().max().item()
        # Also catches a NaN, which no comparison holds for.
        if not largest <= _LARGEST_FP16:
            raise ExportError(
                f"{name}: expected weights within {_LARGEST_FP16:g} to store them as fp16, found "
                f"{largest:g}; train again with more weight decay or a lower learning rate"
            )
        if not is_rounded(module):
            continue
        size = module.weight.detach().abs()
        subnormal += int(((size > 0) & (size < _SMALLEST_NORMAL_FP16)).sum())
        module.weight.data = module.weight.data.half().float()
    return subnormal


class _Graph:
    """Nodes and initializers under construction; names are short, because the file is."""

    def __init__(self, stored: type[np.float16 | np.float32]) -> None:
        self._stored = stored
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._values = 0

    def node(
        self, operator: str, inputs: Sequence[str], output: str | None = None, **attributes: Any
    ) -> str:
        """Append a node and return the name of its one output."""
        if output is None:
            output = f"v{self._values}"
            self._values += 1
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, value: NDArray[np.generic]) -> str:
        """Append an initializer as it is and return its name."""
        name = f"i{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, value: torch.Tensor) -> str:
        """Append an initializer, an fp16 one with its Cast; return the name of the fp32 value."""
        stored = self.constant(value.detach().numpy().astype(self._stored))
        if self._stored is np.float32:
            return stored
        return self.node("Cast", [stored], to=TensorProto.FLOAT)

    def exact(self, value: torch.Tensor) -> str:
        """Append an fp32 initializer and return its name."""
        return self.constant(value.detach().numpy())


def _trunk(graph: _Graph, student: Student) -> str:
    """Append everything up to the last feature map and return its name."""
    # Transposed while a pixel is still one byte.
    value = graph.node("Transpose", ["image"], perm=[0, 3, 1, 2])
    value = graph.node("Cast", [value], to=TensorProto.FLOAT)
    stem: Any = student.trunk[0]  # A chain that begins with a convolution.
    value = _convolve(graph, stem[0], value, is_stem=True)
    return _chain(graph, student.trunk[1:], _chain(graph, stem[1:], value))


def _chain(graph: _Graph, module: nn.Module, value: str) -> str:
    """Append *module*, whatever it is made of, behind *value*."""
    if isinstance(module, nn.Sequential):
        for child in module:
            value = _chain(graph, child, value)
        return value
    if isinstance(module, Block):
        out = _chain(graph, module.layers, value)
        return graph.node("Add", [value, out]) if module.adds else out
    if isinstance(module, nn.Conv2d):
        return _convolve(graph, module, value)
    if isinstance(module, nn.ReLU):
        return graph.node("Relu", [value])
    if isinstance(module, nn.Identity):
        return value
    raise ExportError(f"{type(module).__name__} has no translation; the student has ReLU only")


def _convolve(graph: _Graph, module: nn.Conv2d, value: str, *, is_stem: bool = False) -> str:
    """Append a convolution; the stem's takes pixels of 0 to 255."""
    if module.bias is None:
        raise ExportError("a convolution without folded normalisation cannot be exported")
    store = graph.weight if is_rounded(module) else graph.exact
    weight = store(module.weight)
    if is_stem:
        # In the graph, once when the file is loaded: divided by it, fp16 would lose digits.
        scale = graph.constant(np.array(1 / _LARGEST_PIXEL, dtype=np.float32))
        weight = graph.node("Mul", [weight, scale])
    pads = [int(pad) for pad in module.padding]
    return graph.node(
        "Conv",
        [value, weight, graph.exact(module.bias)],
        kernel_shape=list(module.kernel_size),
        strides=list(module.stride),
        pads=pads + pads,
        group=module.groups,
    )


def _heads(graph: _Graph, student: Student, features: str) -> None:
    """Append pooling, both heads, their combination and the map behind *features*."""
    heads = student.heads
    features = _credited(graph, heads.pooling, features)
    pooled = graph.node("GlobalAveragePool", [features])
    graph.node("Flatten", [pooled], "embedding")
    graph.node(
        "Gemm",
        ["embedding", graph.weight(heads.diagnosis.weight), graph.exact(heads.diagnosis.bias)],
        "diagnosis_logits",
        transB=1,
    )
    # The head is linear and so is the mean: the mean of the map is the head, and the weights are
    # in the file once.
    evidence = graph.node(
        "Conv", [features, graph.weight(heads.malignancy.weight[:, :, None, None])]
    )
    graph.node(
        "Squeeze", [evidence, graph.constant(np.array([1], dtype=np.int64))], "activation_map"
    )
    mean = graph.node("Flatten", [graph.node("GlobalAveragePool", [evidence])])
    head = graph.node("Add", [mean, graph.exact(heads.malignancy.bias)])
    _combine(graph, head)


def _credited(graph: _Graph, pooling: Pooling, features: str) -> str:
    """Append what turns *features* into a map whose mean is the embedding; see ``Heads``."""
    if pooling == "average":
        return features
    maximum = graph.node("GlobalMaxPool", [features])
    near = graph.constant(np.array(NEAR_MAXIMUM, dtype=np.float32))
    excess = graph.node("Relu", [graph.node("Sub", [features, graph.node("Mul", [maximum, near])])])
    least = graph.constant(np.array(ALMOST_ZERO, dtype=np.float32))
    mean = graph.node("Add", [graph.node("GlobalAveragePool", [excess]), least])
    credited = graph.node("Mul", [maximum, graph.node("Div", [excess, mean])])
    if pooling == "max":
        return credited
    half = graph.constant(np.array(0.5, dtype=np.float32))
    return graph.node("Mul", [graph.node("Add", [features, credited]), half])


def _combine(graph: _Graph, head: str) -> None:
    """Append the rule of :data:`training.models.outputs.COMBINATION`."""
    sums = []
    for wanted in (True, False):
        places = [i for i, code in enumerate(DIAGNOSES) if (code in MALIGNANT_DIAGNOSES) == wanted]
        indices = graph.constant(np.array(places, dtype=np.int64))
        some = graph.node("Gather", ["diagnosis_logits", indices], axis=1)
        sums.append(graph.node("ReduceLogSumExp", [some], axes=[1], keepdims=1))
    both = graph.node("Add", [head, graph.node("Sub", sums)])
    half = graph.constant(np.array(0.5, dtype=np.float32))
    graph.node("Mul", [both, half], "malignancy_logit")
