"""Plain folders and the Kaggle set: labels from folders, and the shape that was squeezed away."""

import pytest

from tests.training.sets import a_lesion, write_picture
from training.data.case import load_pixels
from training.data.readers import read_dataset, read_folders, read_kaggle
from training.errors import DataError


def a_pair_of_folders(root, *, side_px=32):
    for number, label in enumerate(("benign", "malignant")):
        write_picture(
            root / label / f"{number}.jpg", a_lesion(number, height_px=side_px, width_px=side_px)
        )
    return root


def test_folders_give_the_label_and_nothing_else(tmp_path):
    benign, malignant = read_dataset(a_pair_of_folders(tmp_path / "clinic"))
    assert (benign.image_id, benign.malignant) == ("clinic/benign/0.jpg", False)
    assert (malignant.image_id, malignant.malignant) == ("clinic/malignant/1.jpg", True)
    assert (benign.diagnosis, benign.lesion_id, benign.aspect_ratio) == (None, None, None)


def test_faults_in_folders_are_named_at_once(tmp_path):
    root = a_pair_of_folders(tmp_path / "clinic")
    (root / "benign" / "broken.png").write_bytes(b"\x89PNG, or so it says")
    write_picture(root / "stray.jpg", a_lesion(5))
    (root / "malignant" / "1.jpg").unlink()
    with pytest.raises(DataError, match=r"3 problem\(s\)") as caught:
        read_folders(root)
    assert "broken.png: unreadable" in str(caught.value)
    assert "stray.jpg: a picture outside of benign and malignant has no label" in str(caught.value)
    assert "malignant: no picture" in str(caught.value)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match="found neither"):
        read_dataset(tmp_path)
    (tmp_path / "benign").mkdir()
    with pytest.raises(DataError, match="no folder malignant"):
        read_folders(tmp_path)


def test_kaggle_pictures_get_back_their_four_to_three(tmp_path):
    root = a_pair_of_folders(tmp_path / "kaggle", side_px=48)
    cases = read_dataset(root)
    assert {case.dataset for case in cases} == {"kaggle"}
    assert load_pixels(cases[0]).shape == (48, 64, 3)


def test_kaggle_is_also_read_in_the_parts_it_was_published_in(tmp_path):
    for part in ("train", "test"):
        a_pair_of_folders(tmp_path / "kaggle" / part)
    cases = read_kaggle(tmp_path / "kaggle")
    assert [case.image_id for case in cases] == [
        f"kaggle/{part}/{name}"
        for part in ("train", "test")
        for name in ("benign/0.jpg", "malignant/1.jpg")
    ]


def test_a_long_list_of_faults_is_cut_and_counted():
    error = DataError("set", [f"fault {i}" for i in range(25)], "mend them")
    assert "25 problem(s); mend them" in str(error)
    assert "... and 5 more" in str(error)
    assert len(error.problems) == 25
