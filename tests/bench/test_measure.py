"""A run measures the daemon's own path, checks its answers, and says what it left out."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from bench import contest, measure
from bench.box import COMMIT, Way, file_capture
from bench.conditions import Meter
from bench.limits import COPY, PRODUCT
from bench.results import BenchError, Board
from bench.scenarios import single_stream
from device.settings import SHIPPED_MODEL, CameraSettings, Settings

FEW = measure.Counts(
    queries=6,
    photos=1,
    pictures=4,
    presses=2,
    starts=1,
    answers=2,
    rounds=1,
    turn_s=0.0,
    sustained_s=0.05,
)


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setattr(measure, "FRAME_PX", (304, 406))
    monkeypatch.setattr(measure, "_PHOTO_PX", (600, 800))
    monkeypatch.setattr(measure, "_IDLE_S", 0.0)
    return measure.Plan(
        board=Board(asked="auto", found="generic", model="", compatible=()),
        sections=(),
        model_path=SHIPPED_MODEL,
        settings=Settings(camera=CameraSettings(kind="replay")),
        with_peers=False,
        counts=FEW,
        command=("python", "bench/run.py"),
    )


def run(plan, *sections, **changes):
    begun = []

    def begin(name):
        begun.append(name)
        return lambda: None

    result = measure.measure(replace(plan, sections=sections, **changes), begin)
    assert begun == list(sections)
    return result


def test_a_stream_is_the_path_of_the_daemon_with_its_history(plan):
    result = run(plan, "frames", "stages")
    frame = result.streams["frame"]
    assert [*frame.stages][-2:] == [COMMIT, "total"]
    assert {"decode", "field_of_view", "quality", "resize", "inference", "decision"} <= {
        *frame.stages
    }
    assert frame.stages["total"].summary.count == FEW.queries
    assert frame.accuracy.holds
    assert frame.accuracy.answers == FEW.queries
    parts = sum(each.samples_ms[0] for name, each in frame.stages.items() if name != "total")
    assert 0 < parts <= frame.stages["total"].samples_ms[0] + 0.01
    assert COMMIT not in result.streams["upload"].stages
    assert result.streams["upload"].written_bytes_per_answer is None
    every = {stage.stage for stage in plan.classifier.manifest.preprocess.stages}
    assert every <= {*result.streams["six_stages"].stages}


def test_an_answer_that_changes_under_way_is_noticed(plan, monkeypatch):
    """Accuracy is checked inside the timed run: an answer of another picture shows."""
    way = Way(plan.classifier)
    honest = way.answer
    calls = []

    def answer(capture):
        calls.append(capture)
        probability, stages = honest(capture)
        return probability + (0.1 if len(calls) == 4 else 0.0), stages

    monkeypatch.setattr(way, "answer", answer)
    stream = single_stream("x", way, plan.uploads[:2], 4, lambda: None)
    assert stream.accuracy.largest_difference == pytest.approx(0.1)
    assert not stream.accuracy.holds


def test_a_press_is_timed_from_release_to_light_with_its_stages(plan):
    press = run(plan, "presses").press
    assert press.whole.summary.count == FEW.presses
    assert next(iter(press.stages)) == "capture"
    assert press.camera == "replay"


def test_offline_and_sustained_answer_what_they_are_given(plan):
    result = run(plan, "offline", "sustained")
    assert result.offline.pictures == FEW.pictures
    assert result.offline.pictures_per_second > 0
    assert sum(bucket.count for bucket in result.sustained.buckets) > 0
    assert {*result.sections} == {"offline", "sustained"}


def test_a_part_that_breaks_off_takes_no_other_with_it(plan, monkeypatch):
    """An answer that changes under way is such a break, also where all pictures are at hand."""
    honest, calls = Way.answer, []

    def answer(way, capture):
        calls.append(capture)
        probability, stage_ns = honest(way, capture)
        return probability + 0.01 * len(calls), stage_ns

    monkeypatch.setattr(Way, "answer", answer)
    result = run(plan, "offline", "threads", "sustained")
    assert result.offline is None
    assert result.sections.keys() == {"threads"}
    assert [reason.partition(":")[0] for reason in result.failed] == ["offline", "sustained"]
    assert all("answered otherwise than before" in reason for reason in result.failed)


def test_what_goes_to_the_storage_goes_to_the_folder_that_was_named(plan, tmp_path, monkeypatch):
    made, real = [], tempfile.TemporaryDirectory

    def noted(**named):
        made.append(named.get("dir"))
        return real(**named)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", noted)
    run(plan, "start", "memory", "frames", "presses", history=tmp_path)
    assert made == [tmp_path] * 4


def test_every_number_of_threads_is_timed(plan, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(2))
    assert [each.threads for each in run(plan, "threads").threads] == [1, 2]


def test_forms_say_how_far_their_answers_are(plan, monkeypatch):
    monkeypatch.setattr(contest, "_CALIBRATION", 2)
    monkeypatch.setattr(contest, "_JUDGED", 2)
    shipped, fp32, int8, some = run(plan, "forms").forms
    assert shipped.file_bytes == SHIPPED_MODEL.stat().st_size
    assert (shipped.largest_change, fp32.largest_change) == (0, 0)
    assert int8.file_bytes < shipped.file_bytes < some.file_bytes < fp32.file_bytes
    assert all(0 < each.largest_change < 1 for each in (int8, some))


def test_the_limit_is_measured_in_the_turns_of_the_student(plan, monkeypatch):
    monkeypatch.setattr("bench.limits.SIDE", 64)
    monkeypatch.setattr("bench.limits._COPY_BYTES", 2**20)
    result = run(plan, "networks")
    names = [each.name for each in result.networks]
    assert names[0] == contest.STUDENT
    assert {COPY, f"{PRODUCT}NumPy", f"{PRODUCT}ONNX Runtime"} <= {*names}
    limits = result.limits
    best = max(limits.gmacs_per_second.values())
    assert limits.compute_ms == pytest.approx(result.model.macs / best / 1e6, rel=0.01)
    assert limits.datasheet is None


def test_a_boards_peak_stands_beside_the_measured_one(plan):
    from bench.limits import limits
    from tests.bench.builders import a_contestant

    found = {n: a_contestant(n, 100.0) for n in (COPY, f"{PRODUCT}NumPy")}
    told = limits(found, macs=28_000_000, moved_bytes=None, inference_ms=7.0, board="pi4")
    assert "7.2 GMAC/s, of which the student reaches 56%" in told.datasheet
    assert told.memory_ms is None


def test_start_and_memory_are_those_of_processes(plan):
    result = run(plan, "start", "memory")
    assert result.start.ready.summary.p50 > 0
    assert result.memory.steady_mb[0] >= result.memory.bare_mb[0] / 2
    assert len(result.memory.steady_mb) == len(result.memory.bare_mb) == 1
    assert result.memory.threads >= 5
    assert result.memory.answers == FEW.answers


def test_what_a_library_is_missing_for_is_left_out_by_name(plan, monkeypatch):
    monkeypatch.setattr(contest, "find_spec", lambda _: None)
    result = run(plan, "forms", "ways")
    assert (result.forms, result.ways, result.sections) == ((), (), {})
    assert all("no onnx" in each or "onnx, found none" in each for each in result.left_out)
    assert all("make bench" in each for each in result.left_out)


def test_peers_without_the_library_that_writes_them_are_refused(plan, monkeypatch):
    monkeypatch.setattr(contest, "find_spec", lambda _: None)
    with pytest.raises(BenchError, match="onnx"):
        contest.networks(
            SHIPPED_MODEL.read_bytes(),
            plan.classifier,
            board="generic",
            with_peers=True,
            rounds=1,
            turn_s=0.0,
            step=lambda: None,
        )


def test_energy_is_put_beside_the_parts(plan, tmp_path):
    meter = tmp_path / "power1_input"
    meter.write_text("3000000")
    result = run(plan, "idle", "frames", meter=Meter(meter))
    assert result.energy.watt.get("idle", 3.0) == 3.0
    assert result.energy.source == str(meter)


def test_the_paths_answer_is_the_examinations(plan):
    from time import perf_counter_ns

    from device.core.stopwatch import Recorder
    from device.examine import examine

    capture = plan.uploads[0]
    probability, _ = Way(plan.classifier).answer(capture)
    answer = examine(capture, plan.classifier, Recorder(perf_counter_ns), max_pixels=25_000_000)
    assert probability == answer.decision.probability_malignant
    assert file_capture(capture.encoded).encoded == capture.encoded


def test_a_folder_in_memory_is_no_storage():
    """Commits there are fast, and tell nothing of a card."""
    (said,) = measure._in_memory(Path("/dev/shm"))  # noqa: S108 - nothing is written
    assert "lies in memory" in said
    assert measure._in_memory(Path("/proc/self")) == []
