"""What is in an exported file, node by node."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from tests.training.small import SIDE_PX, a_student
from training.export.errors import ExportError
from training.export.graph import export_graph, fold, is_rounded


@pytest.fixture(scope="module")
def exported():
    return export_graph(a_student(), SIDE_PX)


@pytest.fixture(scope="module")
def graph(exported):
    return exported.model.graph


def ends(values):
    return [
        (
            value.name,
            value.type.tensor_type.elem_type,
            [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim],
        )
        for value in values
    ]


def test_the_input_is_a_picture_as_it_is(graph):
    """uint8, rows of RGB pixels, any number of pictures of one size."""
    assert ends(graph.input) == [("image", TensorProto.UINT8, ["N", SIDE_PX, SIDE_PX, 3])]


def test_the_outputs_have_their_names_and_order(graph):
    """All fp32; the device refuses anything else."""
    assert ends(graph.output) == [
        ("malignancy_logit", TensorProto.FLOAT, ["N", 1]),
        ("diagnosis_logits", TensorProto.FLOAT, ["N", 7]),
        ("activation_map", TensorProto.FLOAT, ["N", 6, 6]),
        ("embedding", TensorProto.FLOAT, ["N", 24]),
    ]


def test_the_file_loads_in_every_runtime_from_1_20(exported):
    """Operator set 17 and IR 9, and no operator of a vendor."""
    assert [(o.domain, o.version) for o in exported.model.opset_import] == [("", 17)]
    assert exported.model.ir_version == 9
    assert {node.domain for node in exported.model.graph.node} == {""}
    onnx.checker.check_model(exported.model, full_check=True)


def test_weights_are_fp16_with_one_cast_each(graph):
    """Large kernels and matrices, no more; each Cast goes to fp32 and is read by one node."""
    readers = Counter(name for node in graph.node for name in node.input)
    halves = [t for t in graph.initializer if t.data_type == TensorProto.FLOAT16]
    assert len(halves) == sum(is_rounded(module) for module in a_student().modules()) > 2
    casts = {node.input[0]: node for node in graph.node if node.op_type == "Cast"}
    for tensor in halves:
        cast = casts.pop(tensor.name)
        assert [a.i for a in cast.attribute] == [TensorProto.FLOAT]
        assert readers[tensor.name] == 1
        assert readers[cast.output[0]] == 1
    assert len(casts) == 1, "the only other Cast is that of the picture"


def test_weights_may_stay_as_they_were_trained():
    """Nothing is rounded, nothing is cast but the picture, and torch says the same."""
    student, x_BCHW = a_student(), torch.rand(2, 3, SIDE_PX, SIDE_PX)
    exact = export_graph(student, SIDE_PX, rounds=False)
    kinds = {tensor.data_type for tensor in exact.model.graph.initializer}
    assert kinds == {TensorProto.FLOAT, TensorProto.INT64}
    assert [node.op_type for node in exact.model.graph.node].count("Cast") == 1
    with torch.no_grad():
        for expected, found in zip(student(x_BCHW), exact.rounded(x_BCHW), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_biases_and_constants_stay_fp32(graph):
    """What is added is not rounded; indices are integers."""
    kinds = Counter(t.data_type for t in graph.initializer if len(t.dims) <= 1)
    assert set(kinds) == {TensorProto.FLOAT, TensorProto.INT64}


def test_normalisation_is_folded_away(graph):
    """No BatchNormalization is left, and only operators that every board has."""
    assert {node.op_type for node in graph.node} == {
        "Transpose", "Cast", "Mul", "Add", "Conv", "Relu", "GlobalAveragePool", "Flatten",
        "Gemm", "Squeeze", "Gather", "ReduceLogSumExp", "Sub",
    }  # fmt: skip


def test_folding_changes_no_answer():
    """The copy without normalisation says the same, and the student itself is not touched."""
    student, x_BCHW = a_student(), torch.rand(2, 3, SIDE_PX, SIDE_PX)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    folded = fold(student)
    with torch.no_grad():
        for expected, found in zip(student(x_BCHW), folded(x_BCHW), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    after = student.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_file_holds_the_rounded_weights(exported):
    """Every fp16 tensor is a weight of the torch network that parity compares with."""
    stored = sorted(
        float(np.abs(numpy_helper.to_array(tensor).astype(np.float64)).sum())
        for tensor in exported.model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT16
    )
    rounded = sorted(
        float(module.weight.detach().double().abs().sum())
        for module in exported.rounded.modules()
        if is_rounded(module)
    )
    assert stored == pytest.approx(rounded, rel=1e-12)


@pytest.mark.parametrize("value", [65_520.0, float("inf"), float("nan")])
def test_a_weight_that_fp16_cannot_hold_is_refused(value):
    """The error names the layer, the limit and a remedy."""
    student = a_student()
    student.heads.diagnosis.weight.data[0, 0] = value
    with pytest.raises(ExportError, match=r"heads\.diagnosis: expected weights within 65504"):
        export_graph(student, SIDE_PX)


def test_weights_in_the_subnormal_range_are_counted():
    """Zero is exact and does not count; what rounds to zero does."""
    student = a_student()
    row = student.heads.diagnosis.weight.data[0]
    row[:] = 1.0
    before = export_graph(student, SIDE_PX).subnormal_weights
    row[:4] = torch.tensor([0.0, 6.0e-5, -1e-6, 1e-9])
    assert export_graph(student, SIDE_PX).subnormal_weights == before + 3


def test_a_layer_without_a_translation_is_refused():
    """Another activation would otherwise be left out in silence."""
    student = a_student()
    student.trunk[0][2] = nn.SiLU()
    with pytest.raises(ExportError, match="SiLU has no translation"):
        export_graph(student, SIDE_PX)


def test_a_convolution_without_normalisation_or_bias_is_refused():
    """One that lost its normalisation was not made by us."""
    student = a_student()
    student.trunk[0][1] = nn.Identity()
    with pytest.raises(ExportError, match="without folded normalisation"):
        export_graph(student, SIDE_PX)
