"""A body of one media type, read to its limit and not beyond, one at a time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from device.api.problems import BAD_REQUEST, MEDIA_TYPE_REFUSED, SLOW, TOO_LARGE, Refused
from device.core.errors import BusyError

PROBLEMS = (BAD_REQUEST, MEDIA_TYPE_REFUSED, SLOW, TOO_LARGE, BusyError.slug)
"""What :meth:`WholeBody.receive` may answer with."""


class WholeBody:
    """
    Receives bodies of at most *max_bytes*.

    Args:
        media_type: The one that is taken.
        max_bytes: Largest body.
        timeout_s: Seconds for all of it.

    Threads: the event loop's.
    """

    def __init__(self, media_type: str, *, max_bytes: int, timeout_s: float = 60.0) -> None:
        self._media_type = media_type
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._is_taken = False

    async def receive(self, request: Request) -> bytes:
        """
        Return the body.

        Raises:
            Refused: Another media type, too many bytes, too slow, or it breaks off.
            BusyError: Another one is on its way.
        """
        self._check(request)
        if self._is_taken:
            raise BusyError("another one is being received; try again in a minute")
        self._is_taken = True
        try:
            return await asyncio.wait_for(self._limited(request), self._timeout_s)
        except asyncio.TimeoutError:
            raise Refused(
                SLOW,
                f"upload refused: expected all of it within {self._timeout_s:g} s; check the "
                "connection",
                {"Connection": "close"},
            ) from None
        except ClientDisconnect:
            raise Refused(BAD_REQUEST, "upload refused: the connection broke off") from None
        finally:
            self._is_taken = False

    def _check(self, request: Request) -> None:
        stated = request.headers.get("content-type", "")
        encoding = request.headers.get("content-encoding", "identity").lower()
        if stated.partition(";")[0].strip().lower() != self._media_type or encoding != "identity":
            raise Refused(
                MEDIA_TYPE_REFUSED,
                f"upload refused: expected Content-Type {self._media_type} and no "
                f"Content-Encoding, found {stated!r} and {encoding!r}",
            )
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise self._too_large(length)

    async def _limited(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_bytes:
                raise self._too_large("more")
        return bytes(body)

    def _too_large(self, found: str) -> Refused:
        return Refused(
            TOO_LARGE, f"upload refused: expected at most {self._max_bytes} bytes, found {found}"
        )
