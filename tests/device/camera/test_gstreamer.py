"""The camera behind a pipeline: without GStreamer a plain error, with one frames that rest."""

import cv2
import numpy as np
import pytest

from device.camera import gstreamer
from device.camera.gstreamer import GStreamerCamera, jetson_pipeline
from device.core.errors import CameraError

pytestmark = pytest.mark.portable


class Pipeline:
    """Stands in for ``cv2.VideoCapture``: a pipeline whose frames say their number in blue."""

    def __init__(self):
        self.starts = self.delivers = True
        self.readable = True
        self.made = 0
        self.released = 0
        self.asked = []
        self.restless_frames = 0
        self.flicker = {}

    def __call__(self, pipeline, backend):
        assert backend == cv2.CAP_GSTREAMER
        self.asked.append(pipeline)
        return self

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self.starts

    def get(self, prop):
        return 64.0

    def grab(self):
        self.made += 1
        return self.delivers

    def retrieve(self):
        light = self.flicker.get(self.made, 1.0)
        if self.made < self.restless_frames:
            light = 0.3 + 0.3 * (self.made % 2)
        return self.readable, np.full((48, 64, 3), (self.made, 90 * light, 200 * light), np.uint8)

    def release(self):
        self.released += 1


@pytest.fixture
def pipeline(monkeypatch):
    stand_in = Pipeline()
    monkeypatch.setattr(gstreamer.cv2, "VideoCapture", stand_in)
    monkeypatch.setattr(gstreamer.cv2.videoio_registry, "hasBackend", lambda _: True)
    return stand_in


@pytest.mark.skipif(
    cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER), reason="this OpenCV has GStreamer"
)
def test_an_opencv_without_gstreamer_is_named_with_what_to_do():
    with pytest.raises(CameraError) as caught:
        GStreamerCamera("videotestsrc ! appsink").__enter__()
    told = str(caught.value)
    assert f"expected an OpenCV with GStreamer, found {cv2.__version__} without" in told
    assert "sudo apt install python3-opencv" in told


def test_frames_come_as_red_green_blue_and_fresh(pipeline):
    with GStreamerCamera("videotestsrc ! appsink") as camera:
        capture = camera.glance(10.0)
    assert tuple(capture.pixels_HWC[0, 0]) == (200, 90, 3)
    assert capture.source == "gstreamer"
    assert pipeline.asked == ["videotestsrc ! appsink"]
    assert pipeline.released == 1


def test_the_light_comes_to_rest_before_a_frame_counts(pipeline):
    pipeline.restless_frames = 12
    with GStreamerCamera("videotestsrc ! appsink") as camera:
        capture = camera.capture(10.0)
    assert capture.pixels_HWC[0, 0, 2] > 12
    assert capture.pixels_HWC[0, 0, 0] == 200


def test_a_frame_of_another_brightness_is_passed_over(pipeline):
    pipeline.flicker = {6: 0.5}
    with GStreamerCamera("videotestsrc ! appsink") as camera:
        assert camera.capture(10.0).pixels_HWC[0, 0, 2] == 7


def test_light_that_never_rests_is_an_error(pipeline):
    pipeline.restless_frames = 10**9
    with GStreamerCamera("x ! appsink") as camera, pytest.raises(CameraError, match="hold still"):
        camera.capture(0.5)


@pytest.mark.parametrize(
    ("fault", "told"),
    [("delivers", "the pipeline stopped"), ("readable", "could not be read")],
)
def test_a_pipeline_that_ends_is_an_error_with_a_remedy(pipeline, fault, told):
    with GStreamerCamera("x ! appsink") as camera:
        setattr(pipeline, fault, False)
        with pytest.raises(CameraError, match=rf"{told}; try the pipeline with `gst-launch-1.0`"):
            camera.capture(10.0)


def test_a_pipeline_that_does_not_start_is_an_error_with_a_remedy(pipeline):
    pipeline.starts = False
    with pytest.raises(CameraError, match="does not start; try the pipeline"):
        GStreamerCamera("x ! appsink").__enter__()


def test_asked_before_it_opened_a_stream_has_no_frame():
    stream = gstreamer._GStreamerStream("gstreamer x", "x ! appsink")
    with pytest.raises(CameraError, match="not open"):
        stream.take(0.0, 1.0)
    stream.close()


def test_the_jetsons_pipeline_ends_in_the_newest_frame_as_blue_green_red():
    text = jetson_pipeline(1, width_px=1920, height_px=1080)
    assert text.startswith("nvarguscamerasrc sensor-id=1 ! ")
    assert "width=1920,height=1080" in text
    assert text.endswith("format=BGR ! appsink drop=true max-buffers=1 sync=false")
