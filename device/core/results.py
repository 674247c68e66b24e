"""
What the box keeps of an answer, as the outside reads it, looks for it and adds to it.

A result is an answer that was recorded.  What was answered never changes; what people know about
it (a note, whose lesion it is, a diagnosis confirmed later, consent) may be added.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timezone
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, Strict

from device.core.document import (
    NOTICE,
    Document,
    ModelDocument,
    Probability,
    ReasonDocument,
)
from device.core.manifest import Diagnosis
from device.core.values import Result

LARGEST_INTEGER = 2**63 - 1
"""What SQLite, JSON readers of 64 bits and a cursor have in common."""
MOST_RESULTS = 200
"""On one page."""


def _composed(text: str) -> str:
    """One spelling for each word: an accent as a part of its letter."""
    return unicodedata.normalize("NFC", text)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("expected a time between the years 1 and 9999 in UTC") from None


# No control character, slash or backslash; no space at either end, no dot in front: it must go
# through an address and a file's name unharmed.
_REFERENCE = r"^[^\x00-\x20\x7f./\\]([^\x00-\x1f\x7f/\\]{0,62}[^\x00-\x20\x7f/\\])?$"
_NOTE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"

# A pattern that is held against what a function made of the text is left out of the JSON schema,
# unless it is said for it once more.
Reference = Annotated[
    str,
    AfterValidator(_composed),
    Field(pattern=_REFERENCE, max_length=64, json_schema_extra={"pattern": _REFERENCE}),
]
"""Whose lesion, or which: a word of the clinic's, better a number than a name."""
Note = Annotated[
    str,
    AfterValidator(_composed),
    Field(min_length=1, max_length=2000, pattern=_NOTE, json_schema_extra={"pattern": _NOTE}),
]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


ConfirmType = Literal["histo", "follow_up", "consensus", "confocal"]
"""How a diagnosis was confirmed, in the words of HAM10000's ``dx_type``."""


class Annotation(Document):
    """What people add to a result; a member left out stays as it is, null clears it."""

    note: Note | None = Field(default=None, description="For people.")
    patient_reference: Reference | None = Field(
        default=None, description="Whose lesion; better a number of the clinic's than a name."
    )
    lesion_reference: Reference | None = Field(
        default=None, description="Which lesion of this patient, such as `left forearm 1`."
    )
    confirmed_diagnosis: Diagnosis | None = Field(
        default=None, description="What it turned out to be."
    )
    diagnosis_confirm_type: ConfirmType | None = Field(
        default=None, description="How the diagnosis was confirmed."
    )
    consent: Annotated[bool, Strict()] = Field(
        default=False, description="Whether the picture may be used to train a model."
    )


class ResultFilter(Document):
    """Which results are wanted; a member left out lets all pass."""

    result: Result | None = Field(default=None, description="The word that was answered.")
    source: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="`upload`, or the kind of camera."
    )
    patient_reference: Reference | None = Field(default=None, description="Exactly this one.")
    lesion_reference: Reference | None = Field(default=None, description="Exactly this one.")
    captured_from: Moment | None = Field(
        default=None, description="Captured then or later; RFC 3339 with an offset."
    )
    captured_before: Moment | None = Field(
        default=None, description="Captured earlier; RFC 3339 with an offset."
    )


class ResultDocument(Document):
    """One recorded answer and what people added to it."""

    id: str
    sequence: Annotated[int, Field(ge=1)] = Field(
        description="Grows with every result, whatever the clock says."
    )
    captured_at: Moment = Field(description="RFC 3339, UTC, by the box's clock.")
    clock_trusted: bool = Field(
        description="Whether the clock had been set at that time, by the network, a clock chip or "
        "a person."
    )
    source: str = Field(description="`upload`, or the kind of camera.")
    result: Result
    probability_malignant: Probability = Field(
        description="Calibrated; not to be read where the result is `retake`."
    )
    diagnoses: dict[str, Probability]
    reasons: tuple[ReasonDocument, ...]
    quality: dict[str, object] = Field(
        description="What was measured of the picture at that time, by name."
    )
    model: ModelDocument
    software_version: str
    timings_ms: dict[str, float]
    note: str | None
    patient_reference: str | None
    lesion_reference: str | None
    confirmed_diagnosis: str | None
    diagnosis_confirm_type: str | None
    consent: bool
    has_picture: bool = Field(description="Whether picture and thumbnail were kept.")
    notice: str = NOTICE


class ResultPage(Document):
    """Some results, the newest first."""

    results: tuple[ResultDocument, ...]
    next: int | None = Field(
        description="Give it as `cursor` for the results that follow; null after the last one."
    )


class LesionSummary(Document):
    """One lesion of which there are results."""

    patient_reference: str | None
    lesion_reference: str
    results: int = Field(description="How many there are.")
    first_captured_at: Moment
    last_captured_at: Moment
    last_result: Result


class LesionPage(Document):
    """Some lesions; the one with the newest result first."""

    lesions: tuple[LesionSummary, ...]
    next: int | None = Field(
        description="Give it as `cursor` for the lesions that follow; null after the last one."
    )


class LesionDocument(Document):
    """The results of one lesion in the order in which they were recorded."""

    patient_reference: str | None
    lesion_reference: str
    total: int = Field(description="How many there are; the newest of them are in `results`.")
    results: tuple[ResultDocument, ...]


class AuditEntry(Document):
    """Something that somebody did to the box; holds no word about a patient."""

    at: Moment
    clock_trusted: bool
    act: str
    subject: str = Field(
        description="The id of a result or a token, a file's name, a count, or two times."
    )
    actor: str = Field(description="`api` and the token's name, `command line`, or `box`.")
