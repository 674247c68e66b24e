"""
One who listens to the box: a bounded heap of news, and a stream of server-sent events.

The format is that of the HTML standard, "Server-sent events": lines ``event:`` and ``data:``, an
empty line behind each event, a line that begins with a colon is a comment.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from device.core.document import AnswerDocument
from device.core.errors import BusyError
from device.core.ports import Bulletin
from device.core.state import StateDocument
from device.core.values import Answer

MEDIA_TYPE = "text/event-stream"
MOST_LISTENERS = 16
"""At a time; each holds one of the box's 64 connections."""
MOST_NEWS = 32
"""Kept for one who reads slowly; then the stream ends, and the listener looks up what it missed."""
LOOK_S = 0.5
"""Seconds between two looks at the state, while somebody listens."""
HEARTBEAT_S = 15.0
"""Seconds without news after which a comment shows that the connection stands."""
_RETRY_MS = 3000


class Listeners:
    """
    Everybody who listens, a few at a time.

    Args:
        bulletin: Where answers are told.
        state: How the box is; must not wait.
        look_s: Seconds between two looks at the state.
        heartbeat_s: Seconds without news before a sign of life.

    Threads: the event loop's; news may come from any.
    """

    def __init__(
        self,
        bulletin: Bulletin,
        state: Callable[[], StateDocument],
        *,
        look_s: float = LOOK_S,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._bulletin = bulletin
        self._state = state
        self._look_s = look_s
        self._heartbeat_s = heartbeat_s
        self.count = 0

    def stream(self, is_admitted: Callable[[], bool]) -> EventStream:
        """
        Answer with what happens from now on.

        Args:
            is_admitted: Whether who listens may still do so; asked before anything is told.

        Raises:
            BusyError: Too many listen already.
        """
        if self.count >= MOST_LISTENERS:
            raise BusyError(
                f"expected fewer than {MOST_LISTENERS} listeners, found {self.count}; close a "
                "page that shows the box, or ask /state from time to time"
            )
        self.count += 1
        news = _News(asyncio.get_running_loop())
        stop = self._bulletin.listen(news.hear)

        def leave() -> None:
            stop()
            self.count -= 1

        return EventStream(self._events(news, is_admitted), leave)

    async def _events(self, news: _News, is_admitted: Callable[[], bool]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        yield f"retry: {_RETRY_MS}\n\n".encode()
        shown, told_s = "", loop.time()
        while not news.is_over and is_admitted():
            now = self._state().model_dump_json()
            if now != shown:
                shown, told_s = now, loop.time()
                yield _event("state", shown)
            while news.answers:
                told_s = loop.time()
                yield _event("result", _text(news.answers.popleft()))
            if news.is_lost:
                yield _event("missed", "{}")
                return
            if loop.time() - told_s >= self._heartbeat_s:
                told_s = loop.time()
                yield b":\n\n"
            await news.wait(self._look_s)


class EventStream(StreamingResponse):
    """
    A stream that always says when it is over, however it ends.

    Args:
        events: Already in the form of the wire.
        leave: Called once, at the end.
    """

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        super().__init__(events, media_type=MEDIA_TYPE)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until one of the two goes away."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


class _News:
    """What one listener has not been sent yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answers: deque[Answer] = deque()
        self.is_lost = False
        self.is_over = False
        self._loop = loop
        self._wake = asyncio.Event()

    def hear(self, answer: Answer | None) -> None:
        """Take an answer, or None when nothing will come any more; any thread."""
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody listens any more.
            self._loop.call_soon_threadsafe(self._take, answer)

    async def wait(self, longest_s: float) -> None:
        """Return with the next news, or after *longest_s* seconds."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._wake.wait(), longest_s)
        self._wake.clear()

    def _take(self, answer: Answer | None) -> None:
        if answer is None:
            self.is_over = True
        elif len(self.answers) < MOST_NEWS:
            self.answers.append(answer)
        else:
            self.is_lost = True
        self._wake.set()


def _text(answer: Answer) -> str:
    return AnswerDocument.from_answer(answer).model_dump_json()


def _event(name: str, data: str) -> bytes:
    # JSON as pydantic writes it holds no line end, so no text of anybody's begins a new event.
    return f"event: {name}\ndata: {data}\n\n".encode()
