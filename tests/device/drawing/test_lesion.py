"""
Drawn lesions repeat from their seed, at any size, and the diagnoses can be told apart.

Started as a program, this file writes the golden pixels afresh; do so only when the drawing
is meant to change: ``PYTHONPATH=. python tests/device/drawing/test_lesion.py``.
"""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.drawing import DIAGNOSES, draw_lesion, draw_skin

GOLDEN = Path(__file__).with_name("lesions.npy")


def golden_pixels():
    """Every twelfth row and sixteenth column of one picture per diagnosis, ``[7, 8, 8, 3]``."""
    pictures = [
        draw_lesion(40 + number, diagnosis=diagnosis, height_px=96, width_px=128)
        for number, diagnosis in enumerate(DIAGNOSES)
    ]
    return np.stack([picture[6::12, 8::16] for picture in pictures])


def test_the_seven_diagnoses_of_ham10000_are_drawn():
    assert set(DIAGNOSES) == {"MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"}


@given(
    seed=st.integers(0, 2**40),
    diagnosis=st.sampled_from(DIAGNOSES),
    height_px=st.integers(16, 120),
    width_px=st.integers(16, 120),
)
@settings(max_examples=60, deadline=None)
def test_any_seed_gives_one_picture_of_any_size(seed, diagnosis, height_px, width_px):
    first, second = (
        draw_lesion(seed, diagnosis=diagnosis, height_px=height_px, width_px=width_px)
        for _ in range(2)
    )
    assert first.shape == (height_px, width_px, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert 20 < first.mean() < 250


@given(seed=st.integers(0, 2**40), height_px=st.integers(16, 120), width_px=st.integers(16, 120))
@settings(max_examples=20, deadline=None)
def test_bare_skin_is_bright_and_pale(seed, height_px, width_px):
    pixels_HWC = draw_skin(seed, height_px=height_px, width_px=width_px)
    assert pixels_HWC.shape == (height_px, width_px, 3)
    assert np.array_equal(pixels_HWC, draw_skin(seed, height_px=height_px, width_px=width_px))
    red, _, blue = pixels_HWC.mean(axis=(0, 1))
    assert red > blue
    assert red > 90


def test_a_lesion_lies_on_the_skin_of_its_seed():
    for seed, diagnosis in enumerate(DIAGNOSES):
        skin_HWC = draw_skin(seed, height_px=150, width_px=200).astype(int)
        for_seed = {"height_px": 150, "width_px": 200}
        lesion_HWC = draw_lesion(seed, diagnosis=diagnosis, **for_seed).astype(int)
        # Left and right edge of a 4:3 picture are beyond most lesions.
        assert np.array_equal(skin_HWC[:, 0], lesion_HWC[:, 0])
        assert np.abs(skin_HWC - lesion_HWC)[70:80, 90:110].mean() > 8


def test_one_seed_looks_the_same_at_any_size():
    for seed, diagnosis in enumerate(DIAGNOSES):
        large = draw_lesion(seed, diagnosis=diagnosis, height_px=450, width_px=600)
        small = draw_lesion(seed, diagnosis=diagnosis, height_px=150, width_px=200)
        shrunk = cv2.resize(large, (200, 150), interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk.astype(int) - small).mean() < 3.0


def test_no_two_diagnoses_give_the_same_picture():
    pictures = [draw_lesion(3, diagnosis=name, height_px=96, width_px=128) for name in DIAGNOSES]
    for first, second in itertools.combinations(pictures, 2):
        assert np.abs(first.astype(int) - second).mean() > 2.0


def test_diagnoses_can_be_learned_but_not_read_off_the_mean_color():
    """A nearest-mean rule on a few measures is far above chance; on color alone, far from sure."""
    diagnosis_B, measures_BF = [], []
    for number, name in enumerate(DIAGNOSES):
        for seed in range(40):
            pixels_HWC = draw_lesion(
                1000 * number + seed, diagnosis=name, height_px=72, width_px=96
            )
            skin_C = np.median(pixels_HWC[:, :6], axis=(0, 1))
            lesion_HWC = pixels_HWC[18:54, 30:66] / np.maximum(skin_C, 1.0)
            inner_HWC = lesion_HWC[10:26, 10:26]
            edges = [np.abs(np.diff(lesion_HWC, axis=axis)).mean(axis=(0, 1)) for axis in (0, 1)]
            diagnosis_B.append(number)
            measures_BF.append(
                np.concatenate(
                    [
                        lesion_HWC.mean(axis=(0, 1)),
                        inner_HWC.mean(axis=(0, 1)),
                        lesion_HWC.std(axis=(0, 1)),
                        inner_HWC.std(axis=(0, 1)),
                        *edges,
                    ]
                )
            )
    diagnosis_B, measures_BF = np.array(diagnosis_B), np.array(measures_BF)
    measures_BF = (measures_BF - measures_BF.mean(axis=0)) / measures_BF.std(axis=0)
    is_train_B = np.arange(diagnosis_B.size) % 2 == 0

    def accuracy(columns):
        middle_KF = np.stack(
            [
                measures_BF[is_train_B & (diagnosis_B == number)][:, columns].mean(axis=0)
                for number in range(len(DIAGNOSES))
            ]
        )
        away_BK = np.linalg.norm(measures_BF[~is_train_B][:, None, columns] - middle_KF, axis=2)
        return (away_BK.argmin(axis=1) == diagnosis_B[~is_train_B]).mean()

    by_chance = 1 / len(DIAGNOSES)
    assert accuracy(slice(None)) > 3 * by_chance
    assert accuracy(slice(0, 3)) < 0.7


def test_pixels_are_the_golden_ones_to_within_one_level():
    expected = np.load(GOLDEN).astype(int)
    assert np.abs(expected - golden_pixels()).max() <= 1


def test_an_unknown_diagnosis_is_refused_with_the_seven():
    with pytest.raises(ValueError, match=r"expected a diagnosis of MEL NV .*, found 'nv'"):
        draw_lesion(1, diagnosis="nv")


@pytest.mark.parametrize("draw", [draw_lesion, draw_skin])
def test_a_picture_too_small_is_refused(draw):
    with pytest.raises(ValueError, match=r"expected sides of 16 px or more, found 15 x 64"):
        draw(1, height_px=15, width_px=64)


if __name__ == "__main__":
    np.save(GOLDEN, golden_pixels())
