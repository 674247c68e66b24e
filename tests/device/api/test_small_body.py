"""A small body: senders who fall silent or go away."""

import asyncio

import pytest
from starlette.requests import Request

from device.api import small_body
from device.api.problems import Refused
from device.core.results import Annotation

pytestmark = pytest.mark.portable


def request(*messages):
    """A request whose body arrives as these messages, and then nothing more."""
    left = list(messages)

    async def receive():
        if left:
            return left.pop(0)
        return await asyncio.Event().wait()

    headers = [(b"content-type", b"application/json")]
    return Request({"type": "http", "method": "PATCH", "headers": headers}, receive)


def refusal(*messages):
    with pytest.raises(Refused) as caught:
        asyncio.run(small_body.receive(request(*messages), Annotation, timeout_s=0.05))
    return caught.value


def test_a_sender_who_falls_silent_is_not_waited_for():
    refused = refusal({"type": "http.request", "body": b"{", "more_body": True})
    assert refused.slug == "slow-upload"
    assert refused.headers == {"Connection": "close"}


def test_a_sender_who_goes_away_is_forgotten():
    assert refusal({"type": "http.disconnect"}).slug == "bad-request"


def test_a_refusal_does_not_repeat_what_was_sent():
    """It may be a patient's name, and problems are logged by clients."""
    message = {"type": "http.request", "body": b'{"patient_reference": "/Jane Doe/"}'}
    assert "Jane" not in refusal(message).detail
