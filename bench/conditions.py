"""How the board was while it was measured, and whether that spoils the figures."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from bench import process
from bench.board import governors
from bench.results import BenchError, Condition, Energy, Moment, Section
from device.board.health import read_health

_EVERY_S = 2.0
_MOST_WAITED_SHARE = 0.02
_SLOWED_SHARE = 0.9
_FEW = 2
_CLOCKS = "sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq"


class Watch:
    """
    Looks at the board every two seconds from a thread of its own, a few short reads each time.

    Args:
        meter: Of the energy; None without one.
        limit_celsius: Where the board begins to slow down; None if unknown.
        root: Where ``sys`` and ``proc`` are.
    """

    def __init__(
        self, meter: Meter | None, *, limit_celsius: float | None, root: Path = Path("/")
    ) -> None:
        self._meter = meter
        self._limit_celsius = limit_celsius
        self._root = root
        self._began_s = time.monotonic()
        self._waited_s = process.waited_s()
        self._load = os.getloadavg()[0]
        self._moments: list[Moment] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="conditions", daemon=True)

    def __enter__(self) -> Self:
        """Look from now on."""
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()

    @property
    def at_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began_s

    @property
    def moments(self) -> tuple[Moment, ...]:
        """What was seen."""
        return tuple(self._moments)

    def condition(self) -> Condition:
        """Sum up; called on the thread that measured."""
        waited_share = None
        waited_s = process.waited_s()
        if waited_s is not None and self._waited_s is not None:
            waited_share = round((waited_s - self._waited_s) / max(self.at_s, 1e-9), 4)
        return Condition(
            moments=self.moments,
            waited_share=waited_share,
            warnings=warnings(
                self.moments,
                waited_share=waited_share,
                load=self._load,
                governors=governors(self._root),
                limit_celsius=self._limit_celsius,
            ),
        )

    def _run(self) -> None:
        while True:
            self._moments.append(self._look())
            if self._end.wait(_EVERY_S):
                return

    def _look(self) -> Moment:
        health = read_health(self._root)
        clocks = [int(path.read_text()) / 1000 for path in self._root.glob(_CLOCKS)]
        return Moment(
            at_s=round(self.at_s, 1),
            celsius=max(health.temperatures_celsius.values(), default=None),
            clock_mhz=min(clocks, default=None),
            flags=tuple(name for name, is_set in health.flags.items() if is_set),
            load=round(os.getloadavg()[0], 2),
            watt=None if self._meter is None else self._meter.now(),
        )


def warnings(
    moments: Sequence[Moment],
    *,
    waited_share: float | None,
    load: float,
    governors: Sequence[str],
    limit_celsius: float | None,
) -> tuple[str, ...]:
    """
    Say what spoils the figures, one sentence each.

    Args:
        moments: How the board was.
        waited_share: Of the time in which the measuring thread wanted to run and could not.
        load: The system's before the run.
        governors: Of the cores.
        limit_celsius: Where the board begins to slow down.
    """
    found = []
    if waited_share is not None and waited_share > _MOST_WAITED_SHARE:
        found.append(
            f"other work took the processor: {waited_share:.0%} of the run was spent waiting for a "
            "core; stop it and measure again"
        )
    elif waited_share is None and load > 1:
        found.append(f"other work was running: the load was {load:.1f} before the run; stop it")
    if slow := [name for name in governors if name != "performance"]:
        found.append(
            f"the governor is {', '.join(slow)}, so the clock follows the load; for figures that "
            "repeat: echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/"
            "scaling_governor"
        )
    if flags := sorted({flag for moment in moments for flag in moment.flags}):
        found.append(f"the board says {', '.join(flags)}: better supply or cooling is needed")
    clocks = [moment.clock_mhz for moment in moments if moment.clock_mhz is not None]
    if len(clocks) > _FEW and min(clocks) < _SLOWED_SHARE * max(clocks):
        found.append(f"the clock went from {max(clocks):.0f} down to {min(clocks):.0f} MHz")
    warmest = max((moment.celsius for moment in moments if moment.celsius is not None), default=0.0)
    if limit_celsius is not None and warmest >= limit_celsius:
        found.append(f"{warmest:.0f} °C: from {limit_celsius:g} °C on the board slows itself down")
    return tuple(found)


class Meter:
    """
    Reads power from where a meter leaves it.

    Two forms.  A file of the kernel such as ``/sys/class/hwmon/hwmon2/power1_input``, microwatts,
    which its driver gives for an INA219; it is read while the run goes on.  Or a log that another
    program writes meanwhile, a line for each reading: seconds since 1970 or ISO time, a comma,
    watts; it is read at the end.

    Args:
        path: The file.

    Raises:
        BenchError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_live = path.name.startswith("power") and path.name.endswith("_input")
        try:
            path.read_text()
        except OSError as error:
            raise BenchError(
                f"--energy {path}: {error.strerror}; name power1_input of an INA219's driver, or a "
                "log with lines of time,watts"
            ) from error

    def now(self) -> float | None:
        """Return the power at this moment, watts; None for a log, or while the meter is busy."""
        if not self._is_live:
            return None
        try:
            return int(self.path.read_text()) / 1e6
        except (OSError, ValueError):
            return None

    def readings(self, began: float, moments: Sequence[Moment]) -> list[tuple[float, float]]:
        """
        Return seconds since the beginning of the run, and watts.

        Args:
            began: When that was, seconds since 1970.
            moments: Where a live meter's readings are.
        """
        if self._is_live:
            return [(moment.at_s, moment.watt) for moment in moments if moment.watt is not None]
        found = []
        for line in self.path.read_text().splitlines():
            when, _, watt = line.partition(",")
            try:
                found.append((_seconds(when.strip()) - began, float(watt)))
            except ValueError:
                continue  # A heading, or a line that is being written.
        return found

    def energy(
        self,
        began: float,
        moments: Sequence[Moment],
        sections: dict[str, Section],
        *,
        answers: tuple[str, float] | None,
    ) -> Energy:
        """
        Put the readings and the parts of the run together.

        Args:
            began: As for :meth:`readings`.
            moments: As for :meth:`readings`.
            sections: When each part was; ``idle`` is the one in which nothing was done.
            answers: A part in which pictures were answered, and the seconds that one took.
        """
        readings = self.readings(began, moments)
        watt = {}
        for name, section in sections.items():
            inside = [w for at_s, w in readings if section.began_s <= at_s <= section.ended_s]
            if inside:
                watt[name] = round(sum(inside) / len(inside), 3)
        each = None
        if answers is not None and answers[0] in watt:
            each = round(1000 * watt[answers[0]] * answers[1], 2)
        return Energy(
            source=str(self.path),
            idle_watt=watt.get("idle"),
            watt=watt,
            millijoule_per_answer=each,
        )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()
