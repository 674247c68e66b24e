"""An appliance of tiny stand-ins behind the real ports, and the real path from bytes to answer."""

import io
import itertools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from device.access.tokens import TokenFile
from device.api import Rules, build_application
from device.bundle import open_bundle
from device.core.board import BoardHealth
from device.core.errors import BusyError, EdgeDermError
from device.core.manifest import PreprocessSpec, QualityLimits, Resize
from device.core.panel import LightState, PanelStatus, PressOutcome
from device.core.ports import Appliance, Readiness
from device.core.state import InstalledModel, RunningModel, StateDocument
from device.core.stopwatch import Recorder
from device.core.values import ModelIdentity
from device.examine import examine
from device.metrics.figures import Figures, Sources
from device.service.bulletin import Bulletin
from device.service.clock import SystemClock
from device.service.fitness import take_board
from tests.builders import a_capture, a_history, a_manifest, a_prediction
from tests.bundles import a_bundle, a_trust

ADDRESS = "http://127.0.0.1:8000"
MAX_PIXELS = 1_000_000
MAX_UPLOAD_BYTES = 256 * 1024
SHA256 = "ab" * 32
SIDE_PX = 64
WARM_BOARD = BoardHealth(
    temperatures_celsius={"cpu-thermal": 51.5},
    flags={"under_voltage": False, "throttled": True},
    flags_since_start={"under_voltage": True, "throttled": True},
)


class RedIsMalignant:
    """Fills the role ``Classifier``: the log-odds are those of red in the picture's middle."""

    def __init__(self):
        # No stage but the resize: what the network sees is what was sent.
        self.manifest = a_manifest(
            preprocess=PreprocessSpec(version=1, stages=(Resize(side_px=SIDE_PX),)),
            quality=QualityLimits(
                darkest_brightness=0.02,
                brightest_saturated_share=0.99,
                lowest_contrast=0.0,
                lowest_sharpness=0.0,
            ),
        )
        self.identity = ModelIdentity(name="scripted", version="1.2.3", sha256=SHA256)
        self.seen = []

    def classify(self, image_HWC):
        self.seen.append(image_HWC)
        red, green, _ = (float(level) for level in image_HWC[SIDE_PX // 2, SIDE_PX // 2])
        return a_prediction((red - green) / 16)


class FakeExaminer:
    """One thread, the real path, and what a test wants to go wrong."""

    def __init__(self, record):
        self.classifier = RedIsMalignant()
        self.record = record
        self.refusal = None
        self.failure = None
        self.queue_length = 4
        self.submitted = []
        self.gate = threading.Event()
        self.gate.set()
        self._pool = ThreadPoolExecutor(1)
        self._waiting = threading.Semaphore(self.queue_length)

    def submit(self, capture):
        if self.refusal is not None:
            raise self.refusal
        if not self._waiting.acquire(blocking=False):
            raise BusyError(f"{self.queue_length} pictures wait already; try again in a moment")
        self.submitted.append(capture)
        future = self._pool.submit(self._examine, capture)
        future.add_done_callback(lambda _: self._waiting.release())
        return future

    def _examine(self, capture):
        assert self.gate.wait(30)
        if self.failure is not None:
            raise self.failure
        earlier_ns = {} if capture.capture_ns is None else {"capture": capture.capture_ns}
        watch = Recorder(time.perf_counter_ns, earlier_ns=earlier_ns)
        answer = examine(capture, self.classifier, watch, max_pixels=MAX_PIXELS)
        return self.record(capture, answer)

    def close(self):
        self.gate.set()
        self._pool.shutdown()


class FakeFrames:
    """Frames that are there at once, or what a test wants to go wrong."""

    def __init__(self):
        self.refusal = None
        self.failure = None
        self.encoded = None
        self.requested = 0

    def request(self):
        self.requested += 1
        if self.refusal is not None:
            raise self.refusal
        future = Future()
        future.set_running_or_notify_cancel()
        if self.failure is not None:
            future.set_exception(self.failure)
        else:
            content = (
                {"pixels_HWC": lesion(red=200)}
                if self.encoded is None
                else {"encoded": self.encoded}
            )
            future.set_result(a_capture(source="replay", capture_ns=2_000_000, **content))
        return future

    def preview(self):
        self.requested += 1
        future = Future()
        future.set_running_or_notify_cancel()
        if self.failure is not None:
            future.set_exception(self.failure)
        else:
            future.set_result(b"\xff\xd8 a frame \xff\xd9")
        return future


class FakeBoard:
    """A machine whose clock runs with this one's, and is set on its own."""

    def __init__(self, root):
        self.ahead = timedelta()
        self.error = None
        start = root / "proc/sys/kernel/random/boot_id"
        start.parent.mkdir(parents=True)
        start.write_text("first")
        self.clock = SystemClock(
            root, is_settable=True, root=root, now=self.now, set_time=self.set_time
        )

    def now(self):
        return datetime.now(UTC) + self.ahead

    def set_time(self, moment):
        if self.error is not None:
            raise self.error
        self.ahead = moment - datetime.now(UTC)


class FakeModels:
    """Reads bundles as the box does, and installs none."""

    def __init__(self):
        self.refusal = None
        self.failure = None
        self.asked = []
        self.bundle = a_bundle(version="2.0.0")
        self.model = RunningModel(
            name="scripted",
            version="1.2.3",
            sha256=SHA256,
            source="installed",
            is_on_trial=True,
            instead_of=None,
        )

    def running(self):
        return self.model

    def install(self, content, *, force, actor):
        if self.refusal is not None:
            raise self.refusal
        self.asked.append((content, force, actor))
        future = Future()
        future.set_running_or_notify_cancel()
        try:
            if self.failure is not None:
                raise self.failure
            manifest = open_bundle(content, a_trust()).manifest
        except EdgeDermError as error:
            future.set_exception(error)
        else:
            future.set_result(
                InstalledModel(
                    name=manifest.name,
                    version=manifest.version,
                    sha256=manifest.model.sha256,
                    key_id=manifest.key_id,
                    has_changed=True,
                    is_forced=force,
                    restarts=True,
                )
            )
        return future


class Box:
    """The fakes, and the client that talks to them."""

    def __init__(self, folder):
        self.history = a_history(folder)
        self.history.__enter__()
        self.tokens = TokenFile(folder)
        self.frames = FakeFrames()
        self.bulletin = Bulletin(self.history.record)
        self.examiner = FakeExaminer(self.bulletin.record)
        self.history.keep_pictures(
            self.examiner.classifier.manifest.preprocess, longest_px=512, max_pixels=MAX_PIXELS
        )
        self.ready = Readiness(model=None, camera=None)
        self.checks = itertools.count()
        self.models = FakeModels()
        self.state = StateDocument(
            state=LightState.READY,
            waiting=0,
            parts={"model": "ok", "camera": "ok", "history": "ok"},
            software_version="0.1.0",
            model=self.models.model,
            certificate_sha256=None,
        )
        self.figures = some_figures(lambda: self.state, folder)
        self.bulletin.listen(self.figures.answered)
        self.board = FakeBoard(folder / "board")
        self.appliance = Appliance(
            frames=self.frames,
            examiner=self.examiner,
            history=self.history,
            manifest=self.examiner.classifier.manifest,
            identity=self.examiner.classifier.identity,
            readiness=lambda: self.check(),  # noqa: PLW0108 - a test may exchange it
            provider="cpu",
            state=lambda: self.state,
            bulletin=self.bulletin,
            figures=self.figures,
            clock=self.board.clock,
            board=lambda: take_board(WARM_BOARD, folder=folder, limit_celsius=80.0),
            software_version="0.1.0",
            models=self.models,
        )

    def close(self):
        self.examiner.close()
        self.history.__exit__(None, None, None)

    def check(self):
        next(self.checks)
        return self.ready

    def application(self, *, is_loopback=True, is_token_needed=None, is_secure=False, names=()):
        rules = Rules(
            tokens=self.tokens,
            is_token_needed=not is_loopback if is_token_needed is None else is_token_needed,
            is_loopback=is_loopback,
            is_secure=is_secure,
            names=names,
        )
        return build_application(self.appliance, rules=rules, max_upload_bytes=MAX_UPLOAD_BYTES)

    def client(self, *, base_url=ADDRESS, address="10.0.0.9", **options):
        return TestClient(self.application(**options), base_url=base_url, client=(address, 50000))

    def bearer(self, role):
        """Headers of a new token's holder."""
        _, secret = self.tokens.add(name=f"a {role.value}er", role=role)
        return {"Authorization": f"Bearer {secret}"}


def some_figures(state, folder):
    """Figures of a box with a light, on a board that gets warm."""
    status = PanelStatus(
        state=LightState.READY,
        problem=None,
        counts={PressOutcome.ANSWERED: 3},
        reopened=1,
        presses=(),
        changes=(),
    )
    return Figures(
        Sources(
            state=state,
            camera_restarts=lambda: 2,
            panel=SimpleNamespace(status=lambda: status),
            board=lambda: WARM_BOARD,
            history=folder / "history.sqlite",
            is_clock_trusted=lambda: True,
            model=ModelIdentity(name="scripted", version="1.2.3", sha256=SHA256),
            software_version="0.1.0",
        )
    )


def lesion(*, red=60, height_px=120, width_px=160):
    """A skin-colored picture with a blob in the middle; uint8 RGB."""
    picture_HWC = np.full((height_px, width_px, 3), (210, 170, 150), np.uint8)
    center = (width_px // 2, height_px // 2)
    cv2.circle(picture_HWC, center, min(center) // 2, (red, 60, 50), thickness=-1)
    return picture_HWC


def jpeg(picture_HWC=None, **options):
    file = io.BytesIO()
    image = Image.fromarray(lesion() if picture_HWC is None else picture_HWC)
    image.save(file, "JPEG", quality=95, **options)
    return file.getvalue()


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def client(box):
    with box.client() as opened:
        yield opened


@pytest.fixture
def picture():
    return jpeg()


def check_problem(answer, status, code, *words):
    """Hold an answer against the one shape that all problems have."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"urn:problem-type:edgederm:{code}"
    assert body["status"] == status
    assert body["title"]
    assert set(body) <= {"type", "title", "status", "detail", "code", "parts"}
    assert "Traceback" not in answer.text
    for word in words:
        assert word in body["detail"]
    assert ("retry-after" in answer.headers) == (status in {429, 503})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return body


@pytest.fixture(name="check_problem")
def check_problem_fixture():
    return check_problem
