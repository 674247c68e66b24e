"""A box without a camera shows all four answers: what ships, model and pictures, as it lies."""

import time
from datetime import UTC, datetime

import pytest

from device.classifier import OnnxClassifier
from device.core.stopwatch import Recorder
from device.core.values import Capture, Result
from device.drawing import SAMPLES
from device.drawing.sample_files import file_name
from device.examine import examine
from device.settings import PACKAGE, SHIPPED_MODEL

pytestmark = pytest.mark.portable


@pytest.fixture(scope="module")
def classifier():
    return OnnxClassifier(SHIPPED_MODEL)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_shipped_sample_gets_the_answer_that_it_stands_for(classifier, sample):
    """If not, the model was changed: ``python -m training samples`` chooses them anew."""
    capture = Capture(
        encoded=(PACKAGE / "samples" / file_name(sample)).read_bytes(),
        source="file",
        captured_at=datetime.now(UTC),
    )
    answer = examine(capture, classifier, Recorder(time.perf_counter_ns), max_pixels=10**7)
    assert answer.decision.result is sample.answer


def test_together_they_show_all_four_answers():
    assert {sample.answer for sample in SAMPLES} == set(Result)
