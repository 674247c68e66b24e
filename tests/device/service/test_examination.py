"""From a press to an answer nothing waits, and whatever goes wrong arrives at who asked."""

from concurrent.futures import Future

import pytest

from device.core.errors import BusyError, CameraError, ModelError, NotReadyError
from device.service.examination import start_examination
from tests.builders import a_capture

pytestmark = pytest.mark.portable


class Stage:
    """Camera and classifier in the hands of the test."""

    def __init__(self):
        self.frame, self.answer = Future(), Future()
        self.busy = None
        self.submitted = []

    def request(self):
        return self.frame

    def submit(self, capture):
        if self.busy is not None:
            raise self.busy
        self.submitted.append(capture)
        return self.answer


@pytest.fixture
def stage():
    return Stage()


def test_the_frame_is_examined_and_the_answer_handed_on(stage):
    asked = start_examination(stage, stage)
    assert not asked.done()
    capture = a_capture()
    stage.frame.set_result(capture)
    assert stage.submitted == [capture]
    assert not asked.done()
    stage.answer.set_result("answer")
    assert asked.result(timeout=0) == "answer"


@pytest.mark.parametrize("error", [CameraError("unplugged"), NotReadyError("stopping")])
def test_no_frame_is_no_answer(stage, error):
    asked = start_examination(stage, stage)
    stage.frame.set_exception(error)
    assert asked.exception(timeout=0) is error
    assert stage.submitted == []


def test_a_full_queue_is_told(stage):
    stage.busy = BusyError("4 wait")
    asked = start_examination(stage, stage)
    stage.frame.set_result(a_capture())
    assert asked.exception(timeout=0) is stage.busy


@pytest.mark.parametrize(
    "error",
    [
        ModelError(field="outputs", expected="numbers", found="nan", remedy="install it"),
        ZeroDivisionError(),
    ],
)
def test_an_examination_that_fails_is_told(stage, error):
    asked = start_examination(stage, stage)
    stage.frame.set_result(a_capture())
    stage.answer.set_exception(error)
    assert asked.exception(timeout=0) is error


def test_a_frame_that_was_cancelled_is_told(stage):
    asked = start_examination(stage, stage)
    assert stage.frame.cancel()
    stage.frame.set_running_or_notify_cancel()
    assert asked.exception(timeout=0) is not None


def test_a_camera_that_takes_no_more_says_so_at_once(stage):
    def request():
        raise BusyError("2 wait")

    stage.request = request
    with pytest.raises(BusyError, match="2 wait"):
        start_examination(stage, stage)


def test_it_cannot_be_called_off(stage):
    """Else a frame that is under way would be answered to nobody."""
    assert not start_examination(stage, stage).cancel()
