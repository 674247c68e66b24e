"""A case says nothing that it does not know, and nothing that contradicts itself."""

from pathlib import Path

import pytest

from tests.training.sets import some_cases
from training.data.case import UNKNOWN, Case, load_pixels


def test_a_diagnosis_that_contradicts_the_label_is_refused():
    with pytest.raises(ValueError, match="MEL contradicts"):
        Case(image_id="a/1", dataset="a", path=Path("1"), malignant=False, diagnosis="MEL")


def test_an_unknown_code_is_refused():
    with pytest.raises(ValueError, match="unknown diagnosis 'mel'"):
        Case(image_id="a/1", dataset="a", path=Path("1"), malignant=True, diagnosis="mel")


def test_no_diagnosis_is_the_index_that_the_loss_skips():
    (known,), (unknown,) = some_cases(["1"], diagnosis="BCC"), some_cases(["1"], diagnosis=None)
    assert (known.diagnosis_index, unknown.diagnosis_index) == (2, UNKNOWN)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    case = Case(image_id="a/1", dataset="a", path=path, malignant=False, diagnosis=None)
    with pytest.raises(ValueError, match=r"notes\.jpg: not a picture"):
        load_pixels(case)
