"""Serve an application until a signal says stop."""

from __future__ import annotations

from types import FrameType

import uvicorn

from device.core.ports import Application
from device.service.connection import MOST_CONNECTIONS, Connection

_LARGEST_HEADER_BYTES = 16 * 1024
_IDLE_CONNECTION_S = 5
_GRACE_S = 5


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
            # asyncio takes so many in one go, before the first of them can be turned away.
            backlog=MOST_CONNECTIONS,
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
