"""``/metrics``: figures for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from device.api.schemas import responses
from device.api.waiting import SharedCheck
from device.core.ports import Figures


def add_routes(router: APIRouter, figures: Figures) -> None:
    """Add the route that hands out *figures*."""
    # A worn-out card may keep whoever asks for its free room waiting.
    text = SharedCheck(figures.text)

    @router.head("/metrics", include_in_schema=False)
    @router.get(
        "/metrics",
        tags=["state"],
        summary="Figures for Prometheus",
        responses=responses(media_type="text/plain"),
        response_class=Response,
    )
    async def metrics() -> Response:
        """Hand out what was counted since the start, and what the board says now."""
        return Response(await text.run(), media_type=figures.media_type)
