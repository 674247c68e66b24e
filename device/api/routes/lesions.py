"""``/lesions``: the results of one lesion over time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from device.api import problems
from device.api.routes.results import OF_THE_BOX, ONE, USUAL, Cursor, Limit
from device.api.schemas import responses
from device.api.waiting import outcome
from device.core.document import Document
from device.core.ports import Appliance
from device.core.results import LesionDocument, LesionPage, Reference


class LesionQuery(Document):
    """Whose lesions, from where on, and how many."""

    patient_reference: Reference | None = Field(default=None, description="Exactly this one.")
    cursor: Cursor | None = Field(default=None, description="`next` of the page before.")
    limit: Limit = Field(default=USUAL, description="Most lesions of the page.")


class PatientQuery(Document):
    """Whose lesion."""

    patient_reference: Reference | None = Field(
        default=None, description="Left out, only results without a patient are meant."
    )


def add_routes(router: APIRouter, appliance: Appliance) -> None:
    """Add the routes that show the lesions in the history of *appliance*."""
    history = appliance.history

    @router.head("/lesions", include_in_schema=False)
    @router.get(
        "/lesions",
        tags=["lesions"],
        summary="Lesions, the one with the newest result first",
        responses=responses(problems.INVALID, *OF_THE_BOX),
    )
    async def list_lesions(query: Annotated[LesionQuery, Query()]) -> LesionPage:
        """List the lesions that results name by `lesion_reference`."""
        return await outcome(
            history.lesions(
                patient_reference=query.patient_reference, cursor=query.cursor, limit=query.limit
            )
        )

    @router.head("/lesions/{lesion_reference}", include_in_schema=False)
    @router.get(
        "/lesions/{lesion_reference}",
        tags=["lesions"],
        summary="One lesion over time",
        responses=responses(*ONE),
    )
    async def one_lesion(
        lesion_reference: Reference, query: Annotated[PatientQuery, Query()]
    ) -> LesionDocument:
        """Return a lesion's results in their order, to be shown side by side."""
        return await outcome(
            history.lesion(lesion_reference, patient_reference=query.patient_reference)
        )
