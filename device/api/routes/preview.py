"""``/preview.jpg``: what the camera sees now, for whoever holds the lens."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from device.api.schemas import responses
from device.api.waiting import outcome
from device.core.ports import Appliance

MEDIA_TYPE = "image/jpeg"


def add_routes(router: APIRouter, appliance: Appliance) -> None:
    """Add the route that shows what the camera of *appliance* sees."""

    @router.get(
        "/preview.jpg",
        tags=["classify"],
        summary="What the camera sees now",
        responses=responses("camera", "busy", "not-ready", media_type=MEDIA_TYPE),
        response_class=Response,
    )
    async def preview() -> Response:
        """
        Show a small frame, at most five a second for all who look together.

        Nothing is scored, and nothing is kept.  The camera rests while nobody asks.
        """
        return Response(
            await outcome(appliance.frames.preview()),
            media_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store"},
        )
