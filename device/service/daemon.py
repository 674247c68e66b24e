"""Serve an application until a signal says stop."""

from __future__ import annotations

import asyncio
import json
from types import FrameType
from typing import cast

import uvicorn

# The h11 with which uvicorn itself works.
from uvicorn.protocols.http.h11_impl import H11Protocol, h11

from device.core.ports import Application

_LARGEST_HEADER_BYTES = 16 * 1024
_IDLE_CONNECTION_S = 5
_GRACE_S = 5
MOST_CONNECTIONS = 64
"""Open at the same time."""
_BACKLOG = 32
"""asyncio takes so many in one go, and again until the first of them is turned away: five times as
many, and those that stay, must be below the files that a process may have open (mostly 1024)."""
HEAD_TIMEOUT_S = 10.0
"""Seconds for the head of a request, from the moment when the connection waits for one."""


class Connection(H11Protocol):
    """
    Closes a connection that is one too many, or whose next request does not come to the point.

    Threads: the event loop's.
    """

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it at once."""
        super().connection_made(cast("asyncio.Transport", transport))
        if len(self.connections) > MOST_CONNECTIONS:
            self.transport.abort()
        else:
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its timer."""
        super().connection_lost(exc)
        self._stop_timer()

    def handle_events(self) -> None:
        """Go on with what has come."""
        super().handle_events()
        self._watch_head()

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


class _Server(uvicorn.Server):
    """
    Returns after a signal; uvicorn's own raises it again, and the process ends with all open.

    Threads: the main one, where Python delivers signals.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Stop in order; at a second signal without waiting for requests."""
        self.force_exit = self.should_exit
        self.should_exit = True


def serve(application: Application, *, host: str, port: int) -> None:
    """
    Run the HTTP loop on this thread; returns after SIGINT or SIGTERM, requests finished.

    Args:
        application: From ``device.api``.
        host: Address to listen on.
        port: 0 lets the system choose.
    """
    _Server(
        uvicorn.Config(
            application,
            host=host,
            port=port,
            loop="asyncio",
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
        )
    ).run()
