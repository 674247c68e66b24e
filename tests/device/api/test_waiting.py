"""A route waits for what a thread promised, and gives it up when nobody waits any more."""

import asyncio
import logging
from concurrent.futures import Future

import pytest

from device.api.waiting import outcome
from device.core.errors import DecodeError, DecodeFault, NotReadyError

pytestmark = pytest.mark.portable


def test_work_that_was_given_up_is_not_ready():
    """A future that its part cancelled must not look like a request that was cancelled."""

    async def ask():
        future = Future()
        future.cancel()
        with pytest.raises(NotReadyError, match="stopping"):
            await outcome(future)

    asyncio.run(ask())


@pytest.mark.parametrize("is_running", [True, False])
def test_work_for_a_request_that_was_cancelled_is_given_up_unless_it_runs(is_running, caplog):
    """What comes of it may even come after the loop has closed."""
    future = Future()
    if is_running:
        future.set_running_or_notify_cancel()

    async def ask():
        request = asyncio.ensure_future(outcome(future))
        await asyncio.sleep(0)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    asyncio.run(ask())
    assert future.cancelled() != is_running
    if is_running:
        future.set_exception(DecodeError(DecodeFault.EMPTY, "too late for anybody to read"))
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
