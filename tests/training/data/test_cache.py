"""What the cache holds is what the board would see, and never half of it."""

import numpy as np
import pytest

from device.preprocess import prepare
from tests.training.sets import a_ham10000
from training.data.cache import prepare_variant, prepared
from training.data.case import load_pixels
from training.data.readers import read_dataset
from training.errors import DataError
from training.recipes.preprocessing import six_stages

SPEC = six_stages(32)


@pytest.fixture
def cases(tmp_path):
    rows = [(f"L{i}", f"I{i}", ("nv", "mel")[i % 2]) for i in range(3)]
    return read_dataset(a_ham10000(tmp_path / "set", rows))


def test_variant_zero_is_what_the_device_prepares(cases, tmp_path):
    pixels_VNSSC = prepared(cases, SPEC, folder=tmp_path / "cache", variants=2, workers=1)
    assert pixels_VNSSC.shape == (2, 3, 32, 32, 3)
    assert pixels_VNSSC.dtype == np.uint8
    for index, case in enumerate(cases):
        np.testing.assert_array_equal(pixels_VNSSC[0, index], prepare(load_pixels(case), SPEC))
        assert np.any(pixels_VNSSC[1, index] != pixels_VNSSC[0, index])


def test_a_second_call_reads_what_the_first_made(cases, tmp_path):
    first = prepared(cases, SPEC, folder=tmp_path / "cache", workers=1)
    (file,) = (tmp_path / "cache").iterdir()
    made = file.stat().st_mtime_ns
    again = prepared(cases, SPEC, folder=tmp_path / "cache", workers=1)
    np.testing.assert_array_equal(first, again)
    assert file.stat().st_mtime_ns == made
    assert not again.flags.writeable


def test_a_variant_depends_on_name_and_number_alone(cases):
    picture_HWC = load_pixels(cases[0])
    first, second, other = (
        prepare_variant(case, picture_HWC, SPEC, variant)
        for case, variant in ((cases[0], 1), (cases[0], 1), (cases[1], 1))
    )
    np.testing.assert_array_equal(first, second)
    assert np.any(first != other)


def test_a_stopped_build_leaves_nothing_that_looks_whole(cases, tmp_path):
    """The last picture breaks the build; the next one, with it mended, starts anew."""
    whole = cases[2].path.read_bytes()
    cases[2].path.write_bytes(whole[:200])
    with pytest.raises(DataError, match="not a picture"):
        prepared(cases, SPEC, folder=tmp_path / "cache", workers=1)
    assert list((tmp_path / "cache").iterdir()) == []
    cases[2].path.write_bytes(whole)
    assert len(prepared(cases, SPEC, folder=tmp_path / "cache", workers=1)[0]) == 3


def test_other_stages_and_changed_files_are_another_cache(cases, tmp_path):
    folder = tmp_path / "cache"
    prepared(cases[:1], SPEC, folder=folder, workers=1)
    prepared(cases[:1], six_stages(48), folder=folder, workers=1)
    cases[0].path.write_bytes(cases[1].path.read_bytes())
    prepared(cases[:1], SPEC, folder=folder, workers=1)
    assert len(list(folder.iterdir())) == 3
