"""The part of the composition that is the doctor's: every part of a box looked at, one by one."""

from __future__ import annotations

import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

from device import __version__
from device.board import find_board
from device.compose import (
    PANELS,
    find_certificate,
    open_history,
    open_tokens,
    panel_lines,
    take_picture,
)
from device.compose_model import load_model, open_models
from device.core.checkup import Finding
from device.core.ports import HistoryUse
from device.settings import HistorySettings, PanelSettings, ServerSettings, Settings


def examine_box(settings: Settings) -> Iterator[Finding]:
    """Look at everything that a box needs, one thing after the other; changes nothing."""
    from device.board.health import read_health
    from device.service import checkup
    from device.service.clock import SystemClock
    from device.service.installation import check_installation

    groups = {"v4l2": ("video",), "libcamera": ("video",), "gstreamer": ("video",)}
    wanted = {*groups.get(settings.camera.kind, ())}
    wanted |= {"gpio"} if settings.panel.kind == "gpiod" else set()
    board = find_board(settings.panel.board)
    yield checkup.ok("board", f"{board.name}, software {__version__}")
    checks: Mapping[str, Callable[[], Finding]] = {
        "port": lambda: checkup.check_port(settings.server.host, settings.server.port),
        "groups": lambda: checkup.check_groups(wanted),
        "model": lambda: _check_model(settings),
        "camera": lambda: _check_camera(settings),
        "panel": lambda: _check_panel(settings.panel),
        "permissions": lambda: checkup.check_folder(settings.history.path),
        "history": lambda: _check_history(settings.history),
        "disk": lambda: checkup.check_disk(settings.history.path),
        "clock": lambda: checkup.check_clock(SystemClock(settings.history.path).read()),
        "temperature": lambda: checkup.check_heat(
            read_health(), limit_celsius=board.thermal_limit_celsius
        ),
        "access": lambda: _check_access(settings.server),
        "tls": lambda: _check_tls(settings.server),
        "release": lambda: check_installation(
            Path(sys.prefix), Path(sysconfig.get_path("purelib"))
        ),
    }
    for part, check in checks.items():
        yield checkup.checked(part, check)


def _check_model(settings: Settings) -> Finding:
    from device.service import checkup

    began_s = time.monotonic()
    classifier, candidate = load_model(settings.model, open_models(settings.model), is_start=False)
    took_ms = 1000 * (time.monotonic() - began_s)
    identity = classifier.identity
    found = (
        f"{identity.name} {identity.version} ({identity.sha256[:12]}), computed by "
        f"{classifier.provider}, passes its golden case; loaded in {took_ms:.0f} ms"
    )
    if candidate is not None and candidate.source != "shipped":
        found += "; installed, on trial" if candidate.is_on_trial else f"; {candidate.source}"
    if candidate is not None and candidate.instead_of is not None:
        return checkup.warning(
            "model",
            f"{found}; wanted more was {candidate.instead_of}",
            "install a model that works: docs/model-updates.md",
        )
    if classifier.provider != settings.model.provider:
        return checkup.warning(
            "model",
            f"{found}; {settings.model.provider} was asked for",
            "the line above (event=model.provider_refused) says why; install the runtime built "
            "for this board, or set model.provider to cpu",
        )
    return checkup.ok("model", found)


def _check_camera(settings: Settings) -> Finding:
    from device.service import checkup

    capture, quality, _ = take_picture(settings)
    took_ms = (capture.capture_ns or 0) / 1e6
    found = f"{settings.camera.kind} delivered in {took_ms:.0f} ms"
    if capture.exposure_us is not None:
        found += f", exposure {capture.exposure_us} us, gain {capture.analog_gain}"
    if settings.camera.kind in {"replay", "simulated"}:
        return checkup.warning(
            "camera", f"{found}, but this is no camera", "set camera.kind to one that is there"
        )
    if quality.reasons:
        texts = "; ".join(reason.text for reason in quality.reasons)
        return checkup.warning("camera", f"{found}; as a lesion it would be taken again", texts)
    return checkup.ok("camera", found)


def _check_panel(settings: PanelSettings) -> Finding:
    from device.service import checkup

    if settings.kind not in PANELS:
        return checkup.warning(
            "panel", "no button and no light are set up", f"set panel.kind to {' or '.join(PANELS)}"
        )
    with PANELS[settings.kind](settings):
        pass
    if settings.kind == "simulated":
        return checkup.warning("panel", "simulated: nothing is lit", "set panel.kind to gpiod")
    wires = panel_lines(settings)
    return checkup.ok(
        "panel",
        f"button {wires.button}, red {wires.red}, green {wires.green}, blue {wires.blue}; "
        "`python -m device panel-test` shows them",
    )


def _check_history(settings: HistorySettings) -> Finding:
    from device.service import checkup

    archive = open_history(settings, HistoryUse.LOOK)
    if not archive.path.exists():
        return checkup.ok("history", f"{archive.path} will be made at the first start")
    with archive:
        problem = archive.problem()
    if problem is not None:
        found, _, remedy = problem.rpartition("; ")
        return checkup.failure("history", found or problem, remedy)
    return checkup.ok("history", f"{archive.path} can be written")


def _check_access(settings: ServerSettings) -> Finding:
    from device.service import checkup

    if settings.is_token_needed and not open_tokens(settings).all():
        return checkup.warning(
            "access",
            "a token is asked for, and there is none",
            "`python -m device token add NAME --role admin`",
        )
    asked = "a token is asked for" if settings.is_token_needed else "no token is asked for"
    return checkup.ok("access", f"{settings.host}: {asked}")


def _check_tls(settings: ServerSettings) -> Finding:
    from device.access.certificate import CERTIFICATE_NAME, KEY_NAME, validity
    from device.service import checkup
    from device.service.daemon import tls_context

    own = [settings.state_path / name for name in (CERTIFICATE_NAME, KEY_NAME)]
    is_own = settings.is_secure and settings.certificate is None
    if is_own and not all(path.exists() for path in own):
        return checkup.ok("tls", f"{own[0]} will be made at the first start")
    certificate = find_certificate(settings)
    if certificate is None:
        return checkup.check_no_tls(is_loopback=settings.is_loopback)
    tls_context(certificate.certificate, certificate.key)
    beginning, end = validity(certificate.certificate)
    return checkup.check_certificate(
        certificate.fingerprint, beginning=beginning, end=end, now=datetime.now(timezone.utc)
    )
