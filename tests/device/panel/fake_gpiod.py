"""GPIO chips below gpiod: stands in for the module and keeps the kernel's habits."""

from __future__ import annotations

import errno
import os
import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any, Self


class Value(Enum):
    INACTIVE = 0
    ACTIVE = 1


class Direction(Enum):
    INPUT = "input"
    OUTPUT = "output"


class EdgeKind(Enum):
    NONE = "none"
    BOTH = "both"


class Bias(Enum):
    AS_IS = "as is"
    PULL_UP = "pull up"


class Clock(Enum):
    MONOTONIC = "monotonic"


class EventType(Enum):
    RISING_EDGE = 1
    FALLING_EDGE = 2


@dataclass
class Settings:
    """``gpiod.LineSettings``; refuses what that does not know."""

    direction: Direction
    edge_detection: EdgeKind = EdgeKind.NONE
    bias: Bias = Bias.AS_IS
    active_low: bool = False
    debounce_period: Any = None
    event_clock: Clock = Clock.MONOTONIC
    output_value: Value = Value.INACTIVE


@dataclass
class FakeChip:
    """A chip of the board: what its lines are called, and what stands in their way."""

    label: str
    names: list[str]
    used: set[int] = field(default_factory=set)
    """Offsets that somebody else holds."""
    refusal: int | None = None
    """The number of the error with which it does not open."""
    levels: dict[int, Value] = field(default_factory=dict)
    """What the LEDs' lines show, logically; gone with their user."""
    written: list[dict[int, Value]] = field(default_factory=list)
    config: dict[int, Settings] = field(default_factory=dict)
    consumer: str | None = None
    request: FakeRequest | None = None
    is_gone: bool = False
    threads: set[int] = field(default_factory=set)

    def offset(self, line: int | str) -> int:
        """As ``gpiod.Chip.line_offset_from_id`` does."""
        if isinstance(line, str):
            if line in self.names:
                return self.names.index(line)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if line >= len(self.names):
            raise ValueError("line offset of out range")
        return line

    # Hands on the wires.

    def edge(self, *, is_pressed: bool, at_ns: int | None = None, lose: int = 0) -> None:
        """Let the kernel report an edge of the button, after *lose* that it had to drop."""
        assert self.request is not None
        self.request.happen(is_pressed, time.monotonic_ns() if at_ns is None else at_ns, lose)

    def unplug(self) -> None:
        self.is_gone = True
        if self.request is not None:
            os.close(self.request.kernel_end)
            self.request.kernel_end = -1


class FakeRequest:
    """``gpiod.LineRequest``: one file descriptor, readable when edges wait."""

    def __init__(self, chip: FakeChip) -> None:
        self.chip = chip
        self.fd, self.kernel_end = os.pipe()
        self.events: list[SimpleNamespace] = []
        self.seqno = 0
        self.is_released = False

    def happen(self, is_pressed: bool, at_ns: int, lose: int) -> None:
        self.seqno += 1 + lose
        kind = EventType.RISING_EDGE if is_pressed else EventType.FALLING_EDGE
        self.events.append(
            SimpleNamespace(event_type=kind, timestamp_ns=at_ns, line_seqno=self.seqno)
        )
        os.write(self.kernel_end, b"x")

    def _check(self) -> None:
        self.chip.threads.add(threading.get_ident())
        assert not self.is_released, "GPIO lines have been released"
        if self.chip.is_gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    def wait_edge_events(self, timeout: float) -> bool:
        self._check()
        assert timeout == 0, "our own poll does the waiting"
        return bool(self.events)

    def read_edge_events(self) -> list[SimpleNamespace]:
        self._check()
        os.read(self.fd, 4096)
        events, self.events = self.events, []
        return events

    def set_values(self, values: dict[int | str, Value]) -> None:
        self._check()
        by_offset = {self.chip.offset(line): value for line, value in values.items()}
        assert all(self.chip.config[at].direction is Direction.OUTPUT for at in by_offset)
        self.chip.written.append(by_offset)
        self.chip.levels.update(by_offset)

    def release(self) -> None:
        assert not self.is_released
        self.is_released = True
        self.chip.request = None
        self.chip.used.clear()
        os.close(self.fd)
        if self.kernel_end >= 0:
            os.close(self.kernel_end)


class FakeGpiod:
    """The module, over chips by the path of their device file."""

    def __init__(self, chips: dict[str, FakeChip]) -> None:
        self.chips = chips
        self.line = SimpleNamespace(
            Value=Value, Direction=Direction, Edge=EdgeKind, Bias=Bias, Clock=Clock
        )
        self.LineSettings = Settings
        self.EdgeEvent = SimpleNamespace(Type=EventType)

    def is_gpiochip_device(self, path: str) -> bool:
        return path in self.chips

    def _open(self, path: str) -> FakeChip:
        chip = self.chips[path]
        chip.threads.add(threading.get_ident())
        if chip.is_gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if chip.refusal is not None:
            raise OSError(chip.refusal, os.strerror(chip.refusal))
        return chip

    def Chip(self, path: str) -> _OpenChip:  # noqa: N802 - gpiod's name
        return _OpenChip(self._open(path))

    def request_lines(
        self,
        path: str,
        *,
        config: dict[int | str, Settings],
        consumer: str,
        event_buffer_size: int,
    ) -> FakeRequest:
        chip = self._open(path)
        offsets = [chip.offset(line) for line in config]
        for offset in offsets:
            if offsets.count(offset) > 1:
                raise ValueError(f"line must be configured exactly once - offset {offset} repeats")
            if offset in chip.used:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        assert event_buffer_size >= 16
        chip.config = dict(zip(offsets, config.values(), strict=True))
        chip.used |= set(offsets)
        chip.consumer = consumer
        chip.levels = {
            offset: settings.output_value
            for offset, settings in chip.config.items()
            if settings.direction is Direction.OUTPUT
        }
        chip.request = FakeRequest(chip)
        return chip.request


class _OpenChip:
    """``gpiod.Chip``, to be used by ``with``."""

    def __init__(self, chip: FakeChip) -> None:
        self._chip = chip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def get_info(self) -> SimpleNamespace:
        return SimpleNamespace(label=self._chip.label)

    def line_offset_from_id(self, line: int | str) -> int:
        return self._chip.offset(line)
