"""One capture becomes one answer, without hardware."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from device.core.errors import DecodeError, ModelError
from device.core.stopwatch import Recorder
from device.core.values import Result
from device.examine import examine as examine_with
from device.preprocess import prepare
from tests.builders import ScriptedClassifier, a_capture, a_picture

pytestmark = pytest.mark.portable


def examine(capture, classifier, *, max_pixels):
    return examine_with(capture, classifier, Recorder(time.perf_counter_ns), max_pixels=max_pixels)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_network_sees_what_training_prepares():
    """The same function, the same pixels, whether they came as a file or from a camera."""
    picture = a_picture()
    classifier = ScriptedClassifier()
    expected = prepare(picture, classifier.manifest.preprocess)
    examine(a_capture(picture), classifier, max_pixels=10**6)
    examine(a_capture(encoded=png(picture)), classifier, max_pixels=10**6)
    for seen in classifier.seen:
        assert np.array_equal(seen, expected)


@pytest.mark.parametrize(
    ("malignancy_logit", "word"),
    [(-3.0, Result.BENIGN), (0.0, Result.UNCERTAIN), (3.0, Result.MALIGNANT)],
)
def test_the_answer_says_what_and_who_and_how_long(malignancy_logit, word):
    answer = examine(a_capture(), ScriptedClassifier(malignancy_logit), max_pixels=10**6)
    assert answer.decision.result is word
    assert answer.model.name == "test"
    assert answer.source == "test"
    assert list(answer.stage_ns) == [
        "decode",
        "field_of_view",
        "working_copy",
        "quality",
        "resize",
        "hair_removal",
        "denoise",
        "color_constancy",
        "local_contrast",
        "inference",
        "decision",
        "total",
    ]
    parts = [spent for name, spent in answer.stage_ns.items() if name != "total"]
    assert sum(parts) <= answer.stage_ns["total"]


def test_a_black_frame_is_taken_again():
    black = np.zeros((200, 200, 3), dtype=np.uint8)
    answer = examine(a_capture(black), ScriptedClassifier(5.0), max_pixels=10**6)
    assert answer.decision.result is Result.RETAKE
    assert answer.decision.reasons[0].code == "too_dark"


def test_a_broken_network_gives_no_answer():
    classifier = ScriptedClassifier()
    classifier.error = ModelError(field="outputs", expected="finite", found="NaN", remedy="none")
    with pytest.raises(ModelError):
        examine(a_capture(), classifier, max_pixels=10**6)


def test_a_file_above_the_limit_is_refused():
    with pytest.raises(DecodeError):
        examine(a_capture(encoded=png(a_picture())), ScriptedClassifier(), max_pixels=100)


def test_stages_that_ran_before_count_into_the_total():
    ticks = iter(range(0, 1000, 10))
    watch = Recorder(lambda: next(ticks))
    with watch.stage("capture"):
        pass
    answer = examine_with(a_capture(), ScriptedClassifier(), watch, max_pixels=10**6)
    assert answer.stage_ns["capture"] == 10
    assert next(iter(answer.stage_ns)) == "capture"


def test_a_cameras_frame_that_is_too_small_is_refused_like_a_file():
    with pytest.raises(DecodeError, match="expected at least 64 pixels each way, found 80 x 60"):
        examine(
            a_capture(np.zeros((60, 80, 3), dtype=np.uint8)), ScriptedClassifier(), max_pixels=10**6
        )
