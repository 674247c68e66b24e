"""Between a row and what it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.core.document import AnswerDocument, ModelDocument, ReasonDocument
from device.core.results import AuditEntry, ResultDocument
from device.core.values import Answer, Result
from device.history.identifiers import make_id

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)

RESULT_COLUMNS = """
    sequence, secret, captured_at_us, clock_trusted, source, result, probability_malignant,
    diagnoses, reasons, quality, timings_ms, model_name, model_version, model_sha256,
    software_version, note, patient_reference, lesion_reference, confirmed_diagnosis,
    diagnosis_confirm_type, consent,
    EXISTS (SELECT 1 FROM picture WHERE picture.sequence = result.sequence)
"""
"""In the order of :func:`result_of`; no large column is among them."""
RESULT_TABLES = "result JOIN maker USING (maker_id)"


@dataclass(frozen=True, slots=True)
class NewRow:
    """An answer as it is written: column by column, without number and maker."""

    columns: Mapping[str, object]
    maker: tuple[str, str, str, str]
    """Model's name, version and digest, and the software's version."""


def new_row(answer: Answer, *, secret: str, clock_trusted: bool, software_version: str) -> NewRow:
    """Write down what the client will be told, in the words of :class:`AnswerDocument`."""
    document = AnswerDocument.from_answer(answer).model_dump(mode="json")
    # C order, little-endian, whatever the board's own order is.
    map_HW = np.ascontiguousarray(answer.activation_map_HW, dtype="<f4")
    height, width = map_HW.shape
    return NewRow(
        columns={
            "secret": secret,
            "captured_at_us": microseconds(answer.captured_at),
            "clock_trusted": clock_trusted,
            "source": answer.source,
            "result": document["result"],
            "probability_malignant": document["probability_malignant"],
            **{
                name: _compact(document[name])
                for name in ("diagnoses", "reasons", "quality", "timings_ms")
            },
            "map_height": height,
            "map_width": width,
            "activation_map": map_HW.tobytes(),
        },
        maker=(answer.model.name, answer.model.version, answer.model.sha256, software_version),
    )


def result_of(row: tuple[Any, ...]) -> ResultDocument:
    """Read a row of :data:`RESULT_COLUMNS`."""
    (
        sequence, secret, captured_at_us, clock_trusted, source, result, probability,
        diagnoses, reasons, quality, timings_ms, model_name, model_version, model_sha256,
        software_version, note, patient_reference, lesion_reference, confirmed_diagnosis,
        diagnosis_confirm_type, consent, has_picture,
    ) = row  # fmt: skip
    return ResultDocument(
        id=make_id(sequence, secret),
        sequence=sequence,
        captured_at=moment(captured_at_us),
        clock_trusted=bool(clock_trusted),
        source=source,
        result=Result(result),
        probability_malignant=probability,
        diagnoses=json.loads(diagnoses),
        reasons=tuple(ReasonDocument(**reason) for reason in json.loads(reasons)),
        quality=json.loads(quality),
        model=ModelDocument(name=model_name, version=model_version, sha256=model_sha256),
        software_version=software_version,
        timings_ms=json.loads(timings_ms),
        note=note,
        patient_reference=patient_reference,
        lesion_reference=lesion_reference,
        confirmed_diagnosis=confirmed_diagnosis,
        diagnosis_confirm_type=diagnosis_confirm_type,
        consent=bool(consent),
        has_picture=bool(has_picture),
    )


def audit_entry_of(row: tuple[int, int, str, str, str]) -> AuditEntry:
    """Read a row of the audit trail: time, trust, act, subject, actor."""
    at_us, clock_trusted, act, subject, actor = row
    return AuditEntry(
        at=moment(at_us), clock_trusted=bool(clock_trusted), act=act, subject=subject, actor=actor
    )


def activation_map(content: bytes, height: int, width: int) -> NDArray[np.float32]:
    """Read the map back, fp32 ``[h, w]``."""
    return np.frombuffer(content, dtype="<f4").reshape(height, width).astype(np.float32)


def microseconds(at: datetime) -> int:
    """Whole microseconds since 1970, UTC: nothing is rounded."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    """Turn them back, UTC."""
    return _EPOCH + at_us * _MICROSECOND


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
