"""``/model``: what answers here, and all that it was promised to be."""

from __future__ import annotations

from fastapi import APIRouter

from device.api.schemas import ModelContract, responses
from device.core.ports import Appliance


def add_routes(router: APIRouter, appliance: Appliance) -> None:
    """Add the route that shows the contract of *appliance*'s model."""
    contract = ModelContract.of(appliance.manifest, appliance.identity)

    @router.head("/model", include_in_schema=False)
    @router.get("/model", tags=["model"], summary="The model's contract", responses=responses())
    async def model() -> ModelContract:
        """Show the contract as it stands in the model file, and the file's SHA-256."""
        return contract
