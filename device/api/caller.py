"""Who sent a request, for the routes that keep it."""

from __future__ import annotations

from fastapi import Request

from device.core.access import Caller


def caller_of(request: Request) -> Caller:
    """Return whom the guard let in; a route that is public has none and must not ask."""
    caller = request.state.caller
    if not isinstance(caller, Caller):
        raise TypeError("expected a caller behind the guard, found nobody: the route is public")
    return caller


def address_of(request: Request) -> str:
    """Return the address at the other end, or a word for it where there is none."""
    return "unknown" if request.client is None else request.client.host
