"""The reader of HAM10000's layout: what it reads, and how it complains."""

import pytest

from tests.training.sets import COLUMNS, a_ham10000, a_lesion, write_picture
from training.data.readers import read_dataset, read_ham10000
from training.data.readers.ham10000 import RECORD_FOLDER
from training.errors import DataError

ROWS = [("HAM_1", "ISIC_1", "mel"), ("HAM_1", "ISIC_2", "mel"), ("HAM_2", "ISIC_3", "bkl")]


def test_rows_become_cases_in_their_order(tmp_path):
    cases = read_dataset(a_ham10000(tmp_path, ROWS))
    assert [case.image_id for case in cases] == [f"ham10000/ISIC_{i}" for i in (1, 2, 3)]
    assert [case.diagnosis for case in cases] == ["MEL", "MEL", "BKL"]
    assert [case.malignant for case in cases] == [True, True, False]
    assert [case.lesion_id for case in cases] == ["HAM_1", "HAM_1", "HAM_2"]
    assert {case.dataset for case in cases} == {"ham10000"}
    assert cases[0].diagnosis_confirm_type == "histo"
    assert (cases[0].age_approx, cases[0].sex, cases[0].anatom_site) == (55.0, "female", "back")


def test_what_the_set_does_not_know_stays_unknown(tmp_path):
    root = a_ham10000(tmp_path, ROWS[:1])
    table = root / "HAM10000_metadata.csv"
    table.write_text(
        table.read_text()
        .replace("55.0", "")
        .replace("female", "unknown")
        .replace("back", "unknown")
    )
    (case,) = read_ham10000(root)
    assert (case.age_approx, case.sex, case.anatom_site) == (None, None, None)


def test_the_metadata_file_names_the_set(tmp_path):
    assert read_dataset(a_ham10000(tmp_path, ROWS, name="drawn"))[0].image_id == "drawn/ISIC_1"


def test_every_fault_is_named_at_once(tmp_path):
    """Missing, broken, unknown, repeated, nameless and left over: one error names them all."""
    root = a_ham10000(
        tmp_path,
        [*ROWS, ("HAM_3", "ISIC_4", "wart"), ("", "ISIC_5", "nv"), ("HAM_9", "ISIC_9", "nv")],
    )
    (root / RECORD_FOLDER / "ISIC_1.jpg").unlink()
    (root / RECORD_FOLDER / "ISIC_2.jpg").write_bytes(b"no picture")
    write_picture(root / RECORD_FOLDER / "ISIC_7.jpg", a_lesion(7))
    table = root / "HAM10000_metadata.csv"
    table.write_text(table.read_text() + "HAM_9,ISIC_9,nv,histo,50,male,back\n")
    with pytest.raises(DataError, match=r"6 problem\(s\); repair or fetch") as caught:
        read_ham10000(root)
    text = str(caught.value)
    assert "ISIC_1: no picture in images_200x150" in text
    assert "ISIC_2.jpg: unreadable" in text
    assert "ISIC_4: unknown dx 'wart'" in text
    assert "ISIC_5: no lesion_id" in text
    assert "ISIC_7: picture without a row" in text
    assert "ISIC_9: more than one row" in text


def test_missing_columns_are_named(tmp_path):
    columns = ["lesion_id", "image", "diagnosis", *COLUMNS[3:]]
    with pytest.raises(DataError, match=r"(?s)expected these columns.*dx.*image_id"):
        read_ham10000(a_ham10000(tmp_path, ROWS, columns=columns))


def test_the_first_folder_that_holds_a_picture_gives_it(tmp_path):
    root = a_ham10000(tmp_path, ROWS)
    sharper = write_picture(root / "sharp" / "ISIC_2.jpg", a_lesion(1, "MEL"))
    cases = read_ham10000(root, image_folders=("sharp", RECORD_FOLDER))
    assert cases[1].path == sharper
    assert cases[0].path.parent.name == RECORD_FOLDER


def test_a_missing_picture_folder_is_named(tmp_path):
    root = a_ham10000(tmp_path, ROWS)
    with pytest.raises(DataError, match="no folder sharp"):
        read_ham10000(root, image_folders=(RECORD_FOLDER, "sharp"))


def test_two_metadata_files_are_refused(tmp_path):
    root = a_ham10000(tmp_path, ROWS)
    a_ham10000(tmp_path, ROWS, name="other")
    with pytest.raises(DataError, match="expected one metadata file"):
        read_dataset(root)
