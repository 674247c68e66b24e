"""Serve an application until a signal says stop."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn

# The h11 with which uvicorn itself works.
from uvicorn.protocols.http.h11_impl import H11Protocol, h11

from device.core.errors import AccessError
from device.core.ports import Application

_LARGEST_HEADER_BYTES = 16 * 1024
_IDLE_CONNECTION_S = 5
_GRACE_S = 5
MOST_CONNECTIONS = 64
"""Open at the same time."""
_LOOP = f"{__name__}:Loop"
_BACKLOG = 32
"""asyncio takes so many in one go, and again until the first of them is turned away: five times as
many, and those that stay, must be below the files that a process may have open (mostly 1024)."""
HANDSHAKE_TIMEOUT_S = 5.0
"""Seconds in which a client must have agreed on TLS; until then its connection is not counted."""
_GOODBYE_TIMEOUT_S = 1.0
"""Seconds for a client to take leave of TLS."""
UNREAD_TIMEOUT_S = 30.0
"""Seconds after which the kernel drops a client that does not take what it is sent."""
HEAD_TIMEOUT_S = 10.0
"""Seconds for the head of a request, from the moment when the connection waits for one."""
UNREAD_BODY_S = 5.0
"""Seconds for the rest of a body after its request was answered without it."""


class Connection(H11Protocol):
    """
    Closes a connection that is one too many, or whose next request does not come to the point.

    Threads: the event loop's.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _body_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it at once."""
        # A cast, because uvicorn asks for more than asyncio's protocol promises.
        super().connection_made(cast("asyncio.Transport", transport))
        if len(self.connections) > MOST_CONNECTIONS:
            self.transport.abort()
        else:
            bound_unread(self.transport.get_extra_info("socket"))
            if sys.version_info < (3, 11) and self.transport.get_extra_info("ssl_object"):
                bound_goodbye(self.transport, self.loop)
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its timers."""
        super().connection_lost(exc)
        self._stop_timer()
        if self._body_timer is not None:
            self._body_timer.cancel()

    def handle_events(self) -> None:
        """Go on with what has come."""
        super().handle_events()
        self._watch_head()

    def on_response_complete(self) -> None:
        """Wait no longer than a moment for the rest of a body that was answered without it."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and self._body_timer is None:
            self._body_timer = self.loop.call_later(UNREAD_BODY_S, self._end_unread)

    def _end_unread(self) -> None:
        self._body_timer = None
        # Uvicorn's cycle knows of the request that was read last, perhaps the one after.
        if self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as all else is answered; no middleware ever sees it."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            # What device.api.problems says of bad-request; the neighbour is not imported here.
            body = {
                "type": "urn:problem-type:edgederm:bad-request",
                "title": "The request is malformed",
                "status": 400,
                "detail": f"{msg} Expected HTTP/1.1; fix the client.",
                "code": "bad-request",
            }
            headers = {
                "Content-Type": "application/problem+json",
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Connection": "close",
            }
            answer = h11.Response(
                status_code=400, headers=list(headers.items()), reason=b"Bad Request"
            )
            for event in (answer, h11.Data(data=json.dumps(body).encode()), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What is called on the event loop; none of it may wait."""

    started: Callable[[], None] = lambda: None
    """The server listens."""
    turned: Callable[[], None] = lambda: None
    """The loop turns."""
    turn_every_s: float | None = None
    """Seconds between two calls of *turned*; None for never."""
    stopping: Callable[[], None] = lambda: None
    """The end begins: what never ends by itself shall end."""


class _Server(uvicorn.Server):
    """
    Returns after a signal; uvicorn's own raises it again, and the process ends with all open.

    Args:
        config: For uvicorn.
        hooks: What is called on the loop.

    Threads: the main one, where Python delivers signals.
    """

    def __init__(self, config: uvicorn.Config, *, hooks: Hooks) -> None:
        super().__init__(config)
        self._hooks = hooks

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, say so, and turn from then on."""
        await super().startup(sockets)
        if not self.should_exit:
            self._hooks.started()
            self._turn()

    def _turn(self) -> None:
        if self._hooks.turn_every_s is not None:
            self._hooks.turned()
            asyncio.get_running_loop().call_later(self._hooks.turn_every_s, self._turn)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell those who listen, then stop as uvicorn does."""
        self._hooks.stopping()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Stop in order; at a second signal without waiting for requests."""
        self.force_exit = self.should_exit
        self.should_exit = True


class Loop(asyncio.SelectorEventLoop):
    """The usual loop, less patient with those who begin or end TLS and do not go on."""

    async def create_server(self, *arguments: Any, **options: Any) -> asyncio.Server:
        """Bound how long a server that speaks TLS waits for its clients."""
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = HANDSHAKE_TIMEOUT_S
            if sys.version_info >= (3, 11):  # For earlier ones see bound_goodbye.
                options["ssl_shutdown_timeout"] = _GOODBYE_TIMEOUT_S
        return await super().create_server(*arguments, **options)


def bound_unread(connection: socket.socket) -> None:
    """Let the kernel drop a client that takes nothing; without it an answer could wait for ever."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_TIMEOUT_S * 1000))


def bound_goodbye(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
    """Bound how long a close waits for the client to take leave of TLS; Python 3.10 does not."""
    close = transport.close

    def close_in_time() -> None:
        close()
        loop.call_later(_GOODBYE_TIMEOUT_S, transport.abort)

    transport.close = close_in_time  # type: ignore[method-assign] # of this one alone


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """
    Make what the server shows to its clients: TLS 1.2 and 1.3, nothing older.

    Raises:
        AccessError: The files cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        # A password would be asked for on a terminal that no daemon has.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise AccessError(
            f"tls: expected a certificate in {certificate} and its key, without a password, in "
            f"{key}, found {getattr(error, 'strerror', None) or error}"
        ) from error
    return context


def serve(
    application: Application,
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None = None,
    hooks: Hooks | None = None,
) -> None:
    """
    Run the HTTP loop on this thread; returns after SIGINT or SIGTERM, requests finished.

    Args:
        application: From ``device.api``.
        host: Address to listen on.
        port: 0 lets the system choose.
        tls: From :func:`tls_context`; then nothing is answered without TLS.
        hooks: What is called on the loop.
    """
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        loop=_LOOP,
        http=Connection,
        ws="none",
        lifespan="off",
        backlog=_BACKLOG,
        # Who asked is no business of the journal's; answers are counted elsewhere.
        access_log=False,
        log_level="info",
        # Nothing stands before this server whose word on addresses could be believed.
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=_LARGEST_HEADER_BYTES,
        timeout_keep_alive=_IDLE_CONNECTION_S,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_context_factory=None if tls is None else lambda _config, _make: tls,
    )
    _Server(config, hooks=hooks or Hooks()).run()
