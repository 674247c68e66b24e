"""
Other networks, and the student stored in other forms, in ONNX Runtime: the bench's door to it.

Peers run with the runtime's own options, one thread; nothing that we set for the daemon stands in
their way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from device.core.values import Pixels

if TYPE_CHECKING:
    from onnx import NodeProto

_WARNINGS = 3
_FAST_KERNEL = 3


def in_onnxruntime(
    content: bytes, feed: NDArray[np.generic]
) -> Callable[[], Sequence[NDArray[np.float32]]]:
    """
    Load a network of one input; returns what runs it on *feed* and returns all its outputs.

    Args:
        content: Of an ONNX file.
        feed: With the shape and the type of the input; may be written into between two runs.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _WARNINGS
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: feed}
    return lambda: session.run(None, feeds)


def int8(fp32: bytes, pictures: Sequence[Pixels]) -> bytes:
    """
    Store the convolutions of a student in eight bits, activations measured on *pictures*.

    The first convolution and the heads stay in fp32, because pixels are not normalised and logits
    decide.

    Args:
        fp32: The student with weights in fp32, content of an ONNX file.
        pictures: Prepared, uint8 ``[side, side, 3]``.
    """
    return _in_int8(fp32, pictures, lambda convolutions: convolutions[1:-1])


def int8_where_slow_on_arm(fp32: bytes, pictures: Sequence[Pixels]) -> bytes:
    """
    Store only some depthwise convolutions in eight bits: those with a stride or a large kernel.

    ONNX Runtime has a kernel of its own for 64-bit ARM in fp32 for the others, of 3x3 and without
    a stride.
    """
    return _in_int8(fp32, pictures, lambda convolutions: list(filter(_is_slow, convolutions)))


def _in_int8(
    fp32: bytes,
    pictures: Sequence[Pixels],
    choose: Callable[[list[NodeProto]], list[NodeProto]],
) -> bytes:
    """Quantize some convolutions: a scale for each channel of weights and each activation."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._left: Iterator[dict[str, Pixels]] = iter(
                [{"image": picture_HWC[None]} for picture_HWC in pictures]
            )

        def get_next(self) -> dict[str, Pixels] | None:
            return next(self._left, None)

    with tempfile.TemporaryDirectory() as name:
        plain, folded, small = (Path(name) / file for file in ("plain", "folded", "small"))
        plain.write_bytes(fp32)
        quant_pre_process(str(plain), str(folded), skip_symbolic_shape=True)
        named = onnx.load(folded)
        for number, node in enumerate(named.graph.node):
            node.name = f"n{number}"
        onnx.save(named, folded)
        convolutions = [node for node in named.graph.node if node.op_type == "Conv"]
        quantize_static(
            str(folded),
            str(small),
            Reader(),
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=[node.name for node in choose(convolutions)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return small.read_bytes()


def _is_slow(convolution: NodeProto) -> bool:
    stated = {each.name: each for each in convolution.attribute}
    is_depthwise = "group" in stated and stated["group"].i > 1
    return is_depthwise and (
        max(stated["strides"].ints) > 1 or max(stated["kernel_shape"].ints) > _FAST_KERNEL
    )
