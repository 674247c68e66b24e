"""How a route waits for what a thread of the box promised."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TypeVar

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
