"""Button and LEDs on a board's GPIO header, through the kernel's character device and gpiod."""

from __future__ import annotations

import contextlib
import errno
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from device.core.board import PanelLines
from device.core.errors import PanelError
from device.panel.lines import Color, Edge, wait_readable

if TYPE_CHECKING:
    from gpiod import LineRequest

DEVICES = Path("/dev")
CONSUMER = "edgederm"
"""Who uses a line, for `gpioinfo`."""

_EVENTS = 64
"""Edges that the kernel keeps for us; with 20 ms between two of them that is more than a second."""
_REMEDY = "check `gpioinfo` and the settings keys panel.chip and panel.button, red, green, blue"
_PERMISSION = "add the service's user to the group gpio (`sudo usermod -aG gpio USER`)"
_INSTALL = "install the board's lock (`make run` does), which holds gpiod 2"

_LOG = logging.getLogger(__name__)


class GpiodLines:
    """
    Four lines of one GPIO chip.

    The chip is found by its label or by the names of its lines, never by its number, which changes
    with the kernel.  The button connects its line to ground and is pulled up where the chip can;
    the kernel debounces it and stamps its edges with the monotonic clock.

    Args:
        lines: Names of the lines, or offsets in digits, which need the chip's label.
        debounce_s: How long the button's line must be quiet.
        is_led_active_low: Whether an LED is lit by a low level (common anode).

    Threads: one thread owns the lines, as gpiod demands.
    """

    def __init__(self, lines: PanelLines, *, debounce_s: float, is_led_active_low: bool) -> None:
        self.name = f"gpiod {lines.chip or 'any chip'}"
        self._lines = lines
        self._leds = {Color.RED: lines.red, Color.GREEN: lines.green, Color.BLUE: lines.blue}
        self._debounce = timedelta(seconds=debounce_s)
        self._is_led_active_low = is_led_active_low
        self._request: LineRequest | None = None
        self._seen_edges = 0
        self._gpiod: Any = None

    def __enter__(self) -> Self:
        """
        Find the chip and take its lines, the light dark.

        Raises:
            PanelError: gpiod, the chip or a line is missing, closed to us, or in use.
        """
        self.__exit__()
        try:
            import gpiod
        except ImportError as error:
            raise PanelError(
                f"{self.name}: gpiod cannot be imported ({error}); {_INSTALL}"
            ) from error
        self._gpiod = gpiod
        path = self._find_chip()
        try:
            self._request = gpiod.request_lines(
                path,
                config=self._config(),
                consumer=CONSUMER,
                event_buffer_size=_EVENTS,
            )
        except (OSError, ValueError) as error:
            raise PanelError(f"{self.name} ({path}): {_why(error)}") from error
        self._seen_edges = 0
        _LOG.info(
            "event=panel.lines panel=%r device=%s button=%s red=%s green=%s blue=%s",
            self.name,
            path,
            *self._lines.all,
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave the light dark and release the lines; may be called twice, and never raises."""
        request, self._request = self._request, None
        if request is None:
            return
        with contextlib.suppress(OSError):
            self._write(request, Color.OFF)
        with contextlib.suppress(OSError):
            request.release()

    def wait(self, timeout_s: float, wake_fd: int | None = None) -> Sequence[Edge]:
        """Return the button's edges; waits at most *timeout_s* seconds for the first."""
        request = self._open_request()
        try:
            is_alive = wait_readable([request.fd, wake_fd], timeout_s)
            events = request.read_edge_events() if request.wait_edge_events(0) else []
        except OSError as error:
            raise PanelError(f"{self.name}: {_why(error)}") from error
        if not is_alive:
            raise PanelError(f"{self.name}: the chip is gone; {_REMEDY}")
        for event in events:
            lost = event.line_seqno - self._seen_edges - 1
            if lost:
                _LOG.warning("event=panel.edges_lost panel=%r count=%d", self.name, lost)
            self._seen_edges = event.line_seqno
        rising = self._gpiod.EdgeEvent.Type.RISING_EDGE
        return [Edge(event.event_type == rising, event.timestamp_ns) for event in events]

    def light(self, color: Color) -> int:
        """Write all three LEDs at once; returns the monotonic nanoseconds when that was done."""
        request = self._open_request()
        try:
            self._write(request, color)
        except OSError as error:
            raise PanelError(f"{self.name}: {_why(error)}") from error
        return time.monotonic_ns()

    def _open_request(self) -> LineRequest:
        if self._request is None:
            raise PanelError(f"{self.name}: not open; open the lines before they are used")
        return self._request

    def _write(self, request: LineRequest, color: Color) -> None:
        value = self._gpiod.line.Value
        request.set_values(
            {
                self._key(name): value.ACTIVE if part in color else value.INACTIVE
                for part, name in self._leds.items()
            }
        )

    def _config(self) -> dict[Any, Any]:
        line = self._gpiod.line
        button = self._gpiod.LineSettings(
            direction=line.Direction.INPUT,
            edge_detection=line.Edge.BOTH,
            # A chip that cannot pull leaves it to a resistor on the board.
            bias=line.Bias.PULL_UP,
            active_low=True,
            debounce_period=self._debounce,
            event_clock=line.Clock.MONOTONIC,
        )
        led = self._gpiod.LineSettings(
            direction=line.Direction.OUTPUT,
            active_low=self._is_led_active_low,
            output_value=line.Value.INACTIVE,
        )
        return {self._key(self._lines.button): button} | {
            self._key(name): led for name in self._leds.values()
        }

    @staticmethod
    def _key(name: str) -> int | str:
        """Digits are an offset; gpiod takes either."""
        return int(name) if name.isdecimal() else name

    def _find_chip(self) -> str:
        """Return the device file of the one chip that has the label and the lines."""
        wanted = f"lines {', '.join(self._lines.all)}"
        labels: list[str] = []
        found: list[str] = []
        refusal: OSError | None = None
        for path in map(str, sorted(DEVICES.glob("gpiochip*"))):
            # Raspberry Pi OS keeps an old number as a link to the new one.
            if Path(path).is_symlink() or not self._gpiod.is_gpiochip_device(path):
                continue
            try:
                with self._gpiod.Chip(path) as chip:
                    label = chip.get_info().label
                    labels.append(label)
                    if self._lines.chip in {None, label} and self._has_lines(chip):
                        found.append(path)
            except OSError as error:
                refusal = error
        if len(found) == 1:
            return found[0]
        if found:
            raise PanelError(
                f"{self.name}: expected one chip with {wanted}, found {len(found)} of them, "
                f"{', '.join(found)}; give one's label in the settings key panel.chip"
            )
        if refusal is not None:
            raise PanelError(f"{self.name}: {_why(refusal)}") from refusal
        raise PanelError(
            f"{self.name}: expected a chip with {wanted}, found "
            f"{', '.join(labels) or 'no chip at all'}; {_REMEDY}"
        )

    def _has_lines(self, chip: Any) -> bool:
        try:
            for name in self._lines.all:
                chip.line_offset_from_id(self._key(name))
        except (FileNotFoundError, ValueError):  # no such name; an offset beyond the last
            return False
        return True


def _why(error: Exception) -> str:
    """Say what the system refused, and what to do about it."""
    if isinstance(error, PermissionError):
        return f"{error.strerror}; {_PERMISSION}"
    if isinstance(error, OSError) and error.errno == errno.EBUSY:
        return f"a line is in use; `gpioinfo` names by whom; {_REMEDY}"
    if isinstance(error, OSError):
        return f"{error.strerror}; {_REMEDY}"
    return f"{error}; {_REMEDY}"
