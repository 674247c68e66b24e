"""What a box counts and looks up, as Prometheus reads it; and that every figure is described."""

import re
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from device.core.board import BoardHealth
from device.core.panel import LightState, PressOutcome
from device.core.state import RunningModel, StateDocument
from device.core.values import ModelIdentity, Reason, Result
from device.metrics.figures import STAGE_BUCKETS_S, Figures, Sources
from tests.builders import an_answer

pytestmark = pytest.mark.portable

PAGE = Path(__file__).resolve().parents[3] / "docs/metrics.md"
STATE = StateDocument(
    state=LightState.READY,
    waiting=2,
    parts={"model": "ok", "camera": "no frame for 5 s"},
    software_version="0.1.0",
    model=RunningModel(
        name="student",
        version="1.2.3",
        sha256="ab" * 32,
        source="previous",
        is_on_trial=True,
        instead_of="student 1.3.0: no answer",
    ),
    certificate_sha256=None,
)


def sources(folder, **changes):
    given = {
        "state": lambda: STATE,
        "camera_restarts": lambda: 7,
        "panel": SimpleNamespace(
            status=lambda: SimpleNamespace(counts={PressOutcome.ANSWERED: 3}, reopened=1)
        ),
        "board": lambda: BoardHealth(
            temperatures_celsius={"cpu-thermal": 51.5},
            flags={"under_voltage": True},
            flags_since_start={"under_voltage": True},
        ),
        "history": folder / "history.sqlite",
        "is_clock_trusted": lambda: False,
        "model": ModelIdentity(name='a "b"\n\\c', version="1.2.3", sha256="ab" * 32),
        "software_version": "0.1.0",
        **changes,
    }
    return Sources(**given)


@pytest.fixture
def figures(tmp_path):
    (tmp_path / "history.sqlite").write_bytes(bytes(1000))
    (tmp_path / "history.sqlite-wal").write_bytes(bytes(500))
    return Figures(sources(tmp_path))


def families(figures):
    text = figures.text().decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(figures):
    """Value by name and labels of all samples."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families(figures).values()
        for sample in family.samples
    }


def answer_of(result, *reasons, source="replay", **stage_ns):
    answer = an_answer(source=source, stage_ns=stage_ns)
    decided = replace(
        answer.decision,
        result=result,
        reasons=tuple(Reason(code=code, text="for people") for code in reasons),
    )
    return replace(answer, decision=decided)


def test_answers_are_counted_by_result_and_source(figures):
    for result in (Result.BENIGN, Result.BENIGN, Result.RETAKE):
        figures.answered(answer_of(result))
    figures.answered(answer_of(Result.BENIGN, source="upload"))
    figures.answered(None)
    found = samples(figures)
    name = "edgederm_answers_total"
    assert found[name, ("result", "benign"), ("source", "replay")] == 2
    assert found[name, ("result", "benign"), ("source", "upload")] == 1
    assert found[name, ("result", "retake"), ("source", "replay")] == 1


def test_reasons_are_counted_for_retakes_alone(figures):
    figures.answered(answer_of(Result.RETAKE, "too_dark", "blurred"))
    figures.answered(answer_of(Result.RETAKE, "too_dark"))
    figures.answered(answer_of(Result.MALIGNANT, "above_malignant_threshold"))
    name = "edgederm_retake_reasons_total"
    found = {key[1][1]: value for key, value in samples(figures).items() if key[0] == name}
    assert found == {"too_dark": 2, "blurred": 1}


def test_stages_are_histograms_in_seconds(figures):
    figures.answered(answer_of(Result.BENIGN, decode=3_000_000, total=60_000_000))
    figures.answered(answer_of(Result.BENIGN, decode=20_000_000_000, total=20_000_000_000))
    found = samples(figures)
    name, stage = "edgederm_stage_seconds", ("stage", "decode")
    assert found[f"{name}_count", stage] == 2
    assert found[f"{name}_sum", stage] == pytest.approx(20.003)
    assert found[f"{name}_bucket", ("le", "0.0025"), stage] == 0
    assert found[f"{name}_bucket", ("le", "0.005"), stage] == 1
    assert found[f"{name}_bucket", ("le", "10.0"), stage] == 1
    assert found[f"{name}_bucket", ("le", "+Inf"), stage] == 2
    assert found[f"{name}_bucket", ("le", "0.1"), ("stage", "total")] == 1
    assert list(STAGE_BUCKETS_S) == sorted(set(STAGE_BUCKETS_S))


def test_responses_and_refusals_are_counted_and_the_first_is_an_increase(figures):
    figures.expect(["busy", "internal"])
    found = samples(figures)
    assert found["edgederm_refusals_total", ("code", "internal")] == 0
    figures.responded(200, None)
    figures.responded(503, "busy")
    found = samples(figures)
    assert found["edgederm_http_responses_total", ("status", "200")] == 1
    assert found["edgederm_http_responses_total", ("status", "503")] == 1
    assert found["edgederm_refusals_total", ("code", "busy")] == 1
    assert found["edgederm_refusals_total", ("code", "internal")] == 0


def test_what_is_looked_up_is_what_the_parts_say_now(figures):
    found = samples(figures)
    assert found["edgederm_pictures_waiting",] == 2
    assert found["edgederm_part_ok", ("part", "model")] == 1
    assert found["edgederm_part_ok", ("part", "camera")] == 0
    assert found["edgederm_camera_restarts_total",] == 7
    assert found["edgederm_presses_total", ("outcome", "answered")] == 3
    assert found["edgederm_presses_total", ("outcome", "lost")] == 0
    assert found["edgederm_panel_restarts_total",] == 1
    assert found["edgederm_temperature_celsius", ("sensor", "cpu-thermal")] == 51.5
    assert found["edgederm_board_limited", ("flag", "under_voltage")] == 1
    assert found["edgederm_board_limited_since_start", ("flag", "under_voltage")] == 1
    assert found["edgederm_history_bytes",] == 1500
    assert 0 < found["edgederm_storage_free_bytes",] <= found["edgederm_storage_size_bytes",]
    assert found["edgederm_clock_trusted",] == 0
    labels = (("name", 'a "b"\n\\c'), ("sha256", "ab" * 32), ("version", "1.2.3"))
    model = ("edgederm_model_info", *labels)
    assert found[model] == 1
    assert found["edgederm_software_info", ("version", "0.1.0")] == 1
    assert found["process_resident_memory_bytes",] > 1e6


def test_what_is_not_there_is_left_out(tmp_path):
    bare = Figures(
        sources(tmp_path, panel=None, board=BoardHealth, history=tmp_path / "none/history.sqlite")
    )
    shown = {key[0] for key in samples(bare)}
    for part in ("presses", "panel", "temperature", "limited", "storage", "history"):
        assert not [name for name in shown if part in name]
    assert "edgederm_clock_trusted" in shown


def test_many_threads_lose_no_count(figures):
    def work():
        for _ in range(200):
            figures.answered(answer_of(Result.BENIGN, total=1_000_000))
            figures.responded(200, None)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        figures.text()
        thread.join()
    found = samples(figures)
    assert found["edgederm_http_responses_total", ("status", "200")] == 1200
    assert found["edgederm_stage_seconds_count", ("stage", "total")] == 1200


def test_two_boxes_in_one_process_do_not_share_figures(tmp_path):
    one, other = Figures(sources(tmp_path)), Figures(sources(tmp_path))
    one.responded(200, None)
    assert ("edgederm_http_responses_total", ("status", "200")) not in samples(other)


def test_every_metric_is_described_with_its_type_and_labels(figures):
    """And nothing is described that is not there."""
    figures.answered(answer_of(Result.RETAKE, "too_dark", total=1))
    figures.responded(503, "busy")
    row = re.compile(r"^\| `(edgederm_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
    described = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in row.findall(PAGE.read_text(encoding="utf-8"))
    }
    found = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in families(figures).values()
        if family.name.startswith("edgederm_")
    }
    assert found == described


def test_every_metric_has_a_sentence(figures):
    for family in families(figures).values():
        assert family.documentation, family.name
