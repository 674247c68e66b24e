"""A broken frame keeps its size, and is broken as its name says."""

import numpy as np
import pytest

from tests.builders import a_picture
from training.evaluate.out_of_distribution.broken_frames import BREAKS, break_frame


@pytest.fixture(scope="module")
def picture():
    """Neither side is a whole number of blocks."""
    return a_picture(height_px=75, width_px=101)


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_repeats_and_leaves_the_picture_alone(picture, name):
    kept = picture.copy()
    broken = break_frame(picture, name, 3)
    assert broken.shape == picture.shape
    assert broken.dtype == np.uint8
    assert (broken != picture).any()
    assert (picture == kept).all()
    assert (break_frame(picture, name, 3) == broken).all()


def test_black_is_dark_and_white_is_bright(picture):
    assert break_frame(picture, "black", 0).max() < 4
    assert break_frame(picture, "white", 0).min() > 251


def test_one_channel_is_left_as_it_was(picture):
    broken = break_frame(picture, "one channel", 1)
    same = [(broken[:, :, channel] == picture[:, :, channel]).all() for channel in range(3)]
    assert sorted(same) == [False, False, True]
    assert (broken.reshape(-1, 3).max(axis=0) > 0).sum() == 1


@pytest.mark.parametrize("name", ["red and blue swapped", "inverted"])
def test_what_is_done_twice_is_undone(picture, name):
    assert (break_frame(break_frame(picture, name, 0), name, 0) == picture).all()


def test_torn_lines_hold_the_same_pixels(picture):
    broken = break_frame(picture, "torn", 5)
    assert (np.sort(broken, axis=1) == np.sort(picture, axis=1)).all()


def test_shuffled_blocks_hold_the_same_pixels(picture):
    broken = break_frame(picture, "shuffled blocks", 5)
    sums = [
        np.sort(frame[:64, :96].reshape(4, 16, 6, 16, 3).sum(axis=(1, 3)).ravel())
        for frame in (picture, broken)
    ]
    assert (sums[0] == sums[1]).all()


def test_half_a_frame_ends_in_one_color(picture):
    broken = break_frame(picture, "half a frame", 2)
    assert (broken[:20] == picture[:20]).all()
    assert (broken[-20:] == (0, 135, 0)).all()
