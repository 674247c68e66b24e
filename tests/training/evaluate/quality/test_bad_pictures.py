"""Drawn bad pictures are bad in the way that their name says."""

import numpy as np
import pytest

from device.quality import assess
from training.evaluate.quality.bad_pictures import BAD, _Placed, draw_bad, draw_good
from training.evaluate.quality.study import ALSO_RIGHT
from training.export.contract import QUALITY_LIMITS

SEEDS = range(300, 303)


@pytest.mark.parametrize("code", BAD)
def test_one_seed_is_one_picture(code):
    assert np.array_equal(draw_bad(code, 300), draw_bad(code, 300))
    assert not np.array_equal(draw_bad(code, 300), draw_bad(code, 301))


@pytest.mark.parametrize("code", BAD)
def test_the_gate_gives_the_reason_that_names_the_kind(code):
    right = {code} | ALSO_RIGHT.get(code, frozenset())
    for seed in SEEDS:
        picture = draw_bad(code, seed)
        middle = (picture.shape[1] - picture.shape[0]) // 2
        square = picture[:, middle : middle + picture.shape[0]]
        found = {reason.code for reason in assess(square, QUALITY_LIMITS).reasons}
        assert found & right, (seed, found)


def test_what_they_were_drawn_from_passes():
    for seed in SEEDS:
        assert assess(draw_good(seed)[:, 75:525], QUALITY_LIMITS).reasons == ()


def test_a_placed_lesion_is_where_it_was_put():
    placed = _Placed(4)
    whole = placed.lesion(1.0, (0.0, 0.0))
    half = placed.lesion(0.5, (0.0, 0.0))
    right = placed.lesion(0.5, (0.25, 0.0))
    assert half.mean() == pytest.approx(whole.mean() / 4, rel=0.1)
    centers = [float(np.nonzero(each)[1].mean()) for each in (half, right)]
    assert centers[1] - centers[0] == pytest.approx(0.25 * placed.side_px, abs=8)


def test_unmoved_it_is_the_drawing():
    placed = _Placed(4)
    from device.core.manifest import DIAGNOSES
    from device.drawing import draw_lesion

    expected = draw_lesion(4, diagnosis=DIAGNOSES[4], height_px=450, width_px=450)
    assert np.abs(placed.picture(1.0, (0.0, 0.0)).astype(int) - expected).max() <= 1
