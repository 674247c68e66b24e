"""Copies are found however they were turned, squeezed or compressed; strangers are not."""

import cv2
import numpy as np
import pytest

from tests.training.sets import a_lesion, some_cases, write_picture
from training.data.case import Case
from training.data.duplicates import matches, read_confirmed_pairs, thumbnails

SIDE = 24


def a_thumbnail(seed):
    return cv2.GaussianBlur(
        np.random.default_rng(seed).uniform(0, 255, (SIDE, SIDE)).astype(np.float32), (0, 0), 2
    )


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_copy_is_found_in_any_of_eight_orientations(turns, mirrored):
    original = a_thumbnail(1)
    copy = np.rot90(original, turns)
    copy = copy[:, ::-1] if mirrored else copy
    (match,) = matches(np.stack([a_thumbnail(2), original]), copy[None])
    assert (match.first, match.second) == (1, 0)
    assert match.correlation == pytest.approx(1.0, abs=1e-5)


def test_within_a_set_each_pair_is_found_once_and_never_with_itself():
    first, second = a_thumbnail(1), a_thumbnail(2)
    found = matches(np.stack([first, second, first, 0.5 * first + 20]))
    assert [(m.first, m.second) for m in found] == [(0, 2), (0, 3), (2, 3)]


def test_the_threshold_is_a_correlation():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(SIDE, SIDE)).astype(np.float32)
    second = first + 0.2 * rng.normal(size=(SIDE, SIDE)).astype(np.float32)
    expected = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    (found,) = matches(first[None], second[None], threshold=expected - 1e-4)
    assert found.correlation == pytest.approx(expected, abs=1e-4)
    assert not matches(first[None], second[None], threshold=expected + 1e-4)


def test_pictures_without_structure_match_nothing():
    flat = np.full((2, SIDE, SIDE), 128, dtype=np.float32)
    assert not matches(flat)


def test_a_squeezed_and_recompressed_copy_is_found_on_disk(tmp_path):
    pictures = [a_lesion(seed, height_px=150, width_px=200) for seed in range(4)]
    originals = [write_picture(tmp_path / f"{i}.png", p) for i, p in enumerate(pictures)]
    squeezed = cv2.resize(pictures[2], (112, 112), interpolation=cv2.INTER_AREA)
    copy = write_picture(tmp_path / "copy.jpg", squeezed)
    here, there = (thumbnails([_case(path) for path in paths]) for paths in (originals, [copy]))
    assert [(m.first, m.second) for m in matches(here, there)] == [(2, 0)]


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "1.jpg").write_text("nothing")
    with pytest.raises(ValueError, match=r"1\.jpg: not a picture"):
        thumbnails([_case(tmp_path / "1.jpg")])


def test_confirmed_pairs_are_read_by_the_names_of_their_columns(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("similarity,from_image_id,to_image_id\n0.98,ISIC_1,ISIC_2\n")
    assert read_confirmed_pairs(path) == [("ISIC_1", "ISIC_2")]


def _case(path):
    (template,) = some_cases([path.name])
    return Case(
        image_id=template.image_id, dataset="set", path=path, malignant=False, diagnosis=None
    )
