"""How a route waits for what a thread of the box promised, or for what would block the loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Generic, TypeVar

from device.core.errors import NotReadyError

T = TypeVar("T")


async def outcome(future: Future[T]) -> T:
    """
    Wait for a port's future.

    A request is cancelled at the end of the box alone; then the work is given up with it, unless
    it is under way.

    Raises:
        NotReadyError: The part gave the work up.
    """
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if waiting.cancelled():
            raise NotReadyError("the box is stopping; ask again in a moment") from None
        waiting.cancel()
        raise


class SharedCheck(Generic[T]):
    """
    Runs a slow check in a thread, once at a time; whoever asks meanwhile shares the result.

    Args:
        check: May block for as long as a capture takes.

    Threads: the event loop's; *check* runs in one of its own, for which the end of the process
    does not wait, as it would for the loop's pool.
    """

    def __init__(self, check: Callable[[], T]) -> None:
        self._check = check
        self._running: asyncio.Future[T] | None = None

    async def run(self) -> T:
        """Result of the check that runs now, or of a fresh one."""
        if self._running is None:
            self._running = asyncio.get_running_loop().create_future()
            self._running.add_done_callback(self._forget)
            threading.Thread(
                target=self._work, args=(self._running,), name="check", daemon=True
            ).start()
        # One who goes away does not take the check from the others.
        return await asyncio.shield(self._running)

    def _work(self, running: asyncio.Future[T]) -> None:
        tell: Callable[[], None]
        try:
            tell = partial(running.set_result, self._check())
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            tell = partial(running.set_exception, error)
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            running.get_loop().call_soon_threadsafe(tell)

    def _forget(self, _done: asyncio.Future[T]) -> None:
        self._running = None
