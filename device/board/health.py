"""
How the board fares: temperatures, and on a Raspberry Pi whether power and cooling suffice.

All of it is read from files that the kernel shows; no tool is called.  What a board does not show
is left out.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from device.core.board import BoardHealth

_ZONES = "sys/class/thermal/thermal_zone*"
_THROTTLED = "sys/bus/platform/drivers/raspberrypi-firmware/*/get_throttled"
_MONITORS = "sys/class/hwmon/hwmon*"
_VOLTAGE_MONITOR = "rpi_volt"
_SINCE_START_BIT = 16
_FLAGS = ("under_voltage", "frequency_capped", "throttled", "soft_temperature_limit")
"""From bit 0 on; 16 bits higher stands whether it ever was so.  Raspberry Pi documentation,
"vcgencmd get_throttled"."""


def read_health(root: Path = Path("/")) -> BoardHealth:
    """
    Look at the board.

    Args:
        root: Where ``sys`` is.

    Threads: any; each file is one short read, so it takes well below a millisecond.

    Sources: thermal zones in millidegrees from the kernel's "Generic Thermal Sysfs driver";
    ``get_throttled`` and ``in0_lcrit_alarm`` from its drivers raspberrypi-firmware and
    raspberrypi-hwmon.
    """
    now, since_start = _flags(root)
    return BoardHealth(
        temperatures_celsius=MappingProxyType(_temperatures(root)),
        flags=MappingProxyType(now),
        flags_since_start=MappingProxyType(since_start),
    )


def _temperatures(root: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for zone in sorted(root.glob(_ZONES)):
        # A sensor of a part that sleeps answers with an error.
        milli = _number(zone / "temp", 10)
        name = _text(zone / "type") or zone.name
        if milli is not None:
            found[name if name not in found else f"{name} {zone.name}"] = milli / 1000
    return found


def _flags(root: Path) -> tuple[dict[str, bool], dict[str, bool]]:
    now: dict[str, bool] = {}
    since_start: dict[str, bool] = {}
    for path in root.glob(_THROTTLED):
        bits = _number(path, 16)
        if bits is not None:
            for bit, name in enumerate(_FLAGS):
                now[name] = bool(bits >> bit & 1)
                since_start[name] = bool(bits >> (bit + _SINCE_START_BIT) & 1)
    for monitor in root.glob(_MONITORS):
        if _text(monitor / "name") == _VOLTAGE_MONITOR:
            alarm = _number(monitor / "in0_lcrit_alarm", 10)
            if alarm is not None:
                now["under_voltage"] = bool(alarm)
    return now, since_start


def _number(path: Path, base: int) -> int | None:
    try:
        return int(_text(path) or "", base)
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
