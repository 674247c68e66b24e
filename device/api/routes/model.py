"""``/model``: what answers here, all that it was promised to be, and another one in its place."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from device.api import problems
from device.api.caller import caller_of
from device.api.schemas import ModelContract, responses
from device.api.waiting import outcome
from device.api.whole_body import PROBLEMS, WholeBody
from device.bundle.bundle import MOST_BYTES
from device.core.document import Document
from device.core.errors import BundleError, BundleFault, UpdateError
from device.core.ports import Appliance
from device.core.state import InstalledModel

BUNDLE_TYPE = "application/octet-stream"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {BUNDLE_TYPE: {"schema": {"type": "string", "contentMediaType": BUNDLE_TYPE}}},
    }
}
_OF_THE_BUNDLE = tuple(f"{BundleError.slug}-{fault.value}" for fault in BundleFault)


class InstallQuery(Document):
    """How a model is taken."""

    force: Literal["true", "false"] = Field(
        default="false", description="`true` takes a version too that is not newer."
    )


def add_routes(router: APIRouter, appliance: Appliance) -> None:
    """Add the routes that show and exchange *appliance*'s model."""
    contract = ModelContract.of(appliance.manifest, appliance.identity)
    bundles = WholeBody(BUNDLE_TYPE, max_bytes=MOST_BYTES)

    @router.head("/model", include_in_schema=False)
    @router.get("/model", tags=["model"], summary="The model's contract", responses=responses())
    async def model() -> ModelContract:
        """Show the contract as it stands in the model file, and the file's SHA-256."""
        return contract

    @router.put(
        "/model",
        tags=["model"],
        summary="Install a signed model",
        responses=responses(problems.INVALID, *PROBLEMS, *_OF_THE_BUNDLE, UpdateError.slug),
        openapi_extra=_BODY,
    )
    async def install(query: Annotated[InstallQuery, Query()], request: Request) -> InstalledModel:
        """
        Take the bundle that is the whole body, prove its model, and restart with it, on trial.

        The box answers pictures meanwhile. If the model fails within its trial, the box returns to
        the one before by itself.
        """
        content = await bundles.receive(request)
        installing = appliance.models.install(
            content, force=query.force == "true", actor=caller_of(request).name
        )
        return await outcome(installing)
