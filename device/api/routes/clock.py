"""``/clock``: what time the box believes it is, and an admin who knows better."""

from __future__ import annotations

from fastapi import APIRouter, Request

from device.api import small_body
from device.api.caller import caller_of
from device.api.routes.results import OF_THE_BOX
from device.api.schemas import responses
from device.api.waiting import outcome
from device.core.clock import ClockChange, ClockDocument, ClockWish
from device.core.errors import ClockError, ClockKeptError
from device.core.ports import Appliance


def add_routes(router: APIRouter, appliance: Appliance) -> None:
    """Add the routes of the clock of *appliance*."""
    clock, history = appliance.clock, appliance.history

    @router.head("/clock", include_in_schema=False)
    @router.get(
        "/clock",
        tags=["state"],
        summary="What time the box believes it is",
        responses=responses(),
    )
    async def read_clock() -> ClockDocument:
        """Tell the time of day, who set it, and whether it is to be believed."""
        return clock.read()

    @router.put(
        "/clock",
        tags=["administration"],
        summary="Set the clock",
        responses=responses(
            ClockError.slug, ClockKeptError.slug, *small_body.PROBLEMS, *OF_THE_BOX
        ),
        openapi_extra=small_body.described(ClockWish),
    )
    async def set_clock(request: Request) -> ClockChange:
        """
        Set the machine's clock, and its clock chip; from then on the times of results are trusted.

        For a box without a network, whose clock nobody else sets. Results that are too old by the
        new time are erased as `history.keep_days` says.
        """
        wish = await small_body.receive(request, ClockWish)
        change = clock.set(wish.now)
        times = f"{change.before:%Y-%m-%dT%H:%M:%SZ} to {wish.now:%Y-%m-%dT%H:%M:%SZ}"
        await outcome(history.note("clock set", times, actor=caller_of(request).name))
        return change
