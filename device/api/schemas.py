"""What goes over the wire besides the answer itself, with examples for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from typing_extensions import Self

from device.api import problems
from device.core.access import Role, Token
from device.core.document import NOTICE, Document
from device.core.errors import AccessError
from device.core.manifest import ModelManifest
from device.core.results import AuditEntry, Moment
from device.core.state import RunningModel
from device.core.values import ModelIdentity


class Problem(Document):
    """RFC 9457 problem document, `application/problem+json`."""

    type: str = Field(description="URI of the kind of problem; ends in `code`.")
    title: str = Field(description="The kind of problem in words; the same every time.")
    status: int = Field(description="The HTTP status again.")
    detail: str = Field(description="What was expected and found this time, and what to do.")
    code: str = Field(description="For a program; never changes its meaning.")
    parts: dict[str, str] | None = Field(
        default=None,
        description="Of `not-ready` from `/readyz`: `ok`, or what is wrong with the part.",
    )


class Health(Document):
    """The process answers; nothing else is looked at."""

    status: Literal["ok"] = "ok"


class Ready(Document):
    """Every part works: a picture would be answered."""

    status: Literal["ready"] = "ready"
    parts: dict[str, Literal["ok"]]
    provider: str = Field(
        description="What computes the model: `cpu`, or `cuda` or `tensorrt` once it has answered "
        "as the CPU does."
    )
    model: RunningModel
    software_version: str


class ModelContract(ModelManifest):
    """The contract that the model file carries, and the file's digest."""

    sha256: str = Field(description="Of the whole model file, lower-case hexadecimal.")

    @classmethod
    def of(cls, manifest: ModelManifest, identity: ModelIdentity) -> Self:
        """Join what the file says with what it is."""
        return cls(**manifest.model_dump(), sha256=identity.sha256)


class Login(Document):
    """What a browser sends to log in."""

    token: str = Field(min_length=1, max_length=128, description="As it was shown once.")


class Session(Document):
    """Who asks, as the box sees it."""

    role: Role
    name: str | None = Field(description="The token's name; null where the box needs no token.")
    token_id: str | None
    is_token_needed: bool = Field(description="Whether there is something to log out of.")


class TokenDocument(Document):
    """What the box knows of a token; the token itself was shown once and is nowhere."""

    token_id: str
    name: str
    role: Role
    created_at: Moment

    @classmethod
    def of(cls, token: Token) -> Self:
        """Take it over."""
        return cls(
            token_id=token.token_id,
            name=token.name,
            role=token.role,
            created_at=token.created_at,
        )


class TokenList(Document):
    """All tokens that are not revoked, the oldest first."""

    tokens: tuple[TokenDocument, ...]


class AuditPage(Document):
    """Who did what, the newest first."""

    entries: tuple[AuditEntry, ...]
    next: int | None = Field(
        description="Give it as `cursor` for the entries that follow; null after the last one."
    )


_MODEL = {
    "name": "student",
    "version": "1.0.0",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
ANSWER_EXAMPLES: dict[str, dict[str, Any]] = {
    "malignant": {
        "summary": "A frame of the camera, scored",
        "value": {
            "result": "malignant",
            "probability_malignant": 0.8312,
            "diagnoses": {
                "MEL": 0.78,
                "NV": 0.09,
                "BCC": 0.04,
                "AKIEC": 0.02,
                "BKL": 0.05,
                "DF": 0.01,
                "VASC": 0.01,
            },
            "reasons": [
                {
                    "code": "above_malignant_threshold",
                    "text": "the malignancy score reaches the malignant threshold",
                }
            ],
            "quality": {
                "brightness": 0.61,
                "saturated_share": 0.002,
                "contrast": 0.14,
                "sharpness": 0.021,
                "novelty": 0.74,
                "softness": 0.31,
                "line_share": 0.02,
                "glare_share": 0.001,
                "middle_contrast": 14.2,
                "outline_outside": 0.1,
                "advice": [
                    {
                        "code": "touches_border",
                        "text": "the lesion reaches the border of the picture: center it",
                    }
                ],
            },
            "model": _MODEL,
            "source": "replay",
            "captured_at": "2026-03-01T09:30:00.125000Z",
            "timings_ms": {
                "capture": 41.2,
                "decode": 6.1,
                "field_of_view": 0.4,
                "working_copy": 0.9,
                "quality": 0.5,
                "resize": 0.1,
                "inference": 9.8,
                "decision": 0.1,
                "total": 59.1,
            },
            "id": "00000041-q4zj7mhx2n5tk3ra",
            "notice": NOTICE,
        },
    },
    "retake": {
        "summary": "An uploaded picture that shows too little; the probability is not to be read",
        "value": {
            "result": "retake",
            "probability_malignant": 0.21,
            "diagnoses": {
                "MEL": 0.2,
                "NV": 0.5,
                "BCC": 0.05,
                "AKIEC": 0.05,
                "BKL": 0.1,
                "DF": 0.05,
                "VASC": 0.05,
            },
            "reasons": [
                {
                    "code": "too_dark",
                    "text": "too dark: take off the lens cap, switch the lamp on",
                }
            ],
            "quality": {
                "brightness": 0.03,
                "saturated_share": 0.0,
                "contrast": 0.02,
                "sharpness": 0.9,
                "novelty": 1.9,
                "softness": 0.2,
                "line_share": 0.0,
                "glare_share": 0.0,
                "middle_contrast": 0.4,
                "outline_outside": 0.0,
                "advice": [],
            },
            "model": _MODEL,
            "source": "upload",
            "captured_at": "2026-03-01T09:31:00Z",
            "timings_ms": {"decode": 6.1, "inference": 9.8, "total": 17.4},
            "id": "00000042-2kx6wpd5yvb7qmnc",
            "notice": NOTICE,
        },
    },
}

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which asking again makes sense.",
        "schema": {"type": "integer"},
    }
}
_EVERYWHERE = (problems.BAD_REQUEST, problems.UNKNOWN_HOST, problems.INTERNAL)
_WITH_TOKEN = (
    problems.UNAUTHORIZED,
    problems.FORBIDDEN,
    problems.CROSS_SITE,
    problems.THROTTLED,
    AccessError.slug,
)


def responses(
    *slugs: str,
    examples: dict[str, dict[str, Any]] | None = None,
    is_public: bool = False,
    media_type: str | None = None,
) -> dict[int | str, dict[str, Any]]:
    """
    Describe a route's answers for the OpenAPI document.

    Args:
        slugs: Problems that this route answers with, besides those that every route has.
        examples: Of the success.
        is_public: Whether it answers without a token.
        media_type: Of the success, where it is a file and no JSON.
    """
    described: dict[int | str, dict[str, Any]] = {}
    if media_type is not None:
        file = {"schema": {"type": "string", "contentMediaType": media_type}}
        described[200] = {"description": "The file.", "content": {media_type: file}}
    if examples is not None:
        described[200] = {"content": {"application/json": {"examples": examples}}}
    every = {*slugs, *_EVERYWHERE, *(() if is_public else _WITH_TOKEN)}
    for slug, kind in problems.KINDS.items():
        if slug not in every:
            continue
        entry = described.setdefault(
            kind.status,
            {
                "description": "",
                "content": {
                    problems.MEDIA_TYPE: {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        "examples": {},
                    }
                },
            },
        )
        entry["description"] = "; ".join(filter(None, [entry["description"], kind.title]))
        if kind.retry_after_s is not None:
            entry["headers"] = _RETRY_AFTER
        entry["content"][problems.MEDIA_TYPE]["examples"][slug] = {
            "summary": kind.title,
            "value": problems.document(slug, kind.example),
        }
    return described
