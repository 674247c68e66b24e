"""The gate says what a person has to do, and passes a usable picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from device.core.manifest import DIAGNOSES
from device.drawing import add_hair, draw_skin
from device.quality import assess
from tests.builders import a_manifest, a_picture

pytestmark = pytest.mark.portable

LIMITS = a_manifest().quality


def codes(picture):
    return [reason.code for reason in assess(picture, LIMITS).reasons]


@pytest.mark.parametrize("diagnosis", DIAGNOSES)
def test_a_usable_picture_passes(diagnosis):
    for seed in range(5):
        assert codes(a_picture(seed, diagnosis=diagnosis, height_px=300, width_px=300)) == []


def test_a_black_frame_is_too_dark():
    assert "too_dark" in codes(np.zeros((200, 200, 3), dtype=np.uint8))


def test_an_overexposed_frame_is_too_bright():
    assert "too_bright" in codes(np.full((200, 200, 3), 255, dtype=np.uint8))


def test_a_frame_of_one_colour_is_flat():
    assert codes(np.full((200, 200, 3), 128, dtype=np.uint8)) == ["flat"]


def test_a_blurred_picture_is_blurred():
    picture = cv2.GaussianBlur(a_picture(height_px=512, width_px=512), (0, 0), 12)
    assert codes(picture) == ["blurred"]


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_resolution_hardly_changes_the_measures(scale):
    """Above 512 pixels a picture measures like its smaller self."""
    picture = a_picture(height_px=512, width_px=512)
    larger = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    expected, found = assess(picture, LIMITS), assess(larger, LIMITS)
    assert found.sharpness == pytest.approx(expected.sharpness, rel=0.05)
    assert found.brightness == pytest.approx(expected.brightness, abs=0.01)


def test_measures_are_shares():
    report = assess(a_picture(), LIMITS)
    for name in ("brightness", "saturated_share", "contrast", "softness", "glare_share"):
        assert 0 <= getattr(report, name) <= 1
    assert 0 <= report.line_share <= 2
    assert 0 <= report.outline_outside <= 1


def test_skin_without_a_lesion_shows_no_lesion():
    assert codes(draw_skin(3, height_px=300, width_px=300)) == ["no_lesion"]


def a_disc(radius, *, x=150, y=150):
    """A brown disc on skin, with enough texture to be sharp."""
    skin = draw_skin(5, height_px=300, width_px=300)
    brown = (0.45 * skin).astype(np.uint8)
    inside = np.zeros((300, 300), np.uint8)
    cv2.circle(inside, (x, y), radius, 1, cv2.FILLED)
    return np.where(inside[:, :, None] > 0, brown, skin)


def test_a_lesion_at_the_rim_is_off_center():
    assert codes(a_disc(60, x=280, y=40)) == ["off_center"]


@pytest.mark.parametrize(("x", "y"), [(0, 150), (300, 150), (150, 0), (40, 40)])
def test_a_lesion_that_is_mostly_outside_is_cut_off(x, y):
    assert codes(a_disc(260, x=x, y=y)) == ["cut_off"]


def test_a_lesion_at_the_border_is_answered_with_advice():
    report = assess(a_disc(110, x=110), LIMITS)
    assert report.reasons == ()
    assert [each.code for each in report.advice] == ["touches_border"]


def test_a_lesion_in_the_middle_needs_no_advice():
    report = assess(a_disc(80), LIMITS)
    assert (report.reasons, report.advice) == ((), ())


def test_fur_is_too_much_hair():
    picture = a_picture(height_px=450, width_px=450).copy()
    rng = np.random.default_rng(2)
    for x0, y0, x1, y1 in rng.integers(0, 450, (150, 4)).tolist():
        cv2.line(picture, (x0, y0), (x1, y1), (25, 18, 15), 2, cv2.LINE_AA)
    assert codes(picture) == ["too_much_hair"]


def test_a_few_hairs_are_none_of_its_business():
    picture = add_hair(a_picture(height_px=450, width_px=450), np.random.default_rng(2), count=8)
    assert codes(picture) == []


def test_reflections_are_glare():
    picture = a_picture(height_px=300, width_px=300).copy()
    for x, y in ((60, 90), (150, 160), (220, 120), (120, 240), (240, 230)):
        cv2.circle(picture, (x, y), 22, (252, 252, 252), cv2.FILLED)
    assert codes(picture)[0] == "glare"


def test_a_smooth_lesion_with_a_sharp_border_is_sharp():
    """There is nothing else to be sharp: no noise, no texture."""
    picture = np.full((400, 400, 3), (210, 170, 150), np.uint8)
    cv2.circle(picture, (200, 200), 100, (60, 60, 50), cv2.FILLED)
    assert codes(picture) == []
    assert codes(cv2.GaussianBlur(picture, (0, 0), 14)) == ["blurred"]


def test_a_picture_that_moved_is_blurred():
    picture = a_picture(height_px=512, width_px=512)
    moved = cv2.blur(cv2.blur(picture, (80, 1)), (15, 15))
    assert codes(moved) == ["blurred"]


def test_without_light_the_rest_is_not_looked_at():
    found = codes((0.03 * a_picture(height_px=300, width_px=300)).astype(np.uint8))
    assert found[0] == "too_dark"
    assert not {"no_lesion", "blurred", "off_center"} & set(found)


def test_refused_there_is_no_advice_besides():
    assert assess(np.zeros((200, 200, 3), dtype=np.uint8), LIMITS).advice == ()


@pytest.mark.parametrize("side_px", [16, 64, 100, 128, 129, 513])
def test_any_size_is_measured(side_px):
    picture = cv2.resize(a_picture(height_px=256, width_px=256), (side_px, side_px))
    assert isinstance(assess(picture, LIMITS).softness, float)


@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(1, 40), st.just(3)).map(lambda size: (size[0], size[0], 3)),
    )
)
def test_no_picture_breaks_it(picture):
    report = assess(picture, LIMITS)
    assert all(
        np.isfinite(getattr(report, name))
        for name in ("sharpness", "softness", "line_share", "glare_share", "middle_contrast")
    )
