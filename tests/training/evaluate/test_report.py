"""A report is whole: every picture it shows is there, every figure in it is in the JSON."""

import csv
import io
import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rich.console import Console
from scipy.stats import binom

from device.core.manifest import DIAGNOSES, Calibration, Guarantee, Metric, OperatingPoint
from tests.training.small import a_part
from training.data.case import UNKNOWN
from training.data.protocols import WARNINGS
from training.evaluate.disturbances import DISTURBANCES, LEVELS
from training.evaluate.metrics import evaluate_predictions, score
from training.evaluate.plots import confusion
from training.evaluate.probes import CLEAN, LESION_HIDDEN, SHARPER
from training.evaluate.report import Evaluation, print_metrics, write_report
from training.evaluate.robustness import Robustness
from training.evaluate.selective import selective_risk
from training.evaluate.subgroups import Subgroup

CURVES = [
    {
        "epoch": e,
        "loss_malignancy": 1 / e,
        "loss_diagnosis": 2 / e,
        "validation_auroc": 0.6 + e / 90,
    }
    for e in range(1, 5)
]
POINT = OperatingPoint(benign_below=0.3, malignant_from=0.6)


def a_group(value, auroc):
    return Subgroup(
        trait="sex",
        value=value,
        pictures=150,
        lesions=120,
        malignant_lesions=30,
        one_label=False,
        metrics={"auroc": Metric(value=auroc, low=auroc - 0.05, high=auroc + 0.05)},
    )


@pytest.fixture(scope="module")
def evaluation():
    part = a_part(28)
    rng = np.random.default_rng(0)
    logit_N = 2.0 * part.malignant_N - 1 + rng.normal(size=28)
    calibration = Calibration(method="temperature", scale=1.5, offset=0.0)
    groups = [f"L{index // 2}" for index in range(28)]
    scored = score(
        malignancy_logit_N=logit_N,
        diagnosis_logits_NK=3.0 * np.eye(7)[part.diagnosis_N],
        malignant_N=part.malignant_N,
        diagnosis_N=part.diagnosis_N,
        group_N=np.array(groups),
        calibration=calibration,
    )
    return Evaluation(
        model="student 1.2.3",
        part="validation",
        protocol="grouped",
        split_sha256="0123456789abcdef",
        cases=part.cases,
        groups=groups,
        has_sibling_N=[False] * 28,
        malignancy_logit_N=logit_N,
        scored=scored,
        pixels_NSSC=part.pixels_VNSSC[0],
        calibration=calibration,
        operating_point=POINT,
        metrics=evaluate_predictions(scored, POINT, complete=True, draws=50),
        subgroups=[a_group("male", 0.91), a_group("female", 0.8)],
        selective=selective_risk(scored, POINT, draws=20),
        robustness=Robustness(
            disturbed={
                key: dict.fromkeys(
                    ("auroc", "uncertain_share", "retake_share", "called_benign_share"),
                    Metric(value=0.75, low=0.7, high=0.8),
                )
                for key in [(CLEAN, 0), *((name, n) for name in DISTURBANCES for n in LEVELS)]
            },
            masked={LESION_HIDDEN: Metric(value=0.55, low=0.5, high=0.6)},
            sharper={
                shown: dict.fromkeys(
                    ("auroc", "uncertain_share", "retake_share", "called_benign_share"),
                    Metric(value=0.65, low=0.6, high=0.7),
                )
                for shown in (CLEAN, SHARPER)
            },
            sharper_pictures=17,
        ),
        command="python -m training evaluate --model student.onnx",
    )


@pytest.fixture(scope="module")
def written(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "report"
    write_report(evaluation, folder, curves=CURVES)
    return folder


def test_the_sharper_copies_stand_in_page_and_data_if_there_are_some(written, evaluation, tmp_path):
    page = (written / "report.md").read_text()
    assert "Of 17 pictures the data set has a sharper copy" in page
    assert "| sharper copy | 0.650 (0.600 to 0.700) |" in page
    document = json.loads((written / "metrics.json").read_text())
    assert document["sharper_pictures"] == 17
    assert document["sharper"][SHARPER]["auroc"]["value"] == 0.65
    without = replace(evaluation.robustness, sharper=None, sharper_pictures=0)
    write_report(replace(evaluation, robustness=without), tmp_path)
    assert "sharper" not in (tmp_path / "report.md").read_text()


def test_the_page_shows_every_picture_it_names(written):
    page = (written / "report.md").read_text()
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert shown == [
        "subgroups.png",
        "risk.png",
        "robustness.png",
        "curves.png",
        "roc.png",
        "reliability.png",
        "confusion.png",
    ]
    for name in shown:
        picture_HWC = cv2.imread(str(written / name))
        assert min(picture_HWC.shape[:2]) > 200
        assert picture_HWC.std() > 5


def test_a_set_without_diagnoses_has_a_report_without_their_matrix(evaluation, tmp_path):
    unknown = replace(evaluation.scored, diagnosis_N=np.full(28, UNKNOWN))
    bare = replace(evaluation, scored=unknown, subgroups=[], robustness=None)
    write_report(bare, tmp_path)
    assert "confusion.png" not in (tmp_path / "report.md").read_text()
    assert not (tmp_path / "confusion.png").exists()


def test_pictures_of_the_data_set_are_on_a_page_of_their_own(written):
    assert "worst.png" not in (written / "report.md").read_text()
    assert "![" in (page := (written / "errors.md").read_text())
    assert "do not publish" in page
    assert (written / "worst.png").is_file()


def test_the_page_has_a_table_of_everything_and_names_its_command(evaluation, written):
    page = (written / "report.md").read_text()
    assert evaluation.command in page
    for heading in ("Decisions", "Subgroups", "Risk against coverage", "Robustness"):
        assert f"## {heading}\n" in page
    metric = evaluation.metrics["ppv_prevalence_5_at_benign_below"]
    assert f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})" in page
    assert "| hair | 0.750 |" in page
    assert f"| {LESION_HIDDEN} | 0.550 (0.500 to 0.600) |" in page


def test_missed_lesions_stand_beside_what_the_file_promises(evaluation, tmp_path):
    point = OperatingPoint(benign_below=0.65, malignant_from=0.7)
    scored = evaluation.scored
    rows = zip(scored.group_N, scored.malignant_N, scored.probability_N, strict=True)
    below = {group for group, is_malignant, p in rows if is_malignant and p < point.benign_below}
    malignant = set(scored.group_N[scored.malignant_N.astype(bool)])
    said = f"Of {len(malignant)} malignant lesions {len(below)} have a picture below"
    assert 0 < len(below) < len(malignant)
    promise = Guarantee(
        method="order_statistic", miss_rate=0.2, confidence=0.95, lesions=60, missed=6
    )
    chance = binom.sf(len(below) - 1, len(malignant), promise.miss_rate)
    judged = replace(evaluation, operating_point=point)
    for part, each in (("test", None), ("test", promise), ("calibration", promise)):
        write_report(replace(judged, part=part, promise=each), tmp_path)
        page = (tmp_path / "report.md").read_text()
        assert said in page
        assert ("The contract's promise: Of malignant lesions like" in page) is (each is not None)
        told = f"or more, would have a probability of {chance:.2g}; if" in page
        assert told is (part == "test" and each is not None)


def test_a_weak_subgroup_is_named_on_page_and_console_and_in_the_file(evaluation, written):
    line = "sex female (120 lesions): AUROC 0.800 (0.750 to 0.850)"
    page = (written / "report.md").read_text()
    assert f"- {line}" in page
    assert "sex: female **weak**" in page
    assert "sex: male **weak**" not in page
    assert json.loads((written / "metrics.json").read_text())["weak_subgroups"] == [line]
    console = Console(record=True, width=120, file=io.StringIO())
    print_metrics(evaluation, console)
    assert f"weak: {line}" in console.export_text()


@pytest.mark.parametrize("protocol", WARNINGS)
def test_a_figure_of_another_protocol_is_never_without_its_warning(evaluation, tmp_path, protocol):
    inflated = replace(evaluation, protocol=protocol, subgroups=[], robustness=None)
    write_report(inflated, tmp_path)
    warning = WARNINGS[protocol]
    assert json.loads((tmp_path / "metrics.json").read_text())["warning"] == warning
    first, _, rest = (tmp_path / "report.md").read_text().partition("\n")
    assert warning in first
    assert f"**Protocol {protocol}: {warning}.**" in rest
    console = Console(record=True, width=200, file=io.StringIO())
    print_metrics(inflated, console)
    assert warning in console.export_text()


def test_metrics_and_predictions_can_be_read_back(evaluation, written):
    document = json.loads((written / "metrics.json").read_text())
    assert document["metrics"]["auroc"] == evaluation.metrics["auroc"].model_dump()
    assert (document["pictures"], document["lesions"]) == (28, 14)
    assert document["operating_point"] == {"benign_below": 0.3, "malignant_from": 0.6}
    with (written / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image_id"] for row in rows] == [case.image_id for case in evaluation.cases]
    assert sum(float(rows[0][code]) for code in DIAGNOSES) == pytest.approx(1, abs=1e-5)
    assert f"{evaluation.metrics['auroc'].value:.3f}" in (written / "report.md").read_text()


def test_the_confusion_matrix_counts_truth_in_rows(evaluation):
    counts_KK = confusion(evaluation.scored)
    np.testing.assert_array_equal(counts_KK, 4 * np.eye(7))


def test_the_table_has_a_value_per_picture_and_per_lesion(evaluation):
    console = Console(record=True, width=120, file=io.StringIO())
    print_metrics(evaluation, console)
    text = console.export_text()
    assert "student 1.2.3 on the validation part" in text
    for name in ("auroc", "lesion_auroc", "accuracy_at_half"):
        metric = evaluation.metrics[name]
        assert f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})" in text
