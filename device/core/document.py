"""
The answer as the outside reads it: one JSON object, the same over REST and on the command line.

The field names are a promise to clients.  Durations leave the house here as milliseconds;
inside they stay whole nanoseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from typing_extensions import Self

from device.core.values import Answer, Reason, Result

NOTICE = (
    "For research and education only; not a medical device. Whatever this answer says, show a "
    "lesion that worries you to a doctor."
)
_NS_PER_MS = 1_000_000
_DECIMALS_MS = 3
"""Microseconds; what lies below is the clock's noise."""


def _as_utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc)


Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Document(BaseModel):
    """Frozen, and without NaN: JSON has no word for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ReasonDocument(Document):
    """Why the result is what it is."""

    code: str = Field(description="For a program; never changes its meaning.")
    text: str = Field(description="For a person, in English.")


class QualityDocument(Document):
    """What was measured of the picture itself; every value is dimensionless."""

    brightness: float = Field(description="Mean luma of the picture, 0 to 1.")
    saturated_share: float = Field(description="Share of pixels at the top of the range, 0 to 1.")
    contrast: float = Field(description="Standard deviation of luma, 0 to 1.")
    sharpness: float = Field(description="Variance of the Laplacian over variance of luma.")
    novelty: float = Field(
        ge=0.0,
        description="How unlike the pictures that the model was trained on; above 1 the result is "
        "`retake`.",
    )
    softness: float = Field(description="Share of the edges left after one more blur, 0 to 1.")
    line_share: float = Field(description="Share on thin lines, such as hair, and between, 0 to 2.")
    glare_share: float = Field(description="Share under small reflections, 0 to 1.")
    middle_contrast: float = Field(description="Spread of color in the middle, CIE Lab.")
    outline_outside: float = Field(
        description="Share of the most distinct region's outline that lies on the border, 0 to 1."
    )
    advice: tuple[ReasonDocument, ...] = Field(
        description="What would make the next picture better; never a reason for `retake`."
    )


class ModelDocument(Document):
    """Which model answered."""

    name: str
    version: str
    sha256: str = Field(description="Of the whole model file, lower-case hexadecimal.")


class AnswerDocument(Document):
    """One picture's answer; for research and education only, not a medical device."""

    result: Result = Field(
        description="`retake` means that the picture shows too little, or no lesion; `uncertain` "
        "that the probability lies between the model's two thresholds."
    )
    probability_malignant: Probability = Field(
        description="Calibrated. A number for every result, also where `retake` says that it "
        "should not be read."
    )
    diagnoses: dict[str, Probability] = Field(
        description="Probability of each diagnosis code of the model's contract; their sum is 1."
    )
    reasons: tuple[ReasonDocument, ...] = Field(
        description="At least one: a threshold, or all that is wrong with the picture."
    )
    quality: QualityDocument
    model: ModelDocument
    source: str = Field(description="`upload`, `file`, or the kind of camera.")
    captured_at: Annotated[AwareDatetime, AfterValidator(_as_utc)] = Field(
        description="RFC 3339, UTC."
    )
    timings_ms: dict[str, float] = Field(
        description="Milliseconds by stage in the order in which they ran, `total` last."
    )
    id: str | None = Field(
        default=None,
        description="Under which the box keeps this answer, see `/results/{id}`; null for what "
        "it does not keep.",
    )
    notice: str = NOTICE

    @classmethod
    def from_answer(cls, answer: Answer) -> Self:
        """
        Say *answer* in the outside's words; ``model_dump(mode="json")`` makes it plain JSON.

        Args:
            answer: Of :func:`device.examine.examine`.

        Threads: pure.
        """
        decision, quality, model = answer.decision, answer.quality, answer.model
        return cls(
            result=decision.result,
            probability_malignant=decision.probability_malignant,
            diagnoses=dict(decision.diagnoses),
            reasons=_reasons(decision.reasons),
            quality=QualityDocument(
                brightness=quality.brightness,
                saturated_share=quality.saturated_share,
                contrast=quality.contrast,
                sharpness=quality.sharpness,
                novelty=decision.novelty,
                softness=quality.softness,
                line_share=quality.line_share,
                glare_share=quality.glare_share,
                middle_contrast=quality.middle_contrast,
                outline_outside=quality.outline_outside,
                advice=_reasons(quality.advice),
            ),
            model=ModelDocument(name=model.name, version=model.version, sha256=model.sha256),
            source=answer.source,
            captured_at=answer.captured_at,
            timings_ms={
                name: round(spent_ns / _NS_PER_MS, _DECIMALS_MS)
                for name, spent_ns in answer.stage_ns.items()
            },
            id=answer.result_id,
        )


def _reasons(reasons: Sequence[Reason]) -> tuple[ReasonDocument, ...]:
    return tuple(ReasonDocument(code=reason.code, text=reason.text) for reason in reasons)
