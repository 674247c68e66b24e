"""Artefacts keep shape and dtype, repeat from their generator, and leave their input alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.drawing import add_hair, add_ink, add_ruler, add_vignette

ARTIFACTS = [add_hair, add_ink, add_ruler, add_vignette]
SKIN_C = (205, 160, 145)


def a_generator(seed=0):
    return np.random.default_rng(seed)


def even_skin(height_px=150, width_px=200):
    return np.full((height_px, width_px, 3), SKIN_C, np.uint8)


@pytest.mark.parametrize("add", ARTIFACTS)
@given(height_px=st.integers(32, 200), width_px=st.integers(32, 200), seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_any_picture_keeps_shape_and_dtype_and_is_not_written_to(add, height_px, width_px, seed):
    pixels_HWC = a_generator(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)
    before_HWC = pixels_HWC.copy()
    pixels_HWC.setflags(write=False)
    first, second = add(pixels_HWC, a_generator(seed)), add(pixels_HWC, a_generator(seed))
    assert first.shape == pixels_HWC.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert np.array_equal(pixels_HWC, before_HWC)
    assert not np.shares_memory(first, pixels_HWC)
    assert first.flags.writeable


@pytest.mark.parametrize("add", ARTIFACTS)
def test_a_part_of_a_larger_picture_is_taken_as_well(add):
    """A crop is a view with gaps between its rows."""
    large_HWC = a_generator().integers(0, 256, (200, 300, 3), np.uint8)
    crop_HWC = large_HWC[20:170, 40:240]
    expected = add(np.ascontiguousarray(crop_HWC), a_generator(4))
    assert np.array_equal(expected, add(crop_HWC, a_generator(4)))


@pytest.mark.parametrize("add", ARTIFACTS)
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((31, 64, 3), np.uint8),
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros(64, np.uint8),
    ],
    ids=["too small", "gray", "alpha", "float", "a row"],
)
def test_what_is_no_picture_is_refused_with_what_was_found(add, pixels):
    with pytest.raises(
        ValueError, match=rf"{add.__name__}: expected uint8 .*, found {pixels.dtype}"
    ):
        add(pixels, a_generator())


def test_no_hair_changes_nothing():
    pixels_HWC = even_skin()
    assert np.array_equal(pixels_HWC, add_hair(pixels_HWC, a_generator(), count=0))


def test_a_negative_number_of_hairs_is_refused():
    with pytest.raises(ValueError, match="expected a count of 0 or more, found -1"):
        add_hair(even_skin(), a_generator(), count=-1)


def test_more_hairs_cover_more_skin():
    def covered(count):
        changed = [
            (add_hair(even_skin(), a_generator(seed), count=count) != even_skin())
            .any(axis=2)
            .mean()
            for seed in range(12)
        ]
        return np.mean(changed)

    few, many = covered(5), covered(60)
    assert 0.0 < few < 0.1
    assert 3 * few < many < 0.6


@pytest.mark.parametrize("scale", [1, 4])
def test_a_hair_is_as_wide_as_the_picture_asks(scale):
    """About one pixel on a 200 x 150 frame, four pixels on one four times as wide."""
    widths_px = []
    for seed in range(40):
        picture = add_hair(even_skin(150 * scale, 200 * scale), a_generator(seed), count=1)
        change_HW = np.abs(picture.astype(int) - SKIN_C).sum(axis=2) / 3
        # A hair lies across some rows or columns only; its width is the mean share of those.
        depth = change_HW.max()
        if depth < 20:
            continue
        area_px = change_HW.sum() / depth
        rows, columns = (change_HW.max(axis=axis) > 0.3 * depth for axis in (1, 0))
        length_px = np.hypot(rows.sum(), columns.sum())
        if length_px > 40 * scale:
            widths_px.append(area_px / length_px)
    assert len(widths_px) > 8
    assert 0.6 * scale < np.median(widths_px) < 1.6 * scale


def test_hair_is_dark_or_light_but_hides_no_more_than_it_covers():
    means = [add_hair(even_skin(), a_generator(seed), count=25).mean() for seed in range(40)]
    bare = even_skin().mean()
    assert min(means) < bare - 3
    assert max(means) > bare + 1


def test_a_ruler_leaves_the_middle_free():
    is_changed_HW = np.zeros((150, 200), bool)
    for seed in range(60):
        is_changed_HW |= (add_ruler(even_skin(), a_generator(seed)) != even_skin()).any(axis=2)
    assert is_changed_HW.any()
    assert not is_changed_HW[55:95, 60:140].any()


def test_ink_only_takes_light_away():
    for seed in range(30):
        assert (add_ink(even_skin(), a_generator(seed)) <= even_skin()).all()


def test_ink_marks_the_skin_and_spares_most_of_the_middle():
    marked, middle = [], []
    for seed in range(60):
        is_marked_HW = (add_ink(even_skin(), a_generator(seed)) < 0.8 * even_skin()).any(axis=2)
        marked.append(is_marked_HW.mean())
        middle.append(is_marked_HW[50:100, 70:130].mean())
    assert 0.005 < np.mean(marked) < 0.15
    assert np.mean(middle) < 0.02


def test_a_vignette_is_black_outside_and_clear_inside():
    picture = add_vignette(even_skin(), a_generator(), radius_share=0.6)
    assert picture[:3, :3].max() <= 5
    np.testing.assert_allclose(picture[75, 100], SKIN_C, atol=3)


def test_a_wider_opening_shows_more():
    seen = [
        add_vignette(even_skin(), a_generator(2), radius_share=share).mean()
        for share in (0.4, 0.6, 0.8, 1.0, 1.3)
    ]
    assert seen == sorted(seen)
    assert seen[0] < 0.5 * seen[-1]


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan")])
def test_an_opening_without_radius_is_refused(share):
    with pytest.raises(ValueError, match="expected a radius_share above 0"):
        add_vignette(even_skin(), a_generator(), radius_share=share)
