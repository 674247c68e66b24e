"""Each stage does what its first line says, on pictures whose answer is known."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from device.core.manifest import (
    ColorConstancy,
    Denoise,
    FieldOfView,
    HairRemoval,
    LocalContrast,
    PreprocessSpec,
    Resize,
)
from device.drawing import add_hair, add_vignette
from device.preprocess import model_input, prepare, working_copy
from device.preprocess.color_constancy import shades_of_gray
from device.preprocess.denoise import denoise
from device.preprocess.field_of_view import field_of_view
from device.preprocess.hair_removal import remove_hair
from device.preprocess.local_contrast import enhance_local_contrast
from device.preprocess.resize import halve_to, resize_area
from tests.builders import a_picture, a_spec

pytestmark = pytest.mark.portable

FIELD = FieldOfView(enabled=True, dark_share=0.3, smallest_side_share=0.5)
HAIR = HairRemoval(
    enabled=True,
    kernel_px=7,
    threshold_levels=14,
    shortest_px=24,
    thickest_px=4.0,
    densest_share=0.15,
    inpaint_radius_px=2,
)
NOISE = Denoise(enabled=True, diameter_px=3, sigma_color_levels=12.0, sigma_space_px=1.5)
COLOR = ColorConstancy(enabled=True, norm_order=6)
CONTRAST = LocalContrast(enabled=True, clip_limit=1.0, tiles=4)

pictures = st.tuples(st.integers(8, 90), st.integers(8, 90)).flatmap(
    lambda size: arrays(np.uint8, (*size, 3))
)


@settings(max_examples=40, deadline=None)
@given(pictures, st.booleans())
def test_any_picture_becomes_an_input_of_the_right_shape(pixels_HWC, enabled):
    """Stages are total: noise, black, one colour and thin strips all come out as inputs."""
    before = pixels_HWC.copy()
    result = prepare(pixels_HWC, a_spec(32, enabled=enabled))
    assert result.shape == (32, 32, 3)
    assert result.dtype == np.uint8
    assert np.array_equal(pixels_HWC, before), "the input was written into"


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_picture_of_one_colour_survives_all_stages(level):
    result = prepare(np.full((80, 120, 3), level, dtype=np.uint8), a_spec(32))
    assert result.shape == (32, 32, 3)


def test_a_picture_without_vignette_gives_its_central_square():
    picture = a_picture(height_px=150, width_px=200)
    assert np.array_equal(field_of_view(picture, FIELD), picture[:, 25:175])


def test_the_crop_is_a_view():
    """A 12-megapixel frame is not copied to be cropped."""
    picture = a_picture()
    assert np.shares_memory(field_of_view(picture, FIELD), picture)


@pytest.mark.parametrize("radius_share", [0.55, 0.65, 0.75])
@pytest.mark.parametrize("scale", [1, 4])
def test_a_round_vignette_is_cut_away(radius_share, scale):
    picture = add_vignette(
        a_picture(height_px=150 * scale, width_px=200 * scale),
        np.random.default_rng(1),
        radius_share=radius_share,
    )
    cropped = field_of_view(picture, FIELD)
    patch = cropped.shape[0] // 12
    corners = [
        cropped[:patch, :patch],
        cropped[:patch, -patch:],
        cropped[-patch:, :patch],
        cropped[-patch:, -patch:],
    ]
    assert cropped.shape[0] == cropped.shape[1] < picture.shape[0]
    assert cropped.shape[0] >= 0.5 * picture.shape[0]
    assert all(corner.max() > 60 for corner in corners)


def test_a_dark_lesion_in_the_middle_is_no_vignette():
    picture = np.full((150, 200, 3), 200, dtype=np.uint8)
    cv2.circle(picture, (100, 75), 60, (10, 10, 10), -1)
    assert field_of_view(picture, FIELD).shape == (150, 150, 3)


def test_switched_off_the_field_of_view_is_the_plain_central_square():
    picture = add_vignette(a_picture(), np.random.default_rng(1), radius_share=0.7)
    off = FIELD.model_copy(update={"enabled": False})
    assert np.array_equal(field_of_view(picture, off), picture[:, 25:175])


def test_resizing_is_the_mean_of_the_area():
    picture = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    expected = np.rint(picture.reshape(4, 2, 4, 2, 3).mean(axis=(1, 3)))
    assert np.abs(resize_area(picture, 4).astype(int) - expected).max() <= 1


def test_a_picture_of_the_right_size_is_not_touched():
    picture = a_picture(height_px=64, width_px=64)
    assert resize_area(picture, 64) is picture


def test_a_hair_is_painted_over_and_the_rest_stays():
    clean = np.full((128, 128, 3), (200, 160, 150), dtype=np.uint8)
    hairy = clean.copy()
    cv2.line(hairy, (5, 10), (120, 110), (60, 40, 30), 2, cv2.LINE_AA)
    repaired = remove_hair(hairy, HAIR)
    assert np.abs(hairy.astype(int) - clean).max() > 90
    assert np.abs(repaired.astype(int) - clean).max() <= 12


def test_most_of_a_drawn_hair_is_removed():
    clean = np.full((128, 128, 3), (200, 160, 150), dtype=np.uint8)
    hairy = add_hair(clean, np.random.default_rng(2), count=6)
    before = np.abs(hairy.astype(int) - clean).mean()
    after = np.abs(remove_hair(hairy, HAIR).astype(int) - clean).mean()
    assert after < 0.5 * before


def test_without_hair_nothing_is_painted():
    picture = np.full((64, 64, 3), 150, dtype=np.uint8)
    assert remove_hair(picture, HAIR) is picture


def test_a_pigment_network_is_left_alone():
    """Thin dark lines that mesh are the lesion's own; removing them removes the diagnosis."""
    picture = np.full((64, 64, 3), 200, dtype=np.uint8)
    picture[10:50:4, 10:50] = 60
    picture[10:50, 10:50:4] = 60
    assert remove_hair(picture, HAIR) is picture


def test_dots_and_globules_are_left_alone():
    picture = np.full((64, 64, 3), 200, dtype=np.uint8)
    picture[8:56:6, 8:56:6] = 40
    assert remove_hair(picture, HAIR) is picture


def test_hairs_that_cross_are_painted_over():
    clean = np.full((128, 128, 3), (200, 160, 150), dtype=np.uint8)
    hairy = clean.copy()
    for start, end in [((5, 10), (120, 110)), ((10, 120), (118, 8)), ((60, 2), (66, 126))]:
        cv2.line(hairy, start, end, (60, 40, 30), 2, cv2.LINE_AA)
    assert np.abs(remove_hair(hairy, HAIR).astype(int) - clean).max() <= 20


def test_noise_falls_and_an_edge_stays():
    rng = np.random.default_rng(0)
    clean = np.full((64, 64, 3), 60, dtype=np.uint8)
    clean[:, 32:] = 200
    noisy = np.clip(clean + rng.normal(0, 5, clean.shape), 0, 255).astype(np.uint8)
    result = denoise(noisy, NOISE).astype(int)
    assert result[:, :30].std() < 0.8 * noisy[:, :30].std()
    assert result[:, 32].mean() - result[:, 31].mean() > 130


@given(st.floats(0.6, 1.0), st.floats(0.6, 1.0))
@settings(max_examples=20, deadline=None)
def test_the_colour_of_the_lamp_is_divided_out(red, blue):
    """A gray picture under a coloured lamp becomes gray again."""
    rng = np.random.default_rng(0)
    gray = rng.integers(60, 200, (32, 32, 1)).astype(np.float64)
    lit = np.rint(gray * np.array([red, 1.0, blue])).astype(np.uint8)
    result = shades_of_gray(lit, COLOR).astype(int)
    assert np.abs(result - result.mean(axis=2, keepdims=True)).max() <= 3


def test_a_neutral_lamp_changes_nothing():
    gray = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    assert np.array_equal(shades_of_gray(gray, COLOR), gray)


def test_a_channel_without_light_leaves_the_picture_as_it_is():
    picture = a_picture()
    picture[:, :, 2] = 0
    assert shades_of_gray(picture, COLOR) is picture


@pytest.mark.parametrize("norm_order", [1, 6, 32])
def test_the_lamp_is_the_minkowski_mean(norm_order):
    """The histogram gives what the formula says, for every order."""
    picture = a_picture()
    lamp = (picture.astype(np.float64) ** norm_order).mean(axis=(0, 1)) ** (1 / norm_order)
    gain = np.linalg.norm(lamp) / (np.sqrt(3) * lamp)
    expected = np.clip(np.rint(picture * gain), 0, 255)
    result = shades_of_gray(picture, ColorConstancy(enabled=True, norm_order=norm_order))
    assert np.abs(result - expected).max() <= 1


def test_local_contrast_spreads_a_flat_picture_and_keeps_gray_gray():
    ramp = np.tile(np.linspace(110, 140, 64).astype(np.uint8), (64, 1))
    result = enhance_local_contrast(np.repeat(ramp[:, :, None], 3, axis=2), CONTRAST).astype(int)
    assert result.std() > 1.1 * ramp.std()
    assert np.abs(result - result.mean(axis=2, keepdims=True)).max() <= 3


def test_switched_off_stages_change_nothing_but_the_size():
    picture = a_picture(height_px=64, width_px=64)
    assert np.array_equal(prepare(picture, a_spec(64, enabled=False)), picture)


def test_the_stages_run_in_the_order_of_the_contract():
    """Two stages that do not commute give the pixels of their declared order."""
    stages = (Resize(side_px=64), CONTRAST, COLOR)
    picture = a_picture(height_px=64, width_px=64)
    expected = shades_of_gray(enhance_local_contrast(picture, CONTRAST), COLOR)
    assert np.array_equal(prepare(picture, PreprocessSpec(version=1, stages=stages)), expected)
    swapped = PreprocessSpec(version=1, stages=(stages[0], stages[2], stages[1]))
    assert not np.array_equal(prepare(picture, swapped), expected)


@pytest.mark.parametrize("side_px", [32, 48, 128])
def test_two_area_resizes_equal_one(side_px):
    """The working copy costs no more than rounding."""
    picture = a_picture(height_px=1100, width_px=1100)
    off = a_spec(side_px, enabled=False)
    direct = resize_area(picture, side_px).astype(int)
    assert np.abs(prepare(picture, off) - direct).max() <= 1


@pytest.mark.parametrize(("version", "side_px"), [(1, 256), (2, 225)])
def test_the_working_copy_bounds_what_follows(version, side_px):
    spec = a_spec(64).model_copy(update={"version": version})
    working = working_copy(a_picture(height_px=900, width_px=1200), spec)
    assert working.shape == (side_px, side_px, 3)
    assert model_input(working, spec).shape == (64, 64, 3)


@pytest.mark.parametrize("height_px", [1021, 1024, 1300])
def test_halving_looks_like_one_area_resize(height_px):
    """Also where a side is odd, once or again and again, and an edge runs through the frame."""
    picture = a_picture(height_px=height_px, width_px=height_px + 7)
    picture[: height_px // 3] //= 2
    square = a_spec(64, enabled=False).model_copy(update={"version": 2})
    direct = prepare(picture, square.model_copy(update={"version": 1})).astype(int)
    assert np.abs(prepare(picture, square) - direct).mean() < 1.0


def test_what_need_not_be_halved_is_left_alone():
    picture = a_picture(height_px=256, width_px=256)
    assert halve_to(picture, 256) is picture
    assert halve_to(picture, 255).shape == (128, 128, 3)
    assert halve_to(picture, 1).shape == (1, 1, 3)


def test_halving_takes_the_mean_of_four():
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    picture[0, 0] = 200
    picture[2:, 2:, 1] = 40
    halved = halve_to(picture, 2)
    assert halved[:, :, 0].tolist() == [[50, 0], [0, 0]]
    assert halved[:, :, 1].tolist() == [[50, 0], [0, 40]]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 8), dtype=np.uint8),
        np.zeros((8, 8, 4), dtype=np.uint8),
        np.zeros((8, 8, 3), dtype=np.float32),
        np.zeros((0, 8, 3), dtype=np.uint8),
    ],
)
def test_what_is_no_picture_is_refused_with_what_was_found(wrong):
    with pytest.raises(ValueError, match="picture: expected"):
        prepare(wrong, a_spec())
