"""The student read again: with fp32 weights and in other runtimes it says the same."""

import numpy as np
import onnx
import pytest

from bench.contest import largest_difference
from bench.ncnn_student import write as write_for_ncnn
from bench.peers import in_onnxruntime, int8, int8_where_slow_on_arm
from bench.student import HEADS, moved_bytes, translate, with_fp32_weights
from device.classifier import OnnxClassifier
from device.drawing import draw_lesion
from device.settings import SHIPPED_MODEL

CONTENT = SHIPPED_MODEL.read_bytes()
PICTURE_HWC = draw_lesion(3, diagnosis="MEL", height_px=128, width_px=128)


def as_exported_now():
    from tests.training.small import SIDE_PX, a_student
    from training.export.graph import export_graph

    picture_HWC = draw_lesion(3, diagnosis="MEL", height_px=SIDE_PX, width_px=SIDE_PX)
    return export_graph(a_student(), SIDE_PX).model.SerializeToString(), picture_HWC


@pytest.fixture(scope="module", params=["shipped", "as exported now"])
def case(request):
    """A student's file, a picture, and what ONNX Runtime says of it."""
    shipped = (CONTENT, PICTURE_HWC)
    content, picture_HWC = shipped if request.param == "shipped" else as_exported_now()
    _, diagnoses, activation, embedding = in_onnxruntime(content, picture_HWC[None])()
    heads = {
        "activation_map": activation,
        "embedding": embedding,
        "diagnosis_logits": diagnoses,
    }
    return content, picture_HWC, heads


def test_weights_in_fp32_are_the_same_weights_in_more_bytes(case):
    content, picture_HWC, _ = case
    wide = with_fp32_weights(content)
    types = {tensor.data_type for tensor in onnx.load_from_string(wide).graph.initializer}
    assert len(wide) > len(content)
    assert onnx.TensorProto.FLOAT16 not in types
    both = [in_onnxruntime(each, picture_HWC[None])() for each in (content, wide)]
    for narrow, broad in zip(*both, strict=True):
        np.testing.assert_allclose(narrow, broad, rtol=1e-5, atol=1e-6)
    assert moved_bytes(wide) == moved_bytes(content)


def test_the_bytes_that_move_are_weights_and_results():
    """A student's results are few megabytes; all of them and the weights are between these."""
    weights = 4 * OnnxClassifier(SHIPPED_MODEL).manifest.parameters
    assert 2 * weights < moved_bytes(CONTENT) < 30 * weights


def test_a_translation_has_the_layers_and_the_weights_of_the_graph():
    student = translate(CONTENT)
    graph = onnx.load_from_string(CONTENT).graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len([layer for layer in student.layers if layer.kind == "conv"]) == len(convolutions)
    assert student.side_px == 128
    assert tuple(student.outputs) == HEADS
    stored = sum(
        array.size
        for layer in student.layers
        for array in (layer.weight, layer.bias)
        if array is not None
    )
    manifest = OnnxClassifier(SHIPPED_MODEL).manifest
    # All but the malignancy head's bias and the constants around the network.
    assert manifest.parameters - 10 <= stored < manifest.parameters


def test_ncnn_gets_every_result_as_often_as_it_is_used():
    """ncnn lets each result be read once; a second reader would find nothing."""
    text, weights = write_for_ncnn(translate(CONTENT))
    lines = [line.split() for line in text.splitlines()[2:]]
    made, read = [], []
    for _kind, _name, inputs, outputs, *names in lines:
        read += names[: int(inputs)]
        made += names[int(inputs) : int(inputs) + int(outputs)]
    ends = {f"{name}_out" for name in translate(CONTENT).outputs.values()}
    assert len(set(made)) == len(made)
    assert sorted([*read, *ends]) == sorted(made)
    assert [len(lines), len(made)] == [int(number) for number in text.splitlines()[1].split()]
    assert len(weights) > 4 * 165_000


def test_ncnn_answers_as_onnx_runtime_does(case):
    pytest.importorskip("ncnn", reason="make bench brings it (locks/bench.txt)")
    from bench.ncnn_student import in_ncnn

    content, picture_HWC, heads = case
    assert largest_difference(in_ncnn(translate(content), picture_HWC)(), heads) < 1e-3


def test_litert_answers_as_onnx_runtime_does(case):
    pytest.importorskip("ai_edge_litert", reason="make bench brings it (locks/bench.txt)")
    from bench.litert_student import in_litert

    content, picture_HWC, heads = case
    assert largest_difference(in_litert(translate(content), picture_HWC)(), heads) < 1e-3


def test_a_graph_with_steps_that_no_student_has_is_not_translated():
    from bench.shapes import squeezenet

    with pytest.raises(ValueError, match="Concat, MaxPool"):
        translate(squeezenet().content)


def test_int8_where_arm_is_slow_leaves_all_other_weights_as_they_are():
    """The student has four such convolutions: three with a stride, two of 5x5."""
    pictures = [draw_lesion(seed, height_px=128, width_px=128) for seed in range(4)]
    some = onnx.load_from_string(int8_where_slow_on_arm(with_fp32_weights(CONTENT), pictures))
    small = [list(t.dims) for t in some.graph.initializer if t.data_type == onnx.TensorProto.INT8]
    kernels = [dims for dims in small if len(dims) == 4]
    assert sorted(kernels) == [[32, 1, 3, 3], [72, 1, 5, 5], [120, 1, 5, 5], [160, 1, 3, 3]]


def test_int8_has_its_convolutions_in_eight_bits_and_still_knows_the_picture():
    pictures = [draw_lesion(seed, height_px=128, width_px=128) for seed in range(4)]
    small = int8(with_fp32_weights(CONTENT), pictures)
    assert len(small) < len(CONTENT)
    kinds = {tensor.data_type for tensor in onnx.load_from_string(small).graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    exact, rough = (in_onnxruntime(c, PICTURE_HWC[None])()[3].ravel() for c in (CONTENT, small))
    assert np.corrcoef(exact, rough)[0, 1] > 0.9
