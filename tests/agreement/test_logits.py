"""The file on the device says what the network said on the workstation."""

import numpy as np
import pytest

from device.classifier import OnnxClassifier
from device.core.manifest import Calibration
from device.decision import probability_malignant
from tests.builders import a_manifest, an_out_of_distribution
from tests.training.small import SIDE_PX, a_part, a_student, a_student_config
from training.evaluate.calibration import calibrate
from training.evaluate.predictions import predict
from training.export.contract import embed, golden_case
from training.export.graph import export_graph
from training.export.parity import probabilities
from training.recipes.preprocessing import six_stages


@pytest.fixture(scope="module")
def part():
    return a_part(14, first_seed=900)


@pytest.fixture(scope="module")
def exported():
    return export_graph(a_student(seed=5), SIDE_PX)


@pytest.fixture(scope="module")
def classifier(exported, tmp_path_factory):
    calibration = Calibration(method="none", scale=1.0, offset=0.0)
    strangeness = an_out_of_distribution((0.0,) * a_student_config().embedding_channels)
    manifest = a_manifest(
        out_of_distribution=strangeness,
        preprocess=six_stages(SIDE_PX),
        input=a_manifest().input.model_copy(update={"side_px": SIDE_PX}),
        golden=golden_case(exported.model.SerializeToString(), SIDE_PX, calibration, strangeness),
    )
    path = tmp_path_factory.mktemp("model") / "student.onnx"
    path.write_bytes(embed(exported.model, manifest))
    return OnnxClassifier(path)


def test_the_device_gives_torchs_logits(classifier, exported, part):
    """One picture at a time against a batch in torch with the same rounded weights."""
    expected = predict(exported.rounded, part)
    for index, pixels_HWC in enumerate(part.pixels_VNSSC[0]):
        found = classifier.classify(pixels_HWC)
        assert found.malignancy_logit == pytest.approx(expected.malignancy_logit_N[index], abs=1e-4)
        np.testing.assert_allclose(
            found.diagnosis_logits_K, expected.diagnosis_logits_NK[index], atol=1e-4
        )


def test_the_trained_network_differs_by_the_rounding_alone(classifier, part):
    """At most 0.002 in any probability, as the model card promises."""
    expected = predict(a_student(seed=5), part)
    calibration = classifier.manifest.calibration
    probability_N1K = probabilities(
        {
            "malignancy_logit": expected.malignancy_logit_N[:, None],
            "diagnosis_logits": expected.diagnosis_logits_NK,
        },
        calibration,
    )
    for index, pixels_HWC in enumerate(part.pixels_VNSSC[0]):
        found = classifier.classify(pixels_HWC)
        probability = probability_malignant(found.malignancy_logit, calibration)
        assert probability == pytest.approx(probability_N1K[index, 0], abs=2e-3)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (2.5, -0.75)])
def test_device_and_evaluation_calibrate_alike(scale, offset):
    """One formula, written once for a picture and once for a data set."""
    calibration = Calibration(method="platt", scale=scale, offset=offset)
    logit_N = np.linspace(-8, 8, 33)
    expected = [probability_malignant(float(logit), calibration) for logit in logit_N]
    np.testing.assert_allclose(calibrate(calibration, logit_N), expected, atol=1e-12)
