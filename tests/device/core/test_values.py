"""Records that cross rooms are checked where they are made, and stay as they are."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.core import values
from device.core.values import Answer, Capture, Result, check_pixels

pytestmark = pytest.mark.portable

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PIXELS = np.zeros((2, 3, 3), dtype=np.uint8)


@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_a_picture_in_our_form_passes_unchanged(height, width):
    pixels_HWC = np.zeros((height, width, 3), dtype=np.uint8)
    assert check_pixels(pixels_HWC) is pixels_HWC


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2, 3, 3), np.float32),
        ((2, 3, 3), np.int8),
        ((2, 3, 3), np.uint16),
        ((2, 3), np.uint8),
        ((2, 3, 1), np.uint8),
        ((2, 3, 4), np.uint8),
        ((3, 2, 2), np.uint8),
        ((1, 2, 3, 3), np.uint8),
    ],
)
def test_another_dtype_or_shape_is_refused_with_what_was_found(shape, dtype):
    with pytest.raises(ValueError, match=r"picture: expected uint8 \[H, W, 3\], found ") as caught:
        check_pixels(np.zeros(shape, dtype=dtype))
    assert str(np.dtype(dtype)) in str(caught.value)
    assert str(shape) in str(caught.value)
    assert "convert it to 8-bit RGB" in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 0, 3)])
def test_a_picture_without_pixels_is_refused(shape):
    with pytest.raises(ValueError, match="expected at least one pixel"):
        check_pixels(np.zeros(shape, dtype=np.uint8))


@pytest.mark.parametrize("payload", [{"encoded": b"x"}, {"pixels_HWC": PIXELS}])
def test_a_capture_with_one_payload_is_made(payload):
    capture = Capture(source="test", captured_at=NOW, **payload)
    assert dataclasses.asdict(capture).keys() >= payload.keys()
    assert (capture.name, capture.exposure_us, capture.analog_gain) == (None, None, None)


@pytest.mark.parametrize("payload", [{}, {"encoded": b"x", "pixels_HWC": PIXELS}])
def test_a_capture_with_none_or_both_is_refused(payload):
    with pytest.raises(ValueError, match="exactly one of encoded and pixels_HWC"):
        Capture(source="test", captured_at=NOW, **payload)


def test_no_bytes_are_a_payload_too():
    """Whether they are a picture is for the decoder to say."""
    assert Capture(source="upload", captured_at=NOW, encoded=b"").encoded == b""


def test_a_capture_with_other_pixels_is_refused():
    with pytest.raises(ValueError, match="found float64"):
        Capture(source="test", captured_at=NOW, pixels_HWC=np.zeros((2, 3, 3)))


def records():
    return [
        found
        for found in vars(values).values()
        if isinstance(found, type) and dataclasses.is_dataclass(found)
    ]


@pytest.mark.parametrize("record", records(), ids=lambda record: record.__name__)
def test_every_record_is_frozen_slotted_and_made_by_name(record):
    parameters = record.__dataclass_params__
    assert parameters.frozen
    assert hasattr(record, "__slots__")
    assert all(field.kw_only for field in dataclasses.fields(record))


def test_a_capture_does_not_change():
    capture = Capture(source="test", captured_at=NOW, encoded=b"x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        capture.source = "other"


def test_the_four_words_of_the_product():
    assert [result.value for result in Result] == ["benign", "malignant", "uncertain", "retake"]


def test_an_answer_has_no_times_unless_given():
    answer = Answer(
        decision=None,
        quality=None,
        model=None,
        source="test",
        captured_at=NOW,
        activation_map_HW=np.zeros((1, 1), dtype=np.float32),
    )
    assert dict(answer.stage_ns) == {}
    with pytest.raises(TypeError):
        answer.stage_ns["capture"] = 1
    assert "activation_map_HW" not in repr(answer)
