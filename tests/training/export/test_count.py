"""Parameters and multiply-adds against a graph that was counted by hand."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.training.small import SIDE_PX, a_student
from training.export.count import count_macs, count_parameters
from training.export.errors import ExportError
from training.export.graph import export_graph


def a_graph(*, side: int | str = 8):
    """A convolution in 2 groups, stride 2, and a product 12 -> 5."""
    weight = np.zeros((6, 2, 3, 3), dtype=np.float16)
    nodes = [
        helper.make_node("Cast", ["w"], ["w32"], to=TensorProto.FLOAT),
        helper.make_node(
            "Conv", ["x", "w32", "b"], ["y"], group=2, strides=[2, 2], pads=[1, 1, 1, 1]
        ),
        helper.make_node("GlobalAveragePool", ["y"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "m"], ["g"], transB=1),
        helper.make_node("MatMul", ["g", "n"], ["z"]),
    ]
    constants = {
        "w": weight,
        "b": np.zeros(6, dtype=np.float32),
        "m": np.zeros((5, 6), dtype=np.float32),
        "n": np.zeros((5, 3), dtype=np.float32),
        "i": np.zeros(100, dtype=np.int64),
    }
    return helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, side, side])],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 3])],
            initializer=[numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )


def test_parameters_are_the_floating_point_elements():
    """108 + 6 + 30 + 15 of them, fp16 and fp32 alike; 100 integers are none."""
    assert count_parameters(a_graph()) == 108 + 6 + 30 + 15


def test_macs_are_those_of_one_picture():
    """6 channels of 4 by 4 from 2 by 3 by 3 each, then 6 to 5, then 5 to 3."""
    assert count_macs(a_graph()) == 6 * 4 * 4 * (2 * 3 * 3) + 6 * 5 + 5 * 3


def test_counting_leaves_the_model_as_it_was():
    """The number of pictures stays free."""
    model = export_graph(a_student(), SIDE_PX).model
    before = model.SerializeToString()
    count_macs(model)
    assert model.SerializeToString() == before


def test_a_free_side_cannot_be_counted():
    """A product without a size must not count as nothing."""
    with pytest.raises(ExportError, match="Conv: no shape for"):
        count_macs(a_graph(side="S"))
