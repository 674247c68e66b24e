"""Tells whoever listens of every answer, once nobody can take it back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from device.core.values import Answer, Capture


class Bulletin:
    """
    Fills the role ``Bulletin``.

    Args:
        record: Commits an answer to the history; raises if that fails, and then nobody hears of
            it.

    Threads: any.
    """

    def __init__(self, record: Callable[[Capture, Answer], Answer]) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._listeners: dict[int, Callable[[Answer | None], None]] = {}
        self._numbers = 0
        self._is_over = False

    def record(self, capture: Capture, answer: Answer) -> Answer:
        """Commit an answer, then tell it."""
        recorded = self._record(capture, answer)
        self._tell(recorded)
        return recorded

    def listen(self, hear: Callable[[Answer | None], None]) -> Callable[[], None]:
        """See ``device.core.ports.Bulletin``."""
        with self._lock:
            self._numbers += 1
            number = self._numbers
            self._listeners[number] = hear
            is_over = self._is_over
        if is_over:
            hear(None)
        return partial(self._forget, number)

    def close(self) -> None:
        """Tell everybody that nothing will come any more."""
        with self._lock:
            self._is_over = True
        self._tell(None)

    def _forget(self, number: int) -> None:
        with self._lock:
            self._listeners.pop(number, None)

    def _tell(self, answer: Answer | None) -> None:
        with self._lock:
            listeners = tuple(self._listeners.values())
        for hear in listeners:
            hear(answer)
