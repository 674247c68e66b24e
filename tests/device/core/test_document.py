"""The answer as clients read it: names, units and words that do not change."""

import json
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from pydantic import ValidationError

from device.core.document import NOTICE, AnswerDocument
from device.core.values import (
    Answer,
    Decision,
    ModelIdentity,
    Reason,
    Result,
)
from tests.builders import a_quality

pytestmark = pytest.mark.portable


def an_answer(**changes):
    fields = {
        "decision": Decision(
            result=Result.UNCERTAIN,
            probability_malignant=0.25,
            diagnoses={"MEL": 0.25, "NV": 0.75},
            reasons=(Reason(code="between", text="between the thresholds"),),
            novelty=0.75,
        ),
        "quality": a_quality(advice=(Reason(code="some_hair", text="comb it aside"),)),
        "model": ModelIdentity(name="student", version="1.0.0", sha256="ab" * 32),
        "source": "upload",
        "captured_at": datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2))),
        "activation_map_HW": np.zeros((2, 2), dtype=np.float32),
        "stage_ns": {"decode": 2_500_000, "inference": 1_000_400, "total": 4_000_000},
    }
    return Answer(**{**fields, **changes})


def test_the_document_is_this():
    """Every name in it is a promise."""
    document = AnswerDocument.from_answer(an_answer()).model_dump(mode="json")
    assert json.loads(json.dumps(document)) == {
        "result": "uncertain",
        "probability_malignant": 0.25,
        "diagnoses": {"MEL": 0.25, "NV": 0.75},
        "reasons": [{"code": "between", "text": "between the thresholds"}],
        "quality": {
            "brightness": 0.6,
            "saturated_share": 0.0,
            "contrast": 0.1,
            "sharpness": 0.02,
            "softness": 0.7,
            "line_share": 0.01,
            "glare_share": 0.0,
            "middle_contrast": 8.0,
            "outline_outside": 0.0,
            "advice": [{"code": "some_hair", "text": "comb it aside"}],
            "novelty": 0.75,
        },
        "model": {"name": "student", "version": "1.0.0", "sha256": "ab" * 32},
        "source": "upload",
        "captured_at": "2026-01-02T03:00:00Z",
        "timings_ms": {"decode": 2.5, "inference": 1.0, "total": 4.0},
        "id": None,
        "notice": NOTICE,
    }


def test_a_recorded_answer_tells_its_id():
    assert AnswerDocument.from_answer(an_answer(result_id="00000007-a")).id == "00000007-a"


def test_a_time_without_a_zone_is_refused():
    """It would mean another moment on every machine."""
    with pytest.raises(ValidationError, match="captured_at"):
        AnswerDocument.from_answer(an_answer(captured_at=datetime(2026, 1, 2)))  # noqa: DTZ001 - it must be refused


@pytest.mark.parametrize("probability", [float("nan"), -0.1, 1.1])
def test_what_is_no_probability_is_refused(probability):
    decision = Decision(
        result=Result.BENIGN,
        probability_malignant=probability,
        diagnoses={},
        reasons=(),
        novelty=0.0,
    )
    with pytest.raises(ValidationError, match="probability_malignant"):
        AnswerDocument.from_answer(an_answer(decision=decision))


def test_the_notice_says_what_it_is_not():
    assert "not a medical device" in NOTICE
