"""Training shows the student what the device shows it, for the same bytes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.fewer_pixels import moved
from device.classifier import OnnxClassifier
from device.decode import decode
from device.drawing import add_hair, add_vignette, draw_lesion
from device.preprocess import model_input, prepare, working_copy
from device.preprocess.pipeline import WORKING_FACTOR
from training.data.cache import prepared
from training.data.case import Case
from training.recipes.preprocessing import six_stages

SPEC = six_stages(96)


def a_large_picture(seed):
    """A camera's size; drawn smaller and stretched, because drawing takes longer."""
    picture_HWC = draw_lesion(seed, diagnosis="MEL", height_px=300, width_px=400)
    return cv2.resize(picture_HWC, (2400, 1800), interpolation=cv2.INTER_CUBIC)


def encode(picture_HWC, suffix):
    written, encoded = cv2.imencode(suffix, cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR))
    assert written
    return encoded.tobytes()


def a_case(path, content):
    path.write_bytes(content)
    return Case(
        image_id=f"drawn/{path.name}", dataset="drawn", path=path, malignant=False, diagnosis="NV"
    )


def by_the_device(content):
    """What `examine` does before the network."""
    image_HWC = decode(content, max_pixels=25_000_000, enough_px=WORKING_FACTOR * SPEC.side_px)
    return model_input(working_copy(image_HWC, SPEC), SPEC)


@pytest.fixture(scope="module")
def files():
    """Files as data sets have them: sizes, formats, artefacts, one gray, one upright by EXIF."""
    rng = np.random.default_rng(0)
    plain_HWC = draw_lesion(1, height_px=150, width_px=200)
    hairy_HWC = add_hair(draw_lesion(2, diagnosis="MEL", height_px=224, width_px=224), rng)
    round_HWC = add_vignette(draw_lesion(3, diagnosis="BCC", height_px=450, width_px=600), rng)
    gray = cv2.imencode(".jpg", cv2.cvtColor(plain_HWC, cv2.COLOR_RGB2GRAY))[1].tobytes()
    # An APP1 segment with one entry: orientation (0x0112) 6, a quarter turn.
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    segment = b"Exif\x00\x00" + tiff
    jpeg = encode(plain_HWC, ".jpg")
    header = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big")
    turned = jpeg[:2] + header + segment + jpeg[2:]
    return {
        "plain.jpg": jpeg,
        "plain.png": encode(plain_HWC, ".png"),
        "hairy.jpg": encode(hairy_HWC, ".jpg"),
        "round.jpg": encode(round_HWC, ".jpg"),
        "gray.jpg": gray,
        "turned.jpg": turned,
    }


def test_the_cache_holds_what_the_device_prepares(files, tmp_path):
    """Equal to the last level, for every kind of file that is not larger than it need be."""
    cases = [a_case(tmp_path / name, content) for name, content in files.items()]
    cached_VNSSC = prepared(cases, SPEC, folder=tmp_path / "cache", workers=1)
    assert cached_VNSSC.shape == (1, len(files), SPEC.side_px, SPEC.side_px, 3)
    for index, (name, content) in enumerate(files.items()):
        np.testing.assert_array_equal(cached_VNSSC[0, index], by_the_device(content), err_msg=name)


def test_a_turned_picture_is_upright_on_both_sides(files):
    """A quarter turn in the header changes the result, so the equality above is no accident."""
    assert not np.array_equal(by_the_device(files["turned.jpg"]), by_the_device(files["plain.jpg"]))


def test_two_halves_are_the_whole():
    """The device stops between the halves to judge quality; training does not."""
    picture_HWC = a_large_picture(4)
    whole_HWC = prepare(picture_HWC, SPEC)
    np.testing.assert_array_equal(model_input(working_copy(picture_HWC, SPEC), SPEC), whole_HWC)


def test_a_large_jpeg_is_unpacked_smaller_and_looks_the_same():
    """
    The decoder's own averages stand for the first part of the area resize.

    They are rounded once more, and a stage with a threshold may turn over at a pixel; the mean
    stays within a level.
    """
    content = encode(a_large_picture(5), ".jpg")
    whole_HWC = cv2.cvtColor(
        cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
    )
    reduced_HWC = decode(content, max_pixels=25_000_000, enough_px=WORKING_FACTOR * SPEC.side_px)
    assert reduced_HWC.shape[0] < whole_HWC.shape[0]
    difference = np.abs(by_the_device(content).astype(int) - prepare(whole_HWC, SPEC).astype(int))
    assert difference.mean() < 1.0


@pytest.fixture(scope="module")
def classifier():
    return OnnxClassifier(Path("device/models/student.onnx"))


def frames_of_12_megapixels():
    for seed in range(6, 12):
        drawn_HWC = draw_lesion(seed, diagnosis="MEL", height_px=380, width_px=507)
        yield cv2.resize(drawn_HWC, (4056, 3040), interpolation=cv2.INTER_CUBIC)


def test_halving_a_frame_of_12_megapixels_hardly_moves_an_answer(classifier):
    """
    By less than a level, and by 0.01 in probability on average.

    In single cases by more: so does a resize in floating point, for the shipped model feels the
    last bit of a drawing.
    """
    spec = classifier.manifest.preprocess
    found = [
        moved(
            classifier,
            *(prepare(frame_HWC, spec.model_copy(update={"version": v})) for v in (1, 2)),
        )
        for frame_HWC in frames_of_12_megapixels()
    ]
    levels, probabilities = zip(*found, strict=True)
    assert max(levels) < 1.0
    assert np.mean(probabilities) < 0.01
    assert max(probabilities) < 0.04


def test_unpacking_a_jpeg_of_12_megapixels_smaller_hardly_moves_an_answer(classifier):
    """By less than 0.01 in every single case."""
    spec = classifier.manifest.preprocess
    for frame_HWC in frames_of_12_megapixels():
        content = encode(frame_HWC, ".jpg")
        whole_HWC, reduced_HWC = (
            decode(content, max_pixels=25_000_000, enough_px=enough_px)
            for enough_px in (max(frame_HWC.shape), WORKING_FACTOR * spec.side_px)
        )
        assert whole_HWC.shape == frame_HWC.shape > reduced_HWC.shape
        levels, probability = moved(
            classifier, prepare(whole_HWC, spec), prepare(reduced_HWC, spec)
        )
        assert levels < 1.0
        assert probability < 0.01
