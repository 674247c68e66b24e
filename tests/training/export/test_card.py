"""The card says what the contract says, and names whom the model serves badly."""

import json
import shutil
from pathlib import Path

import pytest
from scipy.stats import binom

from device.core.manifest import Guarantee, Metric
from tests.builders import a_manifest
from training.cli import main
from training.evaluate.probes import CLEAN, LESION_HIDDEN, MASK_SIZE, MIDDLE_HIDDEN
from training.evaluate.report import PREDICTIONS_NAME
from training.export.card import CARD_NAME, card
from training.export.errors import ExportError
from training.export.shown import read_shown
from training.recipes import is_taught
from training.runs import METRICS_NAME

ROOT = Path(__file__).resolve().parents[3]
FIGURE = Metric(value=0.801, low=0.752, high=0.853)
A_RECORD = a_manifest().training.model_copy(update={"images": {"train": 3, "test": 4}})


def written(**changes):
    manifest = a_manifest(training=A_RECORD, **changes)
    return card(manifest, file_name="m.onnx", sha256="0" * 64, size_bytes=1)


def test_weak_groups_are_named_with_their_figures():
    name = "diagnosis MEL (132 lesions, against all benign pictures)"
    text = written(metrics={"auroc": FIGURE, f"subgroup_{name}": FIGURE})
    assert f"with a low AUROC: {name}, 0.801 (0.752 to 0.853).\n" in text
    assert "low AUROC" not in written(metrics={"auroc": FIGURE})


def test_the_promise_stands_in_words():
    promise = Guarantee(
        method="order_statistic", miss_rate=0.075, confidence=0.951, lesions=138, missed=5
    )
    text = written(guarantee=promise, uncertain_share=0.296)
    assert promise.in_words in text
    assert "29.6% of the calibration pictures" in text


def test_strangers_are_spoken_of_only_where_they_were_shown():
    assert "pictures without a lesion were not shown to it." in written()
    text = written(metrics={"novelty_auroc_photographs": FIGURE})
    assert "were not shown" not in text
    assert "| novelty_auroc_photographs | 0.8010 |" in text


def test_every_item_of_the_checklists_leads_to_a_file():
    rows = [line for line in written().splitlines() if "](../../" in line and line.startswith("|")]
    assert len(rows) > 15
    for row in rows:
        for link in row.split("](../../")[1:]:
            assert (ROOT / link.partition(")")[0]).exists(), row


def test_a_taught_student_is_told_to_name_its_teachers():
    """Its recipe refuses to begin without."""
    taught = card(
        a_manifest(training=A_RECORD), file_name="m", sha256="0", size_bytes=1, taught=True
    )
    assert " --teacher TEACHER --out RUN\n" in taught
    assert "once for each of its teachers" in taught
    assert "--teacher" not in written()
    assert is_taught("student_distilled --epochs 24")
    assert not any(map(is_taught, ("student_control", "teacher_small", "of somebody else")))


def test_what_is_said_of_the_test_part_is_said_where_the_recipes_were_found_on_it():
    of_record = A_RECORD.model_copy(update={"datasets": ("ham10000",)})
    text = card(a_manifest(training=of_record), file_name="m", sha256="0", size_bytes=1)
    assert "which teachers the recipes" in text
    assert "which teachers the recipes" not in written()


def a_report(folder, manifest, *, probes=True, **changes):
    """Three malignant lesions, of which one is called benign on one of its two pictures."""
    figure = FIGURE.model_dump()
    document = {
        "model": f"{manifest.name} {manifest.version}",
        "part": "test",
        "split_sha256": manifest.training.split_sha256,
        "calibration": manifest.calibration.model_dump(),
        "operating_point": manifest.operating_point.model_dump(),
        "masked": dict.fromkeys((LESION_HIDDEN, MIDDLE_HIDDEN, MASK_SIZE), figure)
        if probes
        else None,
        "robustness": [
            {
                "disturbance": name,
                "level": level,
                "called_benign_share": {"value": level / 10, "low": 0.0, "high": 0.5},
            }
            for name, level in ((CLEAN, 0), ("white balance", 3), ("noise", 2))
        ]
        if probes
        else None,
    }
    rows = [("A", 1, 0.9), ("A", 1, 0.1), ("B", 1, 0.5), ("C", 1, 0.9), ("D", 0, 0.1)]
    lines = ["group,malignant,probability_malignant", *(f"{a},{b},{c}" for a, b, c in rows)]
    (folder / METRICS_NAME).write_text(json.dumps(document | changes))
    (folder / PREDICTIONS_NAME).write_text("\n".join(lines) + "\n")
    return folder


def test_the_promise_is_held_against_the_report(tmp_path):
    manifest = a_manifest(training=A_RECORD)
    shown = read_shown(a_report(tmp_path, manifest), manifest)
    text = card(manifest, file_name="m.onnx", sha256="0", size_bytes=1, shown=shown)
    assert "On the test part 1 of 3 malignant lesions (33.3%) have a picture" in text
    chance = binom.sf(0, 3, manifest.guarantee.miss_rate)
    assert f"would have a probability of {chance:.2g}; if these lesions" in text
    assert "still leaves an AUROC of\n  0.801 (0.752 to 0.853), and the same disc" in text
    assert "0.0% of these are called\n  `benign`; 30.0% under white balance at level 3" in text
    assert "and 20.0% under noise at level 2 of 5 (0.0% to 50.0%)" in text
    assert "python -m training card --model FOLDER/m.onnx --report REPORT\n" in text
    assert "and from its report on the test part" in text


def test_without_a_report_or_its_probes_the_card_points_to_the_page(tmp_path):
    manifest = a_manifest(training=A_RECORD)
    text = written()
    assert "What the test part shows of it: [docs/evaluation.md]" in text
    assert "under other light or noise" in text
    assert "training card" not in text
    shown = read_shown(a_report(tmp_path, manifest, probes=False), manifest)
    text = card(manifest, file_name="m.onnx", sha256="0", size_bytes=1, shown=shown)
    assert "1 of 3 malignant lesions" in text
    assert "under other light or noise" in text


def test_a_report_of_something_else_is_refused(tmp_path):
    manifest = a_manifest()
    with pytest.raises(ExportError, match=r"no metrics\.json and no predictions\.csv"):
        read_shown(tmp_path, manifest)
    with pytest.raises(ExportError, match="no report of this file; part: expected test, found tr"):
        read_shown(a_report(tmp_path, manifest, part="train"), manifest)
    with pytest.raises(ExportError, match=r"model: expected test 0\.0\.1, found another"):
        read_shown(a_report(tmp_path, manifest, model="another"), manifest)


def test_the_card_of_the_model_that_ships_can_be_written_anew(tmp_path, capsys):
    model = tmp_path / "student.onnx"
    shutil.copyfile(ROOT / "device/models/student.onnx", model)
    assert main(["card", "--model", str(model)]) == 0
    assert str(tmp_path / CARD_NAME) in capsys.readouterr().out
    assert " --teacher TEACHER --out RUN\n" in (tmp_path / CARD_NAME).read_text()
