"""
Take a picture out of a request: as the whole body, or as a form's one part named ``file``.

The body is read piece by piece, at most *max_bytes* of it, and stays in memory: no temporary
file of somebody's skin is ever written.  What the media type says about the picture is not
believed; the bytes decide later.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from device.api.problems import (
    BAD_REQUEST,
    MEDIA_TYPE_REFUSED,
    SLOW,
    TOO_LARGE,
    Refused,
)
from device.core.errors import BusyError

PICTURE_TYPES = ("image/jpeg", "image/png")
FORM_TYPE = "multipart/form-data"
FORM_PART = "file"
UPLOADS_AT_ONCE = 4
"""Bodies that are received at the same time; with the limit of one they bound the memory."""
TIMEOUT_S = 30.0
"""Seconds for a whole body, 16 MiB over 5 Mbit/s, and for waiting to be received.  A sender that
fell silent must not keep its place for ever."""


class Uploads:
    """
    Receives bodies, a few at a time; the others wait.

    Args:
        max_bytes: Largest body, a form's envelope included.
        timeout_s: Seconds for one body, and for its turn to come.
        at_once: Bodies that are received at the same time.

    Threads: the event loop's.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_s: float = TIMEOUT_S,
        at_once: int = UPLOADS_AT_ONCE,
    ) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(at_once)

    async def receive(self, request: Request) -> bytes:
        """
        Return the picture's bytes, which may be none at all.

        Raises:
            Refused: Too many bytes, the wrong media type, a malformed form, a body that breaks
                off or takes too long.
            BusyError: Its turn did not come in time.
        """
        media_type, boundary = self._checked_headers(request)
        async with self._place():
            body = self._limited(request)
            reading = _whole(body) if media_type in PICTURE_TYPES else _form_file(body, boundary)
            try:
                return await asyncio.wait_for(reading, self._timeout_s)
            except asyncio.TimeoutError:
                raise Refused(
                    SLOW,
                    f"upload refused: expected all of it within {self._timeout_s:g} s; check the "
                    "connection",
                    {"Connection": "close"},
                ) from None
            except ClientDisconnect:
                # Nobody is left to read this; the request just ends without a trace in the log.
                raise Refused(BAD_REQUEST, "upload refused: the connection broke off") from None

    def _checked_headers(self, request: Request) -> tuple[str, bytes]:
        """Refuse what the headers alone give away; return media type and form boundary."""
        stated = request.headers.get("content-type", "")
        kind, options = parse_options_header(stated)
        media_type = kind.decode("latin-1").lower()
        if media_type not in (*PICTURE_TYPES, FORM_TYPE):
            raise Refused(
                MEDIA_TYPE_REFUSED,
                f"upload refused: expected Content-Type {', '.join(PICTURE_TYPES)} or "
                f"{FORM_TYPE}, found {stated!r}",
            )
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            raise Refused(
                MEDIA_TYPE_REFUSED,
                f"upload refused: expected a body without Content-Encoding, found {encoding!r}",
                {"Accept-Encoding": "identity"},
            )
        boundary = options.get(b"boundary", b"")
        if media_type == FORM_TYPE and not boundary:
            raise _malformed("expected a boundary in Content-Type, found none")
        stated_length = request.headers.get("content-length", "")
        if stated_length.isdecimal() and int(stated_length) > self._max_bytes:
            raise self._too_large(stated_length)
        return media_type, boundary

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Wait in turn; what is not received yet waits with its sender and costs nothing here."""
        try:
            await asyncio.wait_for(self._places.acquire(), self._timeout_s)
        except asyncio.TimeoutError:
            raise BusyError("too many uploads are on their way; try again in a moment") from None
        try:
            yield
        finally:
            self._places.release()

    async def _limited(self, request: Request) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > self._max_bytes:
                raise self._too_large("more")
            yield chunk

    def _too_large(self, found: str) -> Refused:
        return Refused(
            TOO_LARGE,
            f"upload refused: expected at most {self._max_bytes} bytes, found {found}; send a "
            "smaller picture",
        )


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    # BytesIO hands its content out without another copy.
    received = io.BytesIO()
    async for chunk in body:
        received.write(chunk)
    return received.getvalue()


async def _form_file(body: AsyncIterator[bytes], boundary: bytes) -> bytes:
    form = _Form()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.begin_part,
                "on_header_field": form.header_name,
                "on_header_value": form.header_value,
                "on_header_end": form.end_header,
                "on_headers_finished": form.end_headers,
                "on_part_data": form.data,
                "on_end": form.end,
            },
        )
        async for chunk in body:
            parser.write(chunk)
    except FormParserError as error:
        raise _malformed(f"expected {FORM_TYPE}, found something else ({error})") from error
    return form.file()


class _Form:
    """What the parser finds; a form that is not one file is refused as soon as it shows."""

    def __init__(self) -> None:
        self._file: io.BytesIO | None = None
        self._name = b""
        self._value = b""
        self._disposition = b""
        self._is_whole = False

    def begin_part(self) -> None:
        self._disposition = b""

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name != FORM_PART:
            raise _malformed(f"expected one part named {FORM_PART!r}, found a part named {name!r}")
        if self._file is not None:
            raise _malformed(f"expected one part named {FORM_PART!r}, found several")
        self._file = io.BytesIO()

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])

    def end(self) -> None:
        self._is_whole = True

    def file(self) -> bytes:
        if self._file is None:
            raise _malformed(f"expected one part named {FORM_PART!r}, found none")
        if not self._is_whole:
            raise _malformed("expected a whole form, found one that ends early")
        return self._file.getvalue()


def _malformed(what: str) -> Refused:
    return Refused(BAD_REQUEST, f"upload refused: {what}")
