"""Looks at what a box needs besides its parts: storage, clock, permissions, heat, a free port."""

from __future__ import annotations

import grp
import os
import shutil
import socket
import stat
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from device.core.board import BoardHealth
from device.core.checkup import Finding, Verdict
from device.core.clock import ClockDocument, ClockSetter
from device.core.errors import EdgeDermError

LEAST_FREE_BYTES = 50 * 2**20
"""Below it the next update or backup fails."""
LITTLE_FREE_BYTES = 500 * 2**20
_NEAR_LIMIT_CELSIUS = 5.0
_USUAL_LIMIT_CELSIUS = 80.0
"""Of a board whose limit is not known."""
_PRIVATE_MODE = 0o077
_SOON = timedelta(days=30)
"""A certificate that ends within it needs somebody to look after it."""
_CLOCK_SETTERS = {
    ClockSetter.NETWORK: "the network",
    ClockSetter.CHIP: "a clock chip",
    ClockSetter.PERSON: "a person",
}


def checked(part: str, check: Callable[[], Finding]) -> Finding:
    """Run *check*; an error is a failure, whether it explains itself or nobody foresaw it."""
    try:
        return check()
    except EdgeDermError as error:
        found, _, remedy = str(error).rpartition("; ")
        return failure(part, found or str(error), remedy if found else "see docs/")
    except Exception as error:  # noqa: BLE001 - the other checks go on, and the person is told
        return failure(
            part, f"{type(error).__name__}: {error}", "report this with the whole output"
        )


def ok(part: str, found: str) -> Finding:
    """All is well."""
    return Finding(part=part, verdict=Verdict.OK, found=found)


def warning(part: str, found: str, remedy: str) -> Finding:
    """It works, but not as it should be used."""
    return Finding(part=part, verdict=Verdict.WARNING, found=found, remedy=remedy)


def failure(part: str, found: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(part=part, verdict=Verdict.FAILURE, found=found, remedy=remedy)


def check_port(host: str, port: int) -> Finding:
    """See whether a box, or somebody else, listens already where ours would."""
    part = "port"
    if port == 0:
        return ok(part, "the system chooses it")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does; else connections that are closed already would stand in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return warning(
                part,
                f"{host} port {port}: {error.strerror or error}",
                "stop the box first (`sudo systemctl stop edgederm`): camera and lines have one "
                "user; or set server.host and server.port",
            )
    return ok(part, f"{host} port {port} is free")


def check_disk(folder: Path) -> Finding:
    """See how much room there is where the history grows."""
    part = "disk"
    there = _nearest(folder)
    free_bytes = shutil.disk_usage(there).free
    found = f"{free_bytes / 2**20:,.0f} MiB free at {there}"
    remedy = "erase old results (history.keep_days, history.keep_bytes), or use a larger card"
    if free_bytes < LEAST_FREE_BYTES:
        return failure(part, found, remedy)
    return warning(part, found, remedy) if free_bytes < LITTLE_FREE_BYTES else ok(part, found)


def check_clock(clock: ClockDocument) -> Finding:
    """See whether the time of day can be believed."""
    part = "clock"
    told = f"{clock.now:%Y-%m-%d %H:%M} UTC"
    if clock.set_by is None:
        return warning(
            part,
            f"{told}, but nobody has set it since the start: the times of results are not to be "
            "trusted",
            "connect the box to a network with time once, give it a clock chip (RTC), or set it on "
            "the page",
        )
    setter = _CLOCK_SETTERS[clock.set_by]
    if not clock.clock_trusted:
        return warning(
            part,
            f"{told}, set by {setter}: before this software was made",
            "set it again; an old time from a chip means that its battery is empty",
        )
    return ok(part, f"{told}, set by {setter}")


def check_folder(folder: Path) -> Finding:
    """See whether the folder of the state can be written, and by us alone."""
    part = "permissions"
    there = _nearest(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        return failure(
            part,
            f"{there} cannot be written by user {os.getuid()}",
            "run as the service's user (`sudo -u edgederm`), or set history.path",
        )
    if there == folder and stat.S_IMODE(folder.stat().st_mode) & _PRIVATE_MODE:
        return warning(
            part,
            f"others may read {folder}",
            f"close it: `chmod 700 {folder}`",
        )
    return ok(part, f"{there} can be written")


def check_groups(wanted: Collection[str]) -> Finding:
    """See whether this user may open the devices that the settings name."""
    part = "groups"
    if os.getuid() == 0:
        return warning(part, "this is root, who may do all", "run as the service's user")
    mine = set(_group_names(os.getgroups()))
    missing = sorted(name for name in wanted if name not in mine and _exists(name))
    if missing:
        return warning(
            part,
            f"this user is not in {', '.join(missing)}",
            f"`sudo usermod -aG {','.join(missing)} USER`, then log in again",
        )
    return ok(part, f"in {', '.join(sorted(set(wanted) & mine)) or 'none that is needed'}")


def check_heat(health: BoardHealth, *, limit_celsius: float | None) -> Finding:
    """See whether heat or a weak supply slows the board down."""
    part = "temperature"
    held_back = sorted(name for name, is_so in health.flags.items() if is_so)
    if held_back:
        return failure(
            part,
            f"the board reports {', '.join(held_back).replace('_', ' ')}",
            "use the supply that was made for it and a heat sink, and check the cable",
        )
    if not health.temperatures_celsius:
        return ok(part, "this machine shows none")
    name, hottest = max(health.temperatures_celsius.items(), key=lambda item: item[1])
    limit = limit_celsius or _USUAL_LIMIT_CELSIUS
    found = f"{hottest:.0f} °C ({name}), slower from {limit:.0f} °C on"
    if hottest > limit - _NEAR_LIMIT_CELSIUS:
        return warning(part, found, "give it a heat sink or air")
    earlier = sorted(name for name, is_so in health.flags_since_start.items() if is_so)
    if earlier:
        return warning(
            part,
            f"{found}; since the start it had {', '.join(earlier).replace('_', ' ')}",
            "use the supply that was made for it, and check the cable",
        )
    return ok(part, found)


def check_no_tls(*, is_loopback: bool) -> Finding:
    """See whether a box without TLS is one that only this machine reaches."""
    if is_loopback:
        return ok("tls", "off: only this machine reaches the box")
    return warning(
        "tls",
        "off: whoever listens in the network reads pictures and tokens",
        "set server.tls to auto, unless a proxy on this machine speaks it",
    )


def check_certificate(
    fingerprint: str, *, beginning: datetime, end: datetime | None, now: datetime
) -> Finding:
    """
    See whether browsers would take the certificate for its time.

    Args:
        fingerprint: Of its SHA-256, as browsers show it.
        beginning: From when on it is good, UTC.
        end: Until when; None without an end.
        now: By this machine's clock.
    """
    part, found = "tls", f"certificate with the fingerprint {fingerprint}"
    if now < beginning:
        return warning(
            part,
            f"{found} begins on {beginning:%Y-%m-%d}, after this machine's today",
            "see that the clock is right",
        )
    if end is None:
        return ok(part, f"{found}, without an end")
    if now >= end:
        return failure(
            part, f"{found} ended on {end:%Y-%m-%d}", "put a new one in its place, and restart"
        )
    if end - now < _SOON:
        return warning(
            part,
            f"{found} ends on {end:%Y-%m-%d}",
            "put a new one in its place in time, and restart",
        )
    return ok(part, f"{found}, until {end:%Y-%m-%d}")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the first one above it that exists."""
    return next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))


def _group_names(numbers: Iterable[int]) -> list[str]:
    wanted = set(numbers)
    return [each.gr_name for each in grp.getgrall() if each.gr_gid in wanted]


def _exists(group: str) -> bool:
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True
