"""A body is received whole, in time and alone, or refused."""

import asyncio

import pytest
from starlette.requests import Request

from device.api.problems import Refused
from device.api.whole_body import WholeBody
from device.core.errors import BusyError

pytestmark = pytest.mark.portable

KIND = "application/octet-stream"


def request(receive):
    headers = [(b"content-type", KIND.encode())]
    return Request({"type": "http", "method": "PUT", "path": "/", "headers": headers}, receive)


async def never():
    await asyncio.Event().wait()


def test_a_sender_that_falls_silent_does_not_keep_its_place():
    async def work():
        bodies = WholeBody(KIND, max_bytes=10, timeout_s=0.01)
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                await bodies.receive(request(never))
            assert caught.value.slug == "slow-upload"
            assert caught.value.headers == {"Connection": "close"}

    asyncio.run(work())


def test_while_one_is_received_no_other_is():
    async def work():
        bodies = WholeBody(KIND, max_bytes=10)
        first = asyncio.ensure_future(bodies.receive(request(never)))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await bodies.receive(request(never))
        first.cancel()

    asyncio.run(work())


def test_a_connection_that_breaks_off_is_no_body():
    async def gone():
        return {"type": "http.disconnect"}

    async def work():
        with pytest.raises(Refused) as caught:
            await WholeBody(KIND, max_bytes=10).receive(request(gone))
        assert caught.value.slug == "bad-request"

    asyncio.run(work())
