"""Pictures with consent and a diagnosis become a set that training reads like any other."""

import csv
import json

import pytest

from device.core.errors import HistoryError
from device.core.results import Annotation
from device.core.values import Result
from tests.builders import a_capture, a_history, a_picture, a_spec, an_answer


@pytest.fixture
def archive(tmp_path):
    with a_history(tmp_path / "state") as opened:
        opened.keep_pictures(a_spec(), longest_px=256, max_pixels=10**6)
        yield opened


def add(archive, *, seed=1, result=Result.BENIGN, **members):
    decision = an_answer().decision
    fields = {name: getattr(decision, name) for name in decision.__slots__}
    answer = an_answer(decision=type(decision)(**{**fields, "result": result}))
    result_id = archive.record(a_capture(a_picture(seed)), answer).result_id
    archive.annotate(result_id, Annotation(**members), actor="t").result(30)
    return result_id


def test_training_reads_it(archive, tmp_path):
    readers = pytest.importorskip("training.data.readers", reason="the board has no training")
    case = pytest.importorskip("training.data.case", reason="the board has no training")
    arm = {"patient_reference": "P-1", "lesion_reference": "arm"}
    first = add(archive, confirmed_diagnosis="NV", consent=True, **arm)
    add(archive, confirmed_diagnosis="NV", consent=False, **arm)
    third = add(
        archive,
        confirmed_diagnosis="MEL",
        diagnosis_confirm_type="histo",
        consent=True,
        seed=3,
        result=Result.UNCERTAIN,
        **arm,
    )
    alone = add(archive, confirmed_diagnosis="BKL", consent=True)
    alone_too = add(archive, confirmed_diagnosis="BKL", consent=True)
    add(archive, consent=True)
    add(archive, confirmed_diagnosis="NV", consent=True, result=Result.RETAKE)
    folder = tmp_path / "Clinic A"
    assert archive.export_dataset(folder, actor="command line").result(30) == 4

    cases = readers.read_dataset(folder)
    assert [one.image_id for one in cases] == [
        f"clinic-a/clinic-a-{result_id}" for result_id in (first, third, alone, alone_too)
    ]
    assert [one.diagnosis for one in cases] == ["NV", "MEL", "BKL", "BKL"]
    assert [one.malignant for one in cases] == [False, True, False, False]
    assert [one.lesion_id for one in cases] == [
        "clinic-a-lesion-00000001",
        "clinic-a-lesion-00000001",
        "clinic-a-lesion-00000004",
        "clinic-a-lesion-00000005",
    ]
    assert [one.diagnosis_confirm_type for one in cases] == [None, "histo", None, None]
    assert {(one.sex, one.age_approx, one.anatom_site) for one in cases} == {(None, None, None)}
    assert case.load_pixels(cases[0]).shape == (150, 200, 3)
    assert cases[1].path.read_bytes() == archive.picture(third).result(30)


@pytest.mark.portable
def test_no_reference_and_no_note_leaves_with_it(archive, tmp_path):
    add(
        archive,
        confirmed_diagnosis="NV",
        consent=True,
        note="NOTE-SECRET",
        patient_reference="P-SECRET",
        lesion_reference="L-SECRET",
    )
    archive.export_dataset(tmp_path / "set", actor="t").result(30)
    files = [path for path in (tmp_path / "set").rglob("*") if path.is_file()]
    assert len(files) == 3
    assert not [path for path in files if b"SECRET" in path.read_bytes()]
    with (tmp_path / "set" / "set_metadata.csv").open(newline="") as table:
        (row,) = csv.DictReader(table)
    assert (row["dx"], row["dx_type"], row["sex"]) == ("nv", "unknown", "unknown")
    assert json.loads((tmp_path / "set" / "about.json").read_text())["pictures"] == 1
    assert [entry.act for entry in archive.audit_trail().result(30)][-1] == "export dataset"


@pytest.mark.portable
def test_a_folder_that_is_there_is_left_alone(archive, tmp_path):
    add(archive, confirmed_diagnosis="NV", consent=True)
    (tmp_path / "set").mkdir()
    with pytest.raises(HistoryError, match="expected no folder"):
        archive.export_dataset(tmp_path / "set", actor="t").result(30)
    assert list((tmp_path / "set").iterdir()) == []


@pytest.mark.portable
def test_nothing_to_train_on_is_said_and_leaves_no_folder(archive, tmp_path):
    add(archive, confirmed_diagnosis="NV")
    with pytest.raises(HistoryError, match="consent and a confirmed diagnosis, found none"):
        archive.export_dataset(tmp_path / "set", actor="t").result(30)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.portable
def test_a_place_that_cannot_be_written_is_told(archive, tmp_path):
    add(archive, confirmed_diagnosis="NV", consent=True)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HistoryError, match="expected to write"):
        archive.export_dataset(tmp_path / "file" / "set", actor="t").result(30)
    assert archive.problem() is None
