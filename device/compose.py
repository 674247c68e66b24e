"""The only module that names concrete parts and joins them; everything starts here."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from device import __version__
from device.board import find_board
from device.compose_model import load_model, open_models
from device.core.access import TokenKeeping
from device.core.board import PanelLines
from device.core.errors import CameraError, DecodeError, EdgeDermError, SettingsError
from device.core.ports import (
    Appliance,
    Application,
    Camera,
    HistoryUse,
    Readiness,
    SelfTestingClassifier,
)
from device.core.values import Capture, QualityReport
from device.panel.lines import Lines
from device.settings import (
    CameraSettings,
    HistorySettings,
    ModelSettings,
    PanelSettings,
    ServerSettings,
    Settings,
)

if TYPE_CHECKING:
    from device.access.certificate import Certificate
    from device.history import Archive
    from device.service.daemon import Hooks
    from device.service.notify import Notifier
    from device.updates.store import ModelStore

_log = logging.getLogger(__name__)
STUCK_STATUS = 75
"""Exit status of a box that must be started anew (``EX_TEMPFAIL``): for its camera, or with another
model."""
_OPENING_S = 15.0
"""A camera may take so long to open and to close."""
WATCH_EVERY_S = 10.0
"""A part that broke is shown within this time and the part's own limit."""
_MARGIN_S = 30.0
"""The watch ends a box in order; systemd's watchdog comes so much later."""


def _replay(settings: CameraSettings) -> Camera:
    from device.camera.replay import ReplayCamera

    return ReplayCamera(settings.path)


def _v4l2(settings: CameraSettings) -> Camera:
    from device.camera.v4l2 import V4L2Camera

    return V4L2Camera(
        settings.device,
        width_px=settings.width_px,
        height_px=settings.height_px,
        burst=settings.burst_frames,
    )


def _libcamera(settings: CameraSettings) -> Camera:
    from device.camera.libcamera import LibcameraCamera

    return LibcameraCamera(
        settings.index,
        width_px=settings.width_px,
        height_px=settings.height_px,
        burst=settings.burst_frames,
    )


def _gstreamer(settings: CameraSettings) -> Camera:
    from device.camera.gstreamer import GStreamerCamera, jetson_pipeline

    pipeline = settings.pipeline or jetson_pipeline(
        settings.index, width_px=settings.width_px, height_px=settings.height_px
    )
    return GStreamerCamera(pipeline, burst=settings.burst_frames)


def _simulated_camera(settings: CameraSettings) -> Camera:
    from device.camera.simulated import SimulatedCamera

    return SimulatedCamera(
        width_px=settings.width_px, height_px=settings.height_px, burst=settings.burst_frames
    )


CAMERAS: Mapping[str, Callable[[CameraSettings], Camera]] = {
    "replay": _replay,
    "v4l2": _v4l2,
    "libcamera": _libcamera,
    "gstreamer": _gstreamer,
    "simulated": _simulated_camera,
}
"""A part is imported when it is chosen: picamera2 exists on a Pi only."""


def _gpiod(settings: PanelSettings) -> Lines:
    from device.panel.gpio import GpiodLines

    return GpiodLines(
        panel_lines(settings),
        debounce_s=settings.debounce_ms / 1000,
        is_led_active_low=settings.led_active_low,
    )


def _simulated(settings: PanelSettings) -> Lines:
    from device.panel.simulated import SimulatedLines

    return SimulatedLines(debounce_s=settings.debounce_ms / 1000)


PANELS: Mapping[str, Callable[[PanelSettings], Lines]] = {
    "gpiod": _gpiod,
    "simulated": _simulated,
}
"""The kind ``none`` has no row: there is nothing to make."""


def panel_lines(settings: PanelSettings) -> PanelLines:
    """
    Return the board's lines, and in their place those that were set.

    Raises:
        SettingsError: Two of button and LEDs would share a line.
    """
    chosen = {
        name: getattr(settings, name)
        for name in ("chip", "button", "red", "green", "blue")
        if getattr(settings, name) is not None
    }
    board = find_board(settings.board)
    lines = replace(board.lines, **chosen)
    if len(set(lines.all)) < len(lines.all):
        raise SettingsError(
            "panel: expected a line each for button, red, green and blue, found "
            f"{', '.join(lines.all)} (those that are not set are the defaults of {board.title}); "
            "set the other one too"
        )
    return lines


def walk_panel(
    settings: PanelSettings, *, state_s: float, press_s: float, say: Callable[[str], None]
) -> bool:
    """
    Show every state of the light, then wait for a press; returns whether one came.

    Raises:
        SettingsError: No panel is set up.
        PanelError: The lines cannot be opened, or failed meanwhile.
    """
    from device.panel.simulated import SimulatedLines
    from device.panel.walk import walk

    if settings.kind not in PANELS:
        raise SettingsError(
            f"settings: panel.kind is {settings.kind}; set it to {' or '.join(PANELS)}"
        )
    lines = PANELS[settings.kind](settings)
    if isinstance(lines, SimulatedLines):
        say("simulated: nothing is lit, and the press is made up")
        press = partial(lines.tap, hold_s=0.2)
        return walk(lines, state_s=state_s, press_s=press_s, say=say, press=press)
    wires = panel_lines(settings)
    say(
        f"board {find_board(settings.board).name}, chip {wires.chip or 'any'}: button "
        f"{wires.button}, red {wires.red}, green {wires.green}, blue {wires.blue}"
    )
    return walk(lines, state_s=state_s, press_s=press_s, say=say)


def load_classifier(settings: ModelSettings) -> SelfTestingClassifier:
    """
    Load the model that would answer, without beginning or ending a trial.

    Raises:
        ModelError: Not even the shipped model can be used, or the named file cannot.
    """
    return load_model(settings, open_models(settings), is_start=False)[0]


def open_history(settings: HistorySettings, use: HistoryUse) -> Archive:
    """
    Make the history, to be entered.

    Args:
        settings: Where it is and how much of it is kept.
        use: What for; to look only, entering raises HistoryError where there is none.
    """
    from device.history import Archive
    from device.service.clock import SystemClock
    from device.service.queue_thread import QueueThread

    return Archive(
        settings.path,
        make_thread=QueueThread,
        is_clock_trusted=SystemClock(settings.path).is_trusted,
        software_version=__version__,
        keep_days=settings.keep_days,
        keep_bytes=settings.keep_bytes,
        use=use,
    )


def _only_said(why: str) -> None:
    """Whoever composes without serving has no process of its own to end."""
    _log.critical("event=box.would_stop detail=%r", why)


def _unshown(*, is_updating: bool) -> None:
    """A box without a light tells who asks."""


@contextmanager
def appliance(
    settings: Settings,
    *,
    give_up: Callable[[str], None] = _only_said,
    notifier: Notifier | None = None,
    restart: Callable[[str], None] = _only_said,
) -> Iterator[Appliance]:
    """
    Start all parts in order and stop them in reverse, also when one fails to start.

    Button and light come first, to say that the box is starting; if they do not work they are
    tried again and again.

    The order: model loaded and proved, history, worker, camera thread, and then the watch that
    looks after all of them.  A camera that is missing
    does not stop the box: uploads are answered, and readiness says what is wrong.  Nor does a
    history that cannot be written, but then nothing is answered until it can.

    Args:
        settings: All of them.
        give_up: Told why when only a new process can help; it should stop the box.
        notifier: Who is told how the parts are; one for whoever started the process if not given.
        restart: Told why when the box is to go on with another model; it should stop the box and
            start it anew.

    Raises:
        AccessError: The certificate cannot be used.
        ModelError: Without a model that passes its test there is no box.
    """
    from device.board.health import read_health
    from device.metrics.figures import Figures, Sources
    from device.panel.thread import PanelThread
    from device.service.bulletin import Bulletin
    from device.service.camera import CameraThread
    from device.service.clock import SystemClock
    from device.service.examination import start_examination
    from device.service.fitness import take_board
    from device.service.notify import Notifier, Pulse
    from device.service.state import take_state
    from device.service.watch import Watch
    from device.service.worker import LONGEST_TURN_S, Worker
    from device.updates.updater import Updater

    certificate = find_certificate(settings.server)
    notifier = notifier or Notifier()
    clock = SystemClock(settings.history.path, is_settable=settings.clock.settable)
    thermal_limit_celsius = find_board(settings.panel.board).thermal_limit_celsius
    with ExitStack() as stack:
        panel = None
        reports = [notifier.report]
        if settings.panel.kind in PANELS:
            # First of all, so that the light says that the box is starting.
            lines = PANELS[settings.panel.kind](settings.panel)
            panel = stack.enter_context(PanelThread(lines, shown_s=settings.panel.answer_s))
        models = open_models(settings.model)
        if models is not None:
            # Before a trial begins, which is before its model is loaded.
            stack.push(partial(_end_trial, models))
        classifier, candidate = load_model(settings.model, models, is_start=True)
        archive = open_history(settings.history, HistoryUse.BOX)
        if settings.history.keep_pictures:
            archive.keep_pictures(
                classifier.manifest.preprocess,
                longest_px=settings.history.picture_px,
                max_pixels=settings.picture.max_pixels,
            )
        stack.enter_context(archive)
        updater = Updater(
            store=models,
            candidate=candidate,
            identity=classifier.identity,
            trial_s=settings.model.trial_s,
            clock_s=time.monotonic,
            show_updating=_unshown if panel is None else panel.set_updating,
            restart=restart,
            note=partial(_note, archive),
        )
        bulletin = Bulletin(archive.record)
        worker = stack.enter_context(
            Worker(
                classifier,
                record=bulletin.record,
                max_pixels=settings.picture.max_pixels,
                waiting=settings.server.queue_length,
            )
        )
        camera = stack.enter_context(
            CameraThread(
                CAMERAS[settings.camera.kind](settings.camera),
                timeout_s=settings.camera.timeout_s,
                max_pixels=settings.picture.max_pixels,
            )
        )
        if panel is not None:
            panel.serve(partial(start_examination, camera, worker))
            # Presses end before what answers them.
            stack.callback(panel.stop)
            reports.append(panel.report)
        reports.append(updater.report)

        def report(part: str, problem: str | None) -> None:
            for tell in reports:
                tell(part, problem)

        stack.enter_context(
            Watch(
                {"model": worker.problem, "history": archive.problem, "camera": camera.problem},
                report=report,
                stuck_s=camera.stuck_s,
                longest_stuck_s=settings.camera.stuck_exit_s,
                give_up=give_up,
                every_s=WATCH_EVERY_S,
            )
        )
        state = partial(
            take_state,
            {"model": worker, "camera": camera, "history": archive},
            panel=panel,
            waiting=lambda: worker.pending,
            model=updater.running,
            is_updating=lambda: updater.is_updating,
            certificate_sha256=None if certificate is None else certificate.sha256,
        )
        # A camera that is stuck in its driver is the watch's affair; it may be told to let it be.
        stuck_exit_s = settings.camera.stuck_exit_s or math.inf
        pulse = Pulse(
            {"worker": worker.silent_s, "camera": camera.silent_s},
            longest_s={
                "worker": LONGEST_TURN_S,
                "camera": camera.longest_turn_s + stuck_exit_s + _MARGIN_S,
            },
            beat=notifier.beat,
        )
        figures = Figures(
            Sources(
                state=state,
                camera_restarts=lambda: camera.restarts,
                panel=panel,
                board=read_health,
                history=archive.path,
                is_clock_trusted=clock.is_trusted,
                model=classifier.identity,
                software_version=__version__,
            )
        )
        stack.callback(bulletin.listen(figures.answered))
        yield Appliance(
            frames=camera,
            examiner=worker,
            history=archive,
            manifest=classifier.manifest,
            identity=classifier.identity,
            readiness=lambda: Readiness(
                model=worker.problem(), camera=camera.problem(), history=archive.problem()
            ),
            provider=classifier.provider,
            state=state,
            bulletin=bulletin,
            figures=figures,
            clock=clock,
            board=lambda: take_board(
                read_health(), folder=settings.history.path, limit_celsius=thermal_limit_celsius
            ),
            software_version=__version__,
            pulse=pulse,
            models=updater,
            panel=panel,
        )


def _note(archive: Archive, act: str, subject: str, actor: str) -> None:
    """Tell the audit trail and do not wait; what was done stays done where there is none."""
    try:
        done = archive.note(act, subject, actor=actor)
    except EdgeDermError as error:
        _log.error("event=audit.not_noted act=%r detail=%r", act, str(error))
        return
    done.add_done_callback(partial(_see_noted, act))


def _see_noted(act: str, done: Future[None]) -> None:
    if not done.cancelled() and done.exception() is not None:
        _log.error("event=audit.not_noted act=%r detail=%r", act, str(done.exception()))


def _end_trial(models: ModelStore, kind: type[BaseException] | None, *_: object) -> None:
    """Go on with a trial at the next start, unless the box ends in a way that it should not."""
    # The two are how a start is stopped: by a signal, or by a key.
    if kind is None or issubclass(kind, (SystemExit, KeyboardInterrupt)):
        models.end_begun()


def open_tokens(settings: ServerSettings) -> TokenKeeping:
    """Look after the list of tokens; nothing is opened before it is used."""
    from device.access.tokens import TokenFile

    return TokenFile(settings.state_path)


def own_names(settings: ServerSettings) -> tuple[str, ...]:
    """By which names the box is called: its host name, the same with ``.local``, what was set."""
    own = socket.gethostname().lower()
    return (own, f"{own.partition('.')[0]}.local", *settings.names)


def find_certificate(settings: ServerSettings) -> Certificate | None:
    """
    Return the certificate that the server shows, made now if need be; None without TLS.

    Raises:
        AccessError: It cannot be used.
    """
    from device.access.certificate import given_certificate, own_certificate

    if not settings.is_secure:
        return None
    if settings.certificate is not None and settings.key is not None:
        return given_certificate(settings.certificate, settings.key)
    return own_certificate(settings.state_path, own_names(settings))


def build_application(parts: Appliance, settings: Settings) -> Application:
    """Put the REST API before a running appliance."""
    from device.api import Rules
    from device.api.application import build_application as build

    server = settings.server
    rules = Rules(
        tokens=open_tokens(server),
        is_token_needed=server.is_token_needed,
        is_loopback=server.is_loopback,
        is_secure=server.is_secure,
        names=own_names(server),
    )
    return build(parts, rules=rules, max_upload_bytes=server.max_upload_bytes)


def serve(settings: Settings) -> None:
    """
    Run the box until a signal says stop, or until only a new process can help.

    In the latter case the process ends with :data:`STUCK_STATUS` and without running what the
    driver's libraries do at an exit: they would wait for the camera.

    Raises:
        AccessError: The certificate or the list of tokens cannot be used.
        ModelError: Without a model that passes its test there is no box.
    """
    from device.service.memory import begin_start, use_one_arena

    use_one_arena()
    begin_start()

    from device.service.daemon import serve as serve_until_stopped
    from device.service.daemon import tls_context
    from device.service.notify import Notifier

    server = settings.server
    certificate = find_certificate(server)
    tls = None
    if certificate is not None:
        tls = tls_context(certificate.certificate, certificate.key)
        _log.info("event=tls.certificate sha256=%s", certificate.fingerprint)
    if server.is_token_needed and not open_tokens(server).all():
        _log.warning(
            "event=access.no_tokens detail=%r",
            "nobody can ask over REST; python -m device token add NAME --role admin",
        )
    reasons: list[str] = []
    restarts: list[str] = []

    notifier = Notifier()

    def give_up(why: str) -> None:
        reasons.append(why)
        if signal.getsignal(signal.SIGTERM) is _stop_starting:
            _end_stuck(why)  # Nothing is served yet: the signal would be an end without a status.
        os.kill(os.getpid(), signal.SIGTERM)

    def restart(why: str) -> None:
        restarts.append(why)
        if signal.getsignal(signal.SIGTERM) is _stop_starting:
            _start_again(why, notifier)
        os.kill(os.getpid(), signal.SIGTERM)

    # Until the server takes the signal over: by default it would end the process like a crash.
    signal.signal(signal.SIGTERM, _stop_starting)
    with appliance(settings, give_up=give_up, restart=restart, notifier=notifier) as parts:
        serve_until_stopped(
            build_application(parts, settings),
            host=server.host,
            port=server.port,
            tls=tls,
            hooks=_hooks(parts, notifier),
        )
    if reasons:
        _end_stuck(reasons[0])
    if restarts:
        _start_again(restarts[0], notifier)


def _stop_starting(*_: object) -> None:
    """End a box in order that does not serve yet, or no more."""
    raise SystemExit(0)


def _hooks(parts: Appliance, notifier: Notifier) -> Hooks:
    from device.service.daemon import Hooks
    from device.service.memory import end_start

    def started() -> None:
        end_start()
        notifier.ready()

    def stopping() -> None:
        notifier.stopping()
        parts.bulletin.close()

    return Hooks(
        started=started,
        turned=parts.pulse,
        turn_every_s=notifier.beat_every_s,
        stopping=stopping,
    )


def _end_stuck(why: str) -> None:
    _log.critical("event=box.stopped detail=%r", why)
    logging.shutdown()
    os._exit(STUCK_STATUS)


def _start_again(why: str, notifier: Notifier) -> None:
    _log.info("event=box.restarts detail=%r", why)
    logging.shutdown()
    if notifier.is_heard:
        os._exit(STUCK_STATUS)
    # Nobody would start it again.
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own start


def take_picture(settings: Settings) -> tuple[Capture, QualityReport, bytes]:
    """
    Take one picture by the daemon's own way.

    Returns:
        The capture, what the quality gate of the model's contract says of it, and a PNG file.

    Raises:
        CameraError: No picture came, or none that can be scored.
        ModelError: There is no model whose stages could be run.
    """
    import cv2

    from device.decode import decode
    from device.preprocess import working_copy
    from device.quality import assess

    manifest = load_classifier(settings.model).manifest
    capture = _one_capture(settings)
    pixels_HWC = capture.pixels_HWC
    if pixels_HWC is None:
        try:
            pixels_HWC = decode(
                capture.encoded or b"", max_pixels=settings.picture.max_pixels, enough_px=2**16
            )
        except DecodeError as error:
            raise CameraError(f"the camera delivered what cannot be scored: {error}") from error
    quality = assess(working_copy(pixels_HWC, manifest.preprocess), manifest.quality)
    bgr_HWC = cv2.cvtColor(pixels_HWC, cv2.COLOR_RGB2BGR)
    return capture, quality, cv2.imencode(".png", bgr_HWC)[1].tobytes()


def _one_capture(settings: Settings) -> Capture:
    from device.service.camera import CameraThread

    longest_s = 2 * settings.camera.timeout_s + _OPENING_S
    with CameraThread(
        CAMERAS[settings.camera.kind](settings.camera), timeout_s=settings.camera.timeout_s
    ) as frames:
        try:
            return frames.request().result(timeout=longest_s)
        except FutureTimeoutError as error:
            raise CameraError(
                f"the camera did not answer within {longest_s:g} s; unplug it and plug it in, or "
                "restart the box"
            ) from error
