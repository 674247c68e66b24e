"""``/preview.jpg``: the frame as it is, never kept, and a problem where there is none."""

import pytest

from device.core.access import Role
from device.core.errors import BusyError, CameraError

pytestmark = pytest.mark.portable


def test_the_frame_comes_as_it_is_and_nobody_keeps_it(box):
    answer = box.client().get("/preview.jpg")
    assert answer.status_code == 200
    assert answer.content == b"\xff\xd8 a frame \xff\xd9"
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CameraError("v4l2 /dev/video0: was unplugged; plug it in"), "camera"),
        (BusyError("camera: expected room, found none; try again"), "busy"),
    ],
)
def test_without_a_frame_there_is_a_problem_to_come_back_from(box, error, code):
    box.frames.failure = error
    answer = box.client().get("/preview.jpg")
    assert answer.status_code == 503
    assert answer.json()["code"] == code
    assert int(answer.headers["Retry-After"]) > 0


def test_what_a_camera_sees_is_for_those_who_operate(box):
    client = box.client(is_token_needed=True)
    assert client.get("/preview.jpg").status_code == 401
    assert client.get("/preview.jpg", headers=box.bearer(Role.READ)).status_code == 403
    assert client.get("/preview.jpg", headers=box.bearer(Role.OPERATE)).status_code == 200
