"""
Errors as the client sees them: one table from a slug to an RFC 9457 problem document.

A slug never changes its meaning; ``docs/rest.md`` tells what a client does about each.  No
server error but 503 exists here: either the box will answer in a moment, or it says which part
of it does not work.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from device.core.errors import AccessError, BundleError, DecodeError, EdgeDermError, NotReadyError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem-type:edgederm:"
BAD_REQUEST, CROSS_SITE, INTERNAL = "bad-request", "cross-site", "internal"
FORBIDDEN, THROTTLED, TOKEN_NOT_FOUND = "forbidden", "too-many-failures", "token-not-found"
INVALID, MEDIA_TYPE_REFUSED = "invalid-request", "media-type"
METHOD, NOT_FOUND, SLOW = "method-not-allowed", "not-found", "slow-upload"
TOO_LARGE, UNAUTHORIZED, UNKNOWN_HOST = "upload-too-large", "unauthorized", "unknown-host"

SLUG = "problem"
"""Under this name the state of a request keeps which problem it was answered with."""

_LOG = logging.getLogger(__name__)
_INTERNAL_DETAIL = "a fault of this box, not of your request; its log has the details"
_SOON_S = 1
"""Seconds until a queue has surely moved on."""
_LATER_S = 5
"""Seconds in which a camera may have been plugged in again, or a box have started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the table."""

    status: int
    title: str
    example: str
    """A ``detail`` as it may read, for the OpenAPI document."""
    retry_after_s: int | None = None
    """Seconds after which asking again makes sense; None if it does not."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # Of HTTP itself.
        BAD_REQUEST: Kind(
            status=400,
            title="The request is malformed",
            example="upload refused: expected one part named 'file', found a part named 'image'",
        ),
        UNAUTHORIZED: Kind(
            status=401,
            title="A token is needed",
            example="send the box's token as 'Authorization: Bearer ...', or log in",
        ),
        FORBIDDEN: Kind(
            status=403,
            title="The token's role does not allow this",
            example="refused: expected a token of the role admin, found one of the role read; ask "
            "whoever looks after the box",
        ),
        CROSS_SITE: Kind(
            status=403,
            title="Another web site may not ask this",
            example="refused: another web site made the browser ask; open this box's own address",
        ),
        NOT_FOUND: Kind(
            status=404, title="No such address", example="there is no /nowhere on this box"
        ),
        METHOD: Kind(
            status=405,
            title="This address does not do that",
            example="/model does not answer PUT; it answers GET, HEAD, OPTIONS",
        ),
        SLOW: Kind(
            status=408,
            title="The upload took too long",
            example="upload refused: expected all of it within 30 s; check the connection",
        ),
        TOO_LARGE: Kind(
            status=413,
            title="The upload has too many bytes",
            example="upload refused: expected at most 16777216 bytes, found 20971520; send a "
            "smaller picture",
        ),
        MEDIA_TYPE_REFUSED: Kind(
            status=415,
            title="This kind of body is not taken",
            example="upload refused: expected Content-Type image/jpeg, image/png or "
            "multipart/form-data, found 'application/json'",
        ),
        UNKNOWN_HOST: Kind(
            status=421,
            title="This box does not go by that name",
            example="host refused: expected localhost, 127.0.0.1 or [::1], found 'example.org'",
        ),
        INVALID: Kind(
            status=422,
            title="A value of the request is not understood",
            example="query.side: expected an integer",
        ),
        THROTTLED: Kind(
            status=429,
            title="Too many wrong tokens came from there",
            example="too many wrong tokens came from 192.168.1.20; try again in 6 s",
            retry_after_s=6,
        ),
        # Of the picture, one for each DecodeFault.
        "picture-empty": Kind(
            status=422,
            title="The picture has no bytes",
            example="picture refused: expected a file, found no bytes",
        ),
        "picture-too-large": Kind(
            status=413,
            title="The picture has too many pixels",
            example="picture refused: expected at most 25000000 pixels, found 8000 x 8000; send a "
            "smaller one",
        ),
        "picture-not-a-picture": Kind(
            status=422,
            title="The bytes are no JPEG or PNG file",
            example="picture refused: expected a JPEG or PNG file, found something else or a "
            "damaged header; send the camera's own file",
        ),
        "picture-truncated": Kind(
            status=422,
            title="The picture ends early or is damaged",
            example="picture refused: expected a whole file, found one that ends early or is "
            "damaged; send it again",
        ),
        "picture-unsupported": Kind(
            status=422,
            title="This kind of picture is not scored",
            example="picture refused: expected 8 bits a channel, found 16; convert it to an 8-bit "
            "RGB JPEG or PNG",
        ),
        "picture-too-small": Kind(
            status=422,
            title="The picture has too few pixels",
            example="picture refused: expected at least 64 pixels each way, found 32 x 32; send "
            "the camera's own file",
        ),
        # Of a model bundle, one for each BundleFault.
        "bundle-too-large": Kind(
            status=413,
            title="The model bundle has too many bytes",
            example="model bundle refused (too-large): expected at most 8388608 bytes, found "
            "9000000; this is no model for a small board",
        ),
        "bundle-signature": Kind(
            status=422,
            title="The model bundle's signature is not right",
            example="model bundle refused (signature): expected what the key CB28BE63129F174A "
            "signed, found something else; the file was damaged or changed on its way: get it "
            "again",
        ),
        "bundle-key": Kind(
            status=422,
            title="The box does not trust the key that signed the model bundle",
            example="model bundle refused (key): expected a key of /etc/edgederm/keys "
            "(CB28BE63129F174A), found EE6EB6E24CEA9F29; if you know whose it is, put its .pub "
            "file there",
        ),
        "bundle-malformed": Kind(
            status=422,
            title="The model bundle is signed, but has another form",
            example="model bundle refused (malformed): expected the member model.onnx at byte "
            "8192, found something else; make the bundle again with `python -m training bundle`",
        ),
        "bundle-incompatible": Kind(
            status=422,
            title="The model is of another generation",
            example="model bundle refused (incompatible): expected a model of the generation "
            "edgederm-contract-1, found 'edgederm-contract-2'; update the device's software, or "
            "export a model for this generation",
        ),
        "bundle-older": Kind(
            status=409,
            title="The model's version is not newer",
            example="model bundle refused (older): expected a version above 1.2.0, found 1.1.0; "
            "an older model may have been withdrawn: force it only if you know why",
        ),
        "bundle-proof": Kind(
            status=422,
            title="The model does not answer its golden cases",
            example="model bundle refused (proof): expected all golden cases answered within the "
            "limits, found: no answer within 180 s; the model in use stays",
        ),
        # Of the history.
        "result-not-found": Kind(
            status=404,
            title="There is no such result",
            example="expected the id of a result, found '00000007-abcdefghijklmnop'; it may have "
            "been erased",
        ),
        "picture-not-kept": Kind(
            status=404,
            title="The picture was not kept",
            example="expected a result with a picture, found one whose picture was not kept; the "
            "setting history.keep_pictures decides when an answer is made",
        ),
        TOKEN_NOT_FOUND: Kind(
            status=404,
            title="There is no such token",
            example="expected the id of a token, found 'k3m9x2pq'; it may have been revoked",
        ),
        # Of the clock.
        "clock-kept": Kind(
            status=409,
            title="The clock is not for people to set",
            example="a time service keeps the clock, and would set it back",
        ),
        "clock": Kind(
            status=503,
            title="The clock could not be set",
            example="clock: expected the right to set it (CAP_SYS_TIME), found Operation not "
            "permitted; give it to the service, or set the clock on the box: sudo date --set",
            retry_after_s=_LATER_S,
        ),
        # Of the box.
        "busy": Kind(
            status=503,
            title="Too many pictures wait already",
            example="4 pictures wait already; try again in a moment",
            retry_after_s=_SOON_S,
        ),
        "not-ready": Kind(
            status=503,
            title="The box is not ready",
            example="not ready: camera: no frame for 5 s from v4l2 /dev/video0; plug it in again",
            retry_after_s=_LATER_S,
        ),
        "camera": Kind(
            status=503,
            title="The camera did not deliver",
            example="no frame for 5 s from v4l2 /dev/video0; plug it in again",
            retry_after_s=_LATER_S,
        ),
        "panel": Kind(
            status=503,
            title="Button and light do not work",
            example="gpiod pinctrl-rp1: a line is in use; `gpioinfo` names by whom",
            retry_after_s=_LATER_S,
        ),
        "model": Kind(
            status=503,
            title="The model did not answer",
            example="model refused (outputs): expected finite numbers, found NaN or infinity; "
            "install the model again",
            retry_after_s=_LATER_S,
        ),
        "update": Kind(
            status=503,
            title="Models cannot be exchanged now",
            example="models: expected to write /var/lib/edgederm/models, found No space left on "
            "device; the model in use stays: look after the disk and its rights",
            retry_after_s=_LATER_S,
        ),
        "history": Kind(
            status=503,
            title="The history cannot be written or read",
            example="history (full): expected room to write /var/lib/edgederm/history.sqlite, "
            "found none; delete results or other files, or lower history.keep_bytes",
            retry_after_s=_LATER_S,
        ),
        "access": Kind(
            status=503,
            title="The box cannot read its list of tokens",
            example="the box cannot tell who may ask; its log has the details",
            retry_after_s=_LATER_S,
        ),
        "settings": Kind(
            status=503,
            title="The box is set up wrongly",
            example="settings refused: camera.kind: unknown",
            retry_after_s=_LATER_S,
        ),
        INTERNAL: Kind(
            status=503,
            title="The box made a mistake",
            example=_INTERNAL_DETAIL,
            retry_after_s=_LATER_S,
        ),
    }
)

_OF_STATUS = {400: BAD_REQUEST, 404: NOT_FOUND, 405: METHOD, 413: TOO_LARGE, 422: INVALID}
"""Problems that FastAPI finds before we do."""


class ProblemResponse(JSONResponse):
    """
    An answer that is a problem; it leaves its slug with the request, for the figures.

    Args:
        slug: Row of :data:`KINDS`.
        content: The document.
        headers: To send along.
    """

    def __init__(
        self, slug: str, content: Mapping[str, object], headers: Mapping[str, str]
    ) -> None:
        super().__init__(content, KINDS[slug].status, headers=headers, media_type=MEDIA_TYPE)
        self._slug = slug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        scope.setdefault("state", {})[SLUG] = self._slug
        await super().__call__(scope, receive, send)


class Refused(Exception):  # noqa: N818 - a refusal is an answer
    """
    A request that this room itself answers with a problem.

    Args:
        slug: Row of :data:`KINDS`.
        detail: What was expected and found, and what to do.
        headers: To send along.
        members: Extensions of the problem document.
    """

    def __init__(
        self,
        slug: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        self.detail = detail
        self.headers = headers
        self.members = members or {}

    def response(self) -> Response:
        """Say so to the client."""
        return response(self.slug, self.detail, self.headers, self.members)


def slug_of(error: EdgeDermError) -> str:
    """Row of :data:`KINDS` for *error*; a family without one is a mistake of ours."""
    slug = error.slug
    if isinstance(error, DecodeError | BundleError):
        slug = f"{slug}-{error.fault.value}"
    return slug if slug in KINDS else INTERNAL


def document(
    slug: str, detail: str, members: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Body of a problem; *members* are extensions of this kind."""
    kind = KINDS[slug]
    return {
        "type": TYPE_PREFIX + slug,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": slug,
        **(members or {}),
    }


def response(
    slug: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, object] | None = None,
) -> Response:
    """Answer with the problem *slug*, ``Retry-After`` included where it makes sense."""
    kind = KINDS[slug]
    sent = dict(headers or {})
    if kind.retry_after_s is not None:
        sent.setdefault("Retry-After", str(kind.retry_after_s))
    return ProblemResponse(slug, document(slug, detail, members), sent)


def internal_response() -> Response:
    """Answer for a bug, without a word about it: the traceback belongs in the log."""
    return response(INTERNAL, _INTERNAL_DETAIL)


def stopping_response() -> Response:
    """Answer for a request that the end of the box cut short."""
    return response(NotReadyError.slug, "the box is stopping; ask again when it is back")


def error_response(error: EdgeDermError) -> Response:
    """Answer for one of our own families; what clients need not know stays in the log."""
    slug = slug_of(error)
    if slug == INTERNAL:
        _LOG.error("event=api.internal", exc_info=error)
        return internal_response()
    if slug == AccessError.slug:
        _LOG.error("event=api.closed detail=%r", str(error))
        return response(slug, KINDS[slug].example)
    if KINDS[slug].status >= 500 and slug != "busy":  # noqa: PLR2004 - server errors begin here
        _LOG.warning("event=api.problem code=%s detail=%r", slug, str(error))
    return response(slug, str(error))


async def answer_edgederm_error(_request: Request, error: Exception) -> Response:
    """Translate our own families, once."""
    if not isinstance(error, EdgeDermError):
        raise TypeError(f"expected an EdgeDermError, found {type(error).__name__}")
    return error_response(error)


async def answer_refusal(_request: Request, error: Exception) -> Response:
    """Translate what our own routes refuse."""
    if not isinstance(error, Refused):
        raise TypeError(f"expected Refused, found {type(error).__name__}")
    return error.response()


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Translate what FastAPI refuses: unknown addresses and methods above all."""
    if not isinstance(error, HTTPException):
        raise TypeError(f"expected an HTTPException, found {type(error).__name__}")
    slug = _OF_STATUS.get(error.status_code, BAD_REQUEST)
    path = request.url.path
    if slug == NOT_FOUND:
        return response(slug, f"there is no {path} on this box")
    if slug == METHOD:
        allowed = ", ".join(sorted({*_methods(request), "OPTIONS"}))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})
        detail = f"{path} does not answer {request.method}; it answers {allowed}"
        return response(slug, detail, {"Allow": allowed})
    return response(slug, str(error.detail), error.headers)


async def answer_validation_error(_request: Request, error: Exception) -> Response:
    """Translate what FastAPI's own checks of parameters find."""
    if not isinstance(error, RequestValidationError):
        raise TypeError(f"expected a RequestValidationError, found {type(error).__name__}")
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    return response(INVALID, "; ".join(faults))


def _methods(request: Request) -> set[str]:
    """Of all routes at the request's address: each knows only its own."""
    methods: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return methods
