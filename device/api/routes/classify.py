"""``/classify``: a frame of the camera, or an uploaded picture, becomes an answer."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from fastapi import APIRouter, Request

from device.api import problems
from device.api.schemas import ANSWER_EXAMPLES, responses
from device.api.upload import FORM_PART, FORM_TYPE, PICTURE_TYPES, Uploads
from device.api.waiting import outcome
from device.core.document import AnswerDocument
from device.core.errors import CameraError, DecodeError, DecodeFault
from device.core.ports import Appliance
from device.core.values import Capture

SOURCE = "upload"
_OF_THE_BOX = ("busy", "not-ready", "model", "history")
_OF_THE_PICTURE = tuple(f"{DecodeError.slug}-{fault.value}" for fault in DecodeFault)
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **{
                media_type: {"schema": {"type": "string", "contentMediaType": media_type}}
                for media_type in PICTURE_TYPES
            },
            FORM_TYPE: {
                "schema": {
                    "type": "object",
                    "required": [FORM_PART],
                    "properties": {
                        FORM_PART: {
                            "type": "string",
                            "contentMediaType": "application/octet-stream",
                        }
                    },
                    "additionalProperties": False,
                }
            },
        },
    }
}


def add_routes(router: APIRouter, appliance: Appliance, *, uploads: Uploads) -> None:
    """Add the routes that ask *appliance* for answers."""

    @router.get(
        "/classify",
        tags=["classify"],
        summary="Capture a frame and classify it",
        responses=responses("camera", *_OF_THE_BOX, examples=ANSWER_EXAMPLES),
    )
    async def classify_frame() -> AnswerDocument:
        """Expose a frame after this request arrived, and answer for it."""
        capture = await outcome(appliance.frames.request())
        try:
            answer = await outcome(appliance.examiner.submit(capture))
        except DecodeError as error:
            # The client sent no picture, so it is not the client who can send a better one.
            raise CameraError(
                f"the camera ({capture.source}) delivered what cannot be scored: {error}"
            ) from error
        return AnswerDocument.from_answer(answer)

    @router.post(
        "/classify",
        tags=["classify"],
        summary="Classify an uploaded picture",
        responses=responses(
            problems.SLOW,
            problems.TOO_LARGE,
            problems.MEDIA_TYPE_REFUSED,
            *_OF_THE_PICTURE,
            *_OF_THE_BOX,
            examples=ANSWER_EXAMPLES,
        ),
        openapi_extra=_BODY,
    )
    async def classify_upload(request: Request) -> AnswerDocument:
        """Answer for a JPEG or PNG file: the whole body, or the form's one part `file`."""
        arrived_at = datetime.now(timezone.utc)
        encoded = await uploads.receive(request)
        capture = Capture(source=SOURCE, captured_at=arrived_at, encoded=encoded)
        return AnswerDocument.from_answer(await outcome(appliance.examiner.submit(capture)))
