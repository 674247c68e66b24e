"""A kept picture is pixels alone, and shows which square the model saw."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from device.core.manifest import PreprocessSpec, Resize
from device.drawing import add_vignette
from device.history.pictures import THUMBNAIL_PX, keep, unpack
from device.preprocess.field_of_view import field_of_view
from tests.builders import a_capture, a_picture, a_spec

pytestmark = pytest.mark.portable


def photo_of_a_phone():
    """A JPEG file that tells place, owner and time, with a comment and a second thumbnail."""
    image = Image.fromarray(a_picture(height_px=480, width_px=640))
    exif = Image.Exif()
    exif[0x010F] = "MAKER-SECRET"
    exif[0x013B] = "OWNER-SECRET"
    exif[0x0112] = 6
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, exif=exif, comment=b"COMMENT-SECRET", xmp=b"XMP-SECRET")
    return file.getvalue()


def kept(capture, **changes):
    options = {"longest_px": 512, "max_pixels": 10**6, **changes}
    return keep(capture, a_spec(), **options)


def test_nothing_that_the_file_said_beside_its_pixels_is_kept():
    encoded = photo_of_a_phone()
    assert b"SECRET" in encoded
    picture = kept(a_capture(encoded=encoded))
    for file in (picture.jpeg, picture.thumbnail):
        assert b"SECRET" not in file
        assert b"Exif" not in file
        with Image.open(io.BytesIO(file)) as image:
            assert not image.getexif()
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_it_stands_upright_as_the_model_saw_it():
    picture = kept(a_capture(encoded=photo_of_a_phone()))
    assert unpack(picture.jpeg).shape == (512, 384, 3)


@pytest.mark.parametrize(
    ("height_px", "width_px", "expected"),
    [(300, 400, (300, 400)), (768, 1024, (384, 512)), (1024, 100, (512, 50))],
)
def test_only_a_larger_picture_is_shrunk(height_px, width_px, expected):
    pixels_HWC = np.random.default_rng(0).integers(
        60, 200, (height_px, width_px, 3), dtype=np.uint8
    )
    picture = kept(a_capture(pixels_HWC))
    assert unpack(picture.jpeg).shape[:2] == expected
    assert max(unpack(picture.thumbnail).shape) == THUMBNAIL_PX


def test_colors_stay():
    pixels_HWC = a_picture(height_px=300, width_px=400)
    difference_HWC = np.abs(unpack(kept(a_capture(pixels_HWC)).jpeg).astype(int) - pixels_HWC)
    assert difference_HWC.mean() < 3


def test_the_crop_is_the_square_that_the_first_stage_cuts_out():
    pixels_HWC = add_vignette(
        a_picture(height_px=300, width_px=400), np.random.default_rng(3), radius_share=0.62
    )
    picture = kept(a_capture(pixels_HWC))
    square_HWC = field_of_view(pixels_HWC, a_spec().stages[0])
    top, left, side = picture.crop_top_px, picture.crop_left_px, picture.crop_side_px
    assert side < 300
    np.testing.assert_array_equal(pixels_HWC[top : top + side, left : left + side], square_HWC)


def test_without_that_stage_it_is_the_central_square():
    spec = PreprocessSpec(version=1, stages=(Resize(side_px=64),))
    pixels_HWC = np.asfortranarray(a_picture(height_px=300, width_px=400))
    picture = keep(a_capture(pixels_HWC), spec, longest_px=512, max_pixels=10**6)
    assert (picture.crop_top_px, picture.crop_left_px, picture.crop_side_px) == (0, 50, 300)


def test_what_is_no_file_of_ours_is_told():
    with pytest.raises(ValueError, match="JPEG file of our own"):
        unpack(cv2.imencode(".png", a_picture())[1].tobytes()[:50])
