"""``/state``, ``/board`` and ``/events``: how the box is, once or all the time."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from device.api.listening import MEDIA_TYPE, EventStream, Listeners
from device.api.schemas import responses
from device.core.board import BoardDocument
from device.core.ports import Appliance
from device.core.state import StateDocument


def add_routes(router: APIRouter, appliance: Appliance, *, listeners: Listeners) -> None:
    """Add the routes that tell what goes on in *appliance*."""

    @router.head("/state", include_in_schema=False)
    @router.get("/state", tags=["state"], summary="How the box is right now", responses=responses())
    async def state() -> StateDocument:
        """Tell what is known without trying anything; `/readyz` tries."""
        return appliance.state()

    @router.head("/board", include_in_schema=False)
    @router.get(
        "/board",
        tags=["state"],
        summary="How the board fares: heat, supply, room",
        responses=responses(),
    )
    async def board() -> BoardDocument:
        """Tell temperatures, what holds the board back, and how much room its disk has."""
        return appliance.board()

    @router.get(
        "/events",
        tags=["state"],
        summary="What happens from now on",
        responses=responses("busy", media_type=MEDIA_TYPE),
        response_class=Response,
    )
    async def events(request: Request) -> EventStream:
        """
        Send `state` at once and with each change, `result` with each answer.

        The data of `state` is what `/state` says, that of `result` what `/classify` answers. A
        listener that reads too slowly gets `missed` and the end.
        """
        return listeners.stream(request.state.is_admitted)
