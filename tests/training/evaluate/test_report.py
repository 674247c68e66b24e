"""A report is whole: every picture it shows is there, every figure in it is in the JSON."""

import csv
import io
import json
import re

import cv2
import numpy as np
import pytest
from rich.console import Console

from device.core.manifest import DIAGNOSES, Calibration, OperatingPoint
from tests.training.small import a_part
from training.evaluate.metrics import evaluate_predictions, score
from training.evaluate.plots import confusion
from training.evaluate.report import Evaluation, print_metrics, write_report

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
        split_sha256="0123456789abcdef",
        cases=part.cases,
        groups=groups,
        malignancy_logit_N=logit_N,
        scored=scored,
        pixels_NSSC=part.pixels_VNSSC[0],
        calibration=calibration,
        operating_point=POINT,
        metrics=evaluate_predictions(scored, POINT, draws=50),
    )


@pytest.fixture(scope="module")
def written(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "report"
    write_report(evaluation, folder, curves=CURVES)
    return folder


def test_the_page_shows_every_picture_it_names(written):
    page = (written / "report.md").read_text()
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert shown == ["curves.png", "roc.png", "reliability.png", "confusion.png", "worst.png"]
    for name in shown:
        picture_HWC = cv2.imread(str(written / name))
        assert min(picture_HWC.shape[:2]) > 400
        assert picture_HWC.std() > 5


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
    for name in ("auroc", "lesion_auroc"):
        metric = evaluation.metrics[name]
        assert f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})" in text
