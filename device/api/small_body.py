"""A small JSON body, read to its limit and not beyond."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from device.api.problems import (
    BAD_REQUEST,
    INVALID,
    MEDIA_TYPE_REFUSED,
    SLOW,
    TOO_LARGE,
    Refused,
)

JSON_TYPES = ("application/json", "application/merge-patch+json")
PROBLEMS = (BAD_REQUEST, INVALID, MEDIA_TYPE_REFUSED, SLOW, TOO_LARGE)
"""What :func:`receive` may answer with."""
MAX_BYTES = 16 * 1024
TIMEOUT_S = 10.0

Model = TypeVar("Model", bound=BaseModel)


def described(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body of *model*, which refers to no other, for the OpenAPI document."""
    schema = model.model_json_schema()
    return {
        "requestBody": {
            "required": True,
            "content": {media_type: {"schema": schema} for media_type in JSON_TYPES},
        }
    }


async def receive(request: Request, model: type[Model], *, timeout_s: float = TIMEOUT_S) -> Model:
    """
    Read and check the body.

    Raises:
        Refused: Another media type, too many bytes, too slow, or no such object.
    """
    stated = request.headers.get("content-type", "")
    if stated.partition(";")[0].strip().lower() not in JSON_TYPES:
        raise Refused(
            MEDIA_TYPE_REFUSED,
            f"body refused: expected Content-Type {' or '.join(JSON_TYPES)}, found {stated!r}",
        )
    try:
        body = await asyncio.wait_for(_limited(request), timeout_s)
    except asyncio.TimeoutError:
        raise Refused(
            SLOW,
            f"body refused: expected all of it within {timeout_s:g} s; check the connection",
            {"Connection": "close"},
        ) from None
    except ClientDisconnect:
        raise Refused(BAD_REQUEST, "body refused: the connection broke off") from None
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        faults = [
            f"{'.'.join(['body', *map(str, fault['loc'])])}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise Refused(INVALID, "; ".join(faults)) from None


async def _limited(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Refused(
                TOO_LARGE, f"body refused: expected at most {MAX_BYTES} bytes, found more"
            )
    return bytes(body)
