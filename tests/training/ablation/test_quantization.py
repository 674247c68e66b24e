"""One student in three stored forms."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.training.small import SIDE_PX, a_part, a_student
from training.ablation.quantization import compare_forms, quantize
from training.export.graph import export_graph
from training.export.parity import run_graph, run_torch
from training.recipes.ham10000 import STUDENT

PICTURES = 28


@pytest.fixture(scope="module")
def part():
    return a_part(PICTURES)


@pytest.fixture(scope="module")
def student(part):
    """Random weights, and a malignancy head that tells the pictures apart as a trained one does."""
    student = a_student(seed=2)
    head = student.heads.malignancy
    embedding_ND = torch.from_numpy(run_torch(student, part.pixels_VNSSC[0])["embedding"])
    with torch.no_grad():
        said_N1 = embedding_ND @ head.weight.T
        head.weight *= 4 / said_N1.std()
        head.bias[:] = -4 * said_N1.mean() / said_N1.std()
    return student


@pytest.fixture(scope="module")
def forms(student, part):
    found = compare_forms(
        student,
        side_px=SIDE_PX,
        calibration_NHWC=a_part(21, first_seed=300).pixels_VNSSC[0],
        judged_NHWC=part.pixels_VNSSC[0],
        malignant_N=part.malignant_N,
    )
    return {form.form: form for form in found}


def test_fewer_bits_are_fewer_bytes():
    """Of the student that ships; in a tiny one the scales outweigh the weights."""
    part = a_part(7)
    found = compare_forms(
        a_student(config=STUDENT),
        side_px=SIDE_PX,
        calibration_NHWC=part.pixels_VNSSC[0],
        judged_NHWC=part.pixels_VNSSC[0],
        malignant_N=part.malignant_N,
    )
    assert [form.form for form in found] == ["fp32", "fp16", "int8"]
    fp32, fp16, int8 = (form.size_bytes for form in found)
    assert fp16 < 0.55 * fp32
    assert int8 < 0.35 * fp32


def test_fp32_says_what_torch_says(student, part):
    model = export_graph(student, SIDE_PX, rounds=False).model
    found = run_graph(model.SerializeToString(), part.pixels_VNSSC[0])
    expected = run_torch(student, part.pixels_VNSSC[0])
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-3, rtol=1e-3)


def test_rounding_changes_answers_a_little_and_int8_more(forms):
    assert forms["fp32"].largest_change == 0
    assert 0 < forms["fp16"].largest_change < 0.01
    assert forms["fp16"].largest_change < forms["int8"].largest_change < 0.5
    assert forms["fp16"].auroc == pytest.approx(forms["fp32"].auroc, abs=0.02)


def test_every_form_was_timed(forms):
    assert all(form.ms > 0 for form in forms.values())


def test_all_convolutions_but_the_first_and_the_head_are_integer(student, part):
    """And no operator of a vendor, so that every board's runtime loads the file."""
    exact = export_graph(student, SIDE_PX, rounds=False).model
    small = onnx.load_from_string(quantize(exact, part.pixels_VNSSC[0]))
    kinds = [node.op_type for node in small.graph.node]
    convolutions = sum(isinstance(module, nn.Conv2d) for module in student.modules())
    # The head is a convolution in the file alone.
    assert kinds.count("QLinearConv") == convolutions - 1
    assert kinds.count("Conv") == 2
    assert {node.domain for node in small.graph.node} == {""}
