"""File and torch agree, or nothing goes on."""

import copy

import numpy as np
import pytest
import torch
from onnx import numpy_helper

from device.core.manifest import Calibration
from tests.training.small import SIDE_PX, a_part, a_student, a_student_config
from training.export.errors import ExportError
from training.export.graph import export_graph
from training.export.parity import (
    AGAINST_ROUNDED,
    AGAINST_TRAINED,
    check_parity,
    probabilities,
    run_graph,
    run_torch,
)

PLAIN = Calibration(method="none", scale=1.0, offset=0.0)


@pytest.fixture(scope="module")
def student():
    return a_student()


@pytest.fixture(scope="module")
def exported(student):
    return export_graph(student, SIDE_PX)


@pytest.fixture(scope="module")
def pictures():
    return a_part(21).pixels_VNSSC[0]


def check(model, exported, student, pixels_NHWC, calibration=PLAIN):
    return check_parity(
        model.SerializeToString(),
        trained=student,
        rounded=exported.rounded,
        pixels_NHWC=pixels_NHWC,
        calibration=calibration,
    )


def test_an_honest_file_passes(student, exported, pictures):
    """Rounding to fp16 shows a little, the order of additions far less."""
    found = check(exported.model, exported, student, pictures)
    assert found.pictures == 21
    assert 0 < found.against_trained < AGAINST_TRAINED
    assert found.against_rounded < AGAINST_ROUNDED / 10


@pytest.mark.parametrize("pooling", ["max", "both"])
def test_every_pooling_passes(pooling, pictures):
    """Map and embedding too: the maximum is credited alike in torch and in the graph."""
    student = a_student(config=a_student_config(pooling=pooling))
    exported = export_graph(student, SIDE_PX)
    found = check(exported.model, exported, student, pictures)
    assert found.against_rounded < AGAINST_ROUNDED / 10


def test_one_tampered_weight_is_found(student, exported, pictures):
    """A single value of the first kernel, changed by a half."""
    model = copy.deepcopy(exported.model)
    tensor = next(t for t in model.graph.initializer if len(t.dims) == 4)
    value = numpy_helper.to_array(tensor).copy()
    value.flat[4] += 0.5
    tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    with pytest.raises(ExportError, match=r"rounded weights: .* nothing was written"):
        check(model, exported, student, pictures)


def test_a_tampered_map_is_found_though_no_probability_changes(student, exported, pictures):
    """The map is shown to people; it is compared too."""
    model = copy.deepcopy(exported.model)
    squeeze = next(node for node in model.graph.node if node.op_type == "Squeeze")
    squeeze.output[0] = "half"
    twice = model.graph.node.add()
    twice.op_type, twice.input[:], twice.output[:] = "Add", ["half", "half"], ["activation_map"]
    with pytest.raises(ExportError, match="activation_map, rounded weights"):
        check(model, exported, student, pictures)


def test_rounding_that_a_user_would_see_is_refused(student, exported, pictures):
    """A calibration that multiplies the logit multiplies its rounding as well."""
    steep = Calibration.model_construct(method="temperature", scale=2e4, offset=0.0)
    logit_N = run_graph(exported.model.SerializeToString(), pictures)["malignancy_logit"]
    steep = steep.model_copy(update={"offset": -2e4 * float(np.median(logit_N))})
    with pytest.raises(ExportError, match="probability, trained weights"):
        check(exported.model, exported, student, pictures, steep)


def test_a_network_that_says_nan_is_refused(student, exported, pictures):
    """No comparison holds for it, so it must not pass for a small difference."""
    broken = copy.deepcopy(student)
    broken.heads.malignancy.bias.data[:] = float("nan")
    with pytest.raises(ExportError, match="probability, trained weights: nan"):
        check(exported.model, exported, broken, pictures)


def test_a_batch_says_what_its_pictures_say_alone(exported, pictures):
    """The number of pictures is free, whatever was exported with."""
    content = exported.model.SerializeToString()
    together = run_graph(content, pictures[:3])
    for index in range(3):
        alone = run_graph(content, pictures[index : index + 1])
        for name, value in together.items():
            np.testing.assert_allclose(value[index], alone[name][0], atol=1e-5)


def test_torch_is_shown_what_the_graph_is_shown(student, pictures):
    """Bytes divided by 255, channels first."""
    x_BCHW = torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = student(x_BCHW).embedding_BD.numpy()
    np.testing.assert_allclose(run_torch(student, pictures)["embedding"], expected, atol=1e-6)


def test_probabilities_are_calibrated_and_stable():
    """Logit 1 at scale 2 and offset -2 is one half; logits of any size give no overflow."""
    outputs = {
        "malignancy_logit": np.array([[1.0], [1e6], [-1e6]], dtype=np.float32),
        "diagnosis_logits": np.array(
            [[0.0] * 7, [1e4, *[0.0] * 6], [-1e4, *[0.0] * 6]], np.float32
        ),
    }
    found = probabilities(outputs, Calibration(method="platt", scale=2.0, offset=-2.0))
    np.testing.assert_allclose(found[:, 0], [0.5, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(found[:, 1], [1 / 7, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(found[:, 1:].sum(axis=1), 1.0)
