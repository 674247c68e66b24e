"""The contract of an exported student."""

import re

import numpy as np
import onnx
import pytest

from device.classifier.contract import read_contract
from device.core.manifest import METADATA_KEY, Calibration, QualityLimits
from device.core.values import Pixels
from device.decision import novelty
from device.drawing import draw_lesion
from device.preprocess import working_copy
from device.quality import assess
from tests.builders import a_manifest, an_out_of_distribution
from tests.training.small import SIDE_PX, a_part, a_run_config, a_student
from training.data.splits import CALIBRATION, TEST, TRAIN, Split
from training.evaluate.calibration import calibrate
from training.evaluate.out_of_distribution import fit_out_of_distribution, novelties
from training.export import contract
from training.export.contract import (
    QUALITY_LIMITS,
    Evidence,
    build_contract,
    embed,
    golden_case,
    license_sentence,
)
from training.export.count import count_macs, count_parameters
from training.export.graph import export_graph
from training.export.parity import run_graph
from training.models.outputs import COMBINATION
from training.recipes.preprocessing import six_stages


@pytest.fixture(scope="module")
def exported():
    return export_graph(a_student(), SIDE_PX)


@pytest.fixture(scope="module")
def evidence():
    calibration_part, test_part = a_part(42, first_seed=100), a_part(35, first_seed=200)
    training_part = a_part(28, first_seed=300)
    cases = [*training_part.cases, *calibration_part.cases, *test_part.cases]
    parts = dict.fromkeys((c.image_id for c in calibration_part.cases), CALIBRATION)
    parts |= dict.fromkeys((c.image_id for c in test_part.cases), TEST)
    parts |= dict.fromkeys((c.image_id for c in training_part.cases), TRAIN)
    return Evidence(
        split=Split(group_of={name: name for name in parts}, part_of=parts),
        cases=cases,
        training_part=training_part,
        calibration_part=calibration_part,
        test_part=test_part,
    )


@pytest.fixture(scope="module")
def manifest(exported, evidence):
    with pytest.MonkeyPatch.context() as patch:
        # The drawn pictures were never files.
        patch.setattr(contract, "fingerprint", lambda cases: f"{len(cases):064}")
        return build_contract(
            exported, a_run_config(), evidence, name="drawn", version="1.2.3", commit="c" * 40
        )


def test_the_contract_survives_the_file(exported, manifest):
    """What was embedded is what the device reads, and it is the only metadata."""
    content = embed(exported.model, manifest)
    properties = {p.key: p.value for p in onnx.load_from_string(content).metadata_props}
    assert list(properties) == [METADATA_KEY]
    assert read_contract(properties) == manifest


def test_embedding_leaves_graph_and_model_alone(exported, manifest):
    """Only metadata is added, and to a copy."""
    content = embed(exported.model, manifest)
    assert not exported.model.metadata_props
    assert onnx.load_from_string(content).graph == exported.model.graph


def test_the_contract_records_the_run(exported, manifest):
    """Recipe, seed, stages, parts, sizes: nothing is left to a default."""
    assert (manifest.name, manifest.version, manifest.commit) == ("drawn", "1.2.3", "c" * 40)
    assert manifest.preprocess == six_stages(SIDE_PX)
    assert manifest.combination == COMBINATION
    assert manifest.training.recipe == "test"
    assert manifest.training.datasets == ("drawn",)
    assert manifest.training.images == {
        "train": 28,
        "validation": 0,
        "calibration": 42,
        "test": 35,
    }
    assert manifest.parameters == count_parameters(exported.model)
    assert manifest.macs == count_macs(exported.model)


def test_calibration_and_thresholds_come_from_the_calibration_part(exported, evidence, manifest):
    """None of its 18 malignant lesions is missed, and the answers come from the graph."""
    part = evidence.calibration_part
    outputs = run_graph(exported.model.SerializeToString(), part.pixels_VNSSC[0])
    probability_N = calibrate(manifest.calibration, outputs["malignancy_logit"][:, 0])
    malignant_N = part.malignant_N > 0
    point = manifest.operating_point
    assert (probability_N[malignant_N] >= point.benign_below).all()
    assert (probability_N[~malignant_N] < point.malignant_from).mean() >= 0.9
    between_N = (probability_N >= point.benign_below) & (probability_N < point.malignant_from)
    assert manifest.uncertain_share == pytest.approx(between_N.mean(), abs=1e-4)
    assert (manifest.guarantee.lesions, manifest.guarantee.missed) == (18, 0)


def test_the_limit_of_novelty_comes_from_the_calibration_part(exported, evidence, manifest):
    """The 42 of it all pass, the strangest just so; what is known are the training pictures."""
    content = exported.model.SerializeToString()
    found, known = (
        run_graph(content, part.pixels_VNSSC[0])["embedding"]
        for part in (evidence.calibration_part, evidence.training_part)
    )
    spec = manifest.out_of_distribution
    assert novelties(found, spec).max() == pytest.approx(1.0)
    kind_N = evidence.training_part.diagnosis_N
    assert spec == fit_out_of_distribution(known, kind_N, found)


def test_metrics_come_with_intervals(manifest):
    """The test part's figures, each between its ends."""
    assert {"auroc", "ece", "specificity_at_95_sensitivity"} <= manifest.metrics.keys()
    assert all(metric.low <= metric.high for metric in manifest.metrics.values())
    auroc = manifest.metrics["auroc"]
    assert auroc.low <= auroc.value <= auroc.high


def test_the_golden_case_is_what_the_graph_says(exported):
    """Drawn at the model's side, straight into the graph, calibrated."""
    calibration = Calibration(method="platt", scale=2.0, offset=0.5)
    content = exported.model.SerializeToString()
    strangeness = an_out_of_distribution(np.zeros(24), limit=0.5)
    golden = golden_case(content, SIDE_PX, calibration, strangeness)
    picture_HWC = draw_lesion(
        golden.seed, diagnosis=golden.diagnosis, height_px=SIDE_PX, width_px=SIDE_PX
    )
    outputs = run_graph(content, picture_HWC[None])
    logit = float(outputs["malignancy_logit"][0, 0])
    assert golden.probability_malignant == pytest.approx(1 / (1 + np.exp(-2 * logit - 0.5)))
    assert sum(golden.diagnosis_probabilities) == pytest.approx(1)
    assert golden.tolerance == 1e-4
    assert golden.novelty == pytest.approx(novelty(outputs["embedding"][0], strangeness))
    assert golden.novelty > 0


def test_figures_are_cut_to_what_means_something(manifest):
    figures = [v for metric in manifest.metrics.values() for v in (metric.value, metric.high)]
    assert [round(value, 4) for value in figures] == figures


@pytest.mark.parametrize(
    ("datasets", "expected"),
    [
        (("ham10000",), "non-commercial research and education only, .*HAM10000: CC BY-NC 4.0"),
        (("ham10000", "isic-extra"), "HAM10000: CC BY-NC 4.0; ISIC-archive pictures"),
        (("drawn", "ham10000"), "non-commercial"),
        (("kaggle/test", "kaggle/train"), "Kaggle set"),
        (("ham10000", "somewhere"), "somewhere; the licence of those pictures applies"),
        (("drawn",), "drawn pictures alone; Apache-2.0"),
    ],
)
def test_the_licence_follows_the_training_pictures(datasets, expected):
    """CC BY-NC pictures make non-commercial weights; what is unknown is not called free."""
    assert re.search(expected, license_sentence(datasets))


def test_limits_of_the_gate_let_drawn_lesions_pass_and_stop_the_lens_cap():
    """Darkness, glare and an empty frame are refused; a lesion is not."""

    def reasons(picture_HWC: Pixels, limits: QualityLimits = QUALITY_LIMITS) -> list[str]:
        working_HWC = working_copy(picture_HWC, six_stages(128))
        return [reason.code for reason in assess(working_HWC, limits).reasons]

    for seed in range(5):
        assert reasons(draw_lesion(seed, diagnosis="MEL", height_px=300, width_px=400)) == []
    assert "too_dark" in reasons(np.full((300, 400, 3), 3, dtype=np.uint8))
    assert "too_bright" in reasons(np.full((300, 400, 3), 255, dtype=np.uint8))
    assert "flat" in reasons(np.full((300, 400, 3), 128, dtype=np.uint8))


def test_a_contract_is_small(manifest):
    """It shares 469,769 bytes with 208,848 weights at two bytes each."""
    assert len(manifest.model_dump_json()) < 16_384
    assert len(a_manifest().model_dump_json()) < 16_384
