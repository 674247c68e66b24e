"""
What holds for every request, whatever its address: who may ask, and what every answer carries.

A box in a room is asked by browsers as well, and a browser also runs other people's pages.
Four checks keep those out: the name by which the box was called (an attacker's name may point
to 127.0.0.1), the token, whether another site made the browser ask, and where a form came from.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from device.api import problems

PUBLIC_PATHS = frozenset({"/healthz"})
"""Answered without a token."""
WORKING_PATHS = frozenset({"/classify", "/readyz", "/results.csv"})
"""Even a GET makes camera or model work or leaves a trace, so no other site may cause one."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FOREIGN_SITES = frozenset({"cross-site", "same-site"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_LOG = logging.getLogger(__name__)


class Guard:
    """
    ASGI middleware around the whole application, and its outermost error handler.

    Args:
        app: What is guarded.
        token: That clients must send; None if none is needed.
        is_loopback: Whether only this machine can reach the server.  Then it answers only to
            the names of this machine.

    Threads: the event loop's.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, is_loopback: bool) -> None:
        self._app = app
        self._token_digest = None if token is None else _digest(token.encode())
        self._is_loopback = is_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens further in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                headers = MutableHeaders(scope=message)
                headers["Cache-Control"] = "no-store"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            self._check(scope["method"], scope["path"], Headers(scope=scope))
            await self._app(scope, receive, send_with_headers)
        except problems.Refused as refusal:
            await refusal.response()(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            # The server cancels what did not end within its grace, and nothing else does.
            if not has_started:
                await problems.stopping_response()(scope, receive, send_with_headers)
        except Exception:
            # One of the two broad handlers of the device: a bug ends here, as "no answer".
            _LOG.exception("event=api.internal method=%s", scope["method"])
            if has_started:
                raise  # Too late for another answer; the server ends the connection.
            await problems.internal_response()(scope, receive, send_with_headers)

    def _check(self, method: str, path: str, headers: Headers) -> None:
        """Raise Refused for a request that must not reach the application."""
        host = headers.get("host", "")
        if self._is_loopback and not is_this_machine(host):
            raise problems.Refused(
                problems.UNKNOWN_HOST,
                f"host refused: expected localhost, 127.0.0.1 or [::1], found {host!r}",
            )
        if path not in PUBLIC_PATHS:
            self._check_token(headers.get("authorization", ""))
        is_safe = method in _SAFE_METHODS
        if is_safe and path not in WORKING_PATHS:
            return
        origin = headers.get("origin")
        is_foreign = headers.get("sec-fetch-site", "").lower() in _FOREIGN_SITES
        if is_foreign or (not is_safe and origin is not None and not _same(origin, host)):
            raise problems.Refused(
                problems.CROSS_SITE,
                "refused: another web site made the browser ask; open this box's own address",
            )

    def _check_token(self, authorization: str) -> None:
        if self._token_digest is None:
            return
        scheme, _, given = authorization.partition(" ")
        # No more is stripped than HTTP itself does: a byte of UTF-8 may look like white space.
        # Digests have one length, so the comparison tells nothing about the token's.
        found = _digest(given.strip(" \t").encode("latin-1"))
        is_right = hmac.compare_digest(found, self._token_digest)
        if scheme.lower() == "bearer" and is_right:
            return
        challenge = 'Bearer realm="edgederm"'
        raise problems.Refused(
            problems.UNAUTHORIZED,
            "the token is not the one of this box"
            if given
            else "send the box's token as 'Authorization: Bearer ...'",
            {"WWW-Authenticate": f'{challenge}, error="invalid_token"' if given else challenge},
        )


def is_this_machine(host: str) -> bool:
    """Whether a ``Host`` header, with or without a port, names this machine and nothing else."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match[1].strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _same(origin: str, host: str) -> bool:
    """Whether a page of *origin* came from *host*; ``null`` came from nowhere."""
    _, separator, name = origin.partition("://")
    return bool(separator) and name.lower() == host.lower()


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
