"""The only module that names concrete parts and joins them; everything starts here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone

from device import __version__
from device.core.ports import Appliance, Application, Camera, Readiness, SelfTestingClassifier
from device.core.stopwatch import Recorder
from device.core.values import Capture
from device.settings import CameraSettings, ModelSettings, Settings

_WARM_UP_DRAWN_PX = 256
"""Drawing a large lesion would take longer than all the rest of a start."""


def _replay(settings: CameraSettings) -> Camera:
    from device.camera.replay import ReplayCamera

    return ReplayCamera(settings.path)


def _v4l2(settings: CameraSettings) -> Camera:
    from device.camera.v4l2 import V4L2Camera

    return V4L2Camera(settings.device, width_px=settings.width_px, height_px=settings.height_px)


def _libcamera(settings: CameraSettings) -> Camera:
    from device.camera.libcamera import LibcameraCamera

    return LibcameraCamera(settings.index, width_px=settings.width_px, height_px=settings.height_px)


CAMERAS: Mapping[str, Callable[[CameraSettings], Camera]] = {
    "replay": _replay,
    "v4l2": _v4l2,
    "libcamera": _libcamera,
}
"""A part is imported when it is chosen: picamera2 exists on a Pi only."""


def load_classifier(settings: ModelSettings) -> SelfTestingClassifier:
    """
    Load the model, see it pass its own golden case, and let every stage run once.

    The first run of a stage fills tables and takes a hundred times as long as the second; it
    shall not be somebody's answer.

    Raises:
        ModelError: The file is refused, or the case fails.
    """
    import cv2

    from device.classifier import OnnxClassifier
    from device.drawing import draw_lesion
    from device.examine import examine
    from device.preprocess.pipeline import WORKING_FACTOR

    # One picture at a time: OpenCV's threads would only wait for each other and the network.
    cv2.setNumThreads(settings.threads)
    classifier = OnnxClassifier(settings.path, threads=settings.threads)
    classifier.self_test()
    # A file, and larger than the working copy: else decoding and shrinking would stay cold.
    side_px = (WORKING_FACTOR + 1) * classifier.manifest.preprocess.side_px
    drawn_HWC = draw_lesion(0, height_px=_WARM_UP_DRAWN_PX, width_px=_WARM_UP_DRAWN_PX)
    warm_up = Capture(
        source="warm-up",
        captured_at=datetime.now(timezone.utc),
        encoded=cv2.imencode(".jpg", cv2.resize(drawn_HWC, (side_px, side_px)))[1].tobytes(),
    )
    examine(warm_up, classifier, Recorder(time.perf_counter_ns), max_pixels=side_px**2)
    return classifier


@contextmanager
def appliance(settings: Settings) -> Iterator[Appliance]:
    """
    Start all parts in order and stop them in reverse, also when one fails to start.

    The order: model loaded and proved, worker, camera thread.  A camera that is missing does not
    stop the box: uploads are answered, and readiness says what is wrong.

    Raises:
        ModelError: Without a model that passes its test there is no box.
    """
    from device.service.camera import CameraThread
    from device.service.worker import Worker

    with ExitStack() as stack:
        classifier = load_classifier(settings.model)
        worker = stack.enter_context(
            Worker(
                classifier,
                max_pixels=settings.picture.max_pixels,
                waiting=settings.server.queue_length,
            )
        )
        camera = stack.enter_context(
            CameraThread(
                CAMERAS[settings.camera.kind](settings.camera),
                timeout_s=settings.camera.timeout_s,
            )
        )
        yield Appliance(
            frames=camera,
            examiner=worker,
            manifest=classifier.manifest,
            identity=classifier.identity,
            readiness=lambda: Readiness(model=worker.problem(), camera=camera.problem()),
            software_version=__version__,
        )


def build_application(parts: Appliance, settings: Settings) -> Application:
    """Put the REST API before a running appliance."""
    from device.api.application import build_application as build

    token = settings.server.token
    return build(
        parts,
        token=None if token is None else token.get_secret_value(),
        max_upload_bytes=settings.server.max_upload_bytes,
        is_loopback=settings.server.is_loopback,
    )


def serve(settings: Settings) -> None:
    """Run the box until a signal says stop."""
    from device.service.daemon import serve as serve_until_stopped

    with appliance(settings) as parts:
        serve_until_stopped(
            build_application(parts, settings),
            host=settings.server.host,
            port=settings.server.port,
        )
