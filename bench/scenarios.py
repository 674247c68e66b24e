"""
What is timed, and in which manner; after MLPerf's LoadGen where it has a word for it.

Single stream: the next picture comes when the last one is answered, at least 1,024 of them, p90
counts.  Offline: all pictures are at hand, pictures a second count.  While they are timed, every
answer is checked to be the one that the picture got before.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2

from bench import process
from bench.box import Way, pressing
from bench.daemon import own_environment, serving
from bench.results import (
    BUCKET_S,
    Accuracy,
    Bucket,
    Memory,
    Offline,
    Press,
    Start,
    Stream,
    Sustained,
    Threads,
    Timing,
)
from bench.samples import summarize
from bench.turns import in_turns
from device.compose import load_classifier, open_history
from device.core.ports import HistoryUse, SelfTestingClassifier
from device.core.values import Answer, Capture, Pixels
from device.preprocess import prepare
from device.settings import HistorySettings, ModelSettings, Settings

IMPORTS = "import numpy, cv2, onnxruntime, fastapi, uvicorn"
_IMPORTING = f"""{IMPORTS}
import os
os.write(1, b"imported")
os._exit(0)
"""
_HOLDING = f"""{IMPORTS}
import sys
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
print("held", flush=True)
sys.stdin.read()
"""
_DIGITS_MS = 4
Step = Callable[[], None]


def timing(samples_ms: Sequence[float]) -> Timing:
    """Keep *samples_ms* to a tenth of a microsecond, with their summary."""
    kept_ms = tuple(round(float(sample), _DIGITS_MS) for sample in samples_ms)
    return Timing(samples_ms=kept_ms, summary=summarize(kept_ms))


def start(model: Path, runs: int, step: Step, *, history: Path | None = None) -> Start:
    """Start bare processes and daemons in turns; the files are in the kernel's memory."""
    bare_ms, ready_ms, first_ms = [], [], []
    for _ in range(runs):
        began_s = time.perf_counter()
        with subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", _IMPORTING], stdout=subprocess.PIPE, env=own_environment()
        ) as importing:
            # Until it has imported, not until it has ended: the daemon does not end either.
            if importing.stdout is None or importing.stdout.read(8) != b"imported":
                raise RuntimeError("the process that only imports did not; see above")
            bare_ms.append(1000 * (time.perf_counter() - began_s))
        with serving(model, history) as daemon:
            ready_ms.append(1000 * daemon.ready_s)
            first_ms.append(1000 * daemon.classify())
        step()
    return Start(
        bare_imports=timing(bare_ms), ready=timing(ready_ms), first_answer=timing(first_ms)
    )


def memory(
    model: Path, answers: int, runs: int, step: Step, *, history: Path | None = None
) -> Memory:
    """
    Let daemons answer over HTTP, and hold their model in processes that do nothing else, in turns.

    Args:
        model: Which one.
        answers: Of each daemon.
        runs: How many of both; all but the two sizes are those of the last one.
        step: Told ten times for each daemon.
        history: On the storage that is measured; None takes /tmp.
    """
    bare_mb, steady_mb = [], []
    for run in range(runs):
        bare_mb.append(round(_holding_mb(model), 1))
        with serving(model, history) as daemon:
            ready_mb = process.resident_mb(daemon.pid)
            cpu_s, sent = process.cpu_s(daemon.pid), process.storage_bytes(daemon.pid)
            for number in range(answers):
                daemon.classify()
                if number % max(1, answers // 10) == 0:
                    step()
            steady_mb.append(round(process.resident_mb(daemon.pid), 1))
            if run + 1 == runs:
                spent_s = process.cpu_s(daemon.pid) - cpu_s
                return Memory(
                    answers=answers,
                    ready_mb=round(ready_mb, 1),
                    steady_mb=tuple(steady_mb),
                    peak_mb=round(process.peak_mb(daemon.pid), 1),
                    proportional_mb=_rounded(process.proportional_mb(daemon.pid)),
                    bare_mb=tuple(bare_mb),
                    threads=process.threads(daemon.pid),
                    cpu_ms_per_answer=round(1000 * spent_s / answers, 3),
                    written_bytes_per_answer=(process.storage_bytes(daemon.pid) - sent) // answers,
                )
    raise ValueError(f"memory: expected at least one run, found {runs}")


def _holding_mb(model: Path) -> float:
    with subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-c", _HOLDING, str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=own_environment(),
    ) as holder:
        if holder.stdout is None or holder.stdout.readline() != b"held\n":
            raise RuntimeError("the process that only holds the model did not start; see above")
        return process.resident_mb(holder.pid)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


class Checked:
    """
    A way from pictures to decisions that is held to its first answer to each of them.

    Args:
        way: Whether it ends in a history is its affair.
        captures: Different pictures; each is answered once now.
    """

    def __init__(self, way: Way, captures: Sequence[Capture]) -> None:
        self._way, self._captures = way, captures
        self._expected = [way.answer(capture)[0] for capture in captures]
        self.largest_difference = 0.0
        """Of a probability, from what was answered to the same picture first."""

    def answer(self, number: int) -> Mapping[str, int]:
        """Answer one picture after the other, round and round; returns its stages' nanoseconds."""
        place = number % len(self._captures)
        probability, stage_ns = self._way.answer(self._captures[place])
        difference = abs(probability - self._expected[place])
        self.largest_difference = max(self.largest_difference, difference)
        return stage_ns

    def require_right(self) -> None:
        """Raise RuntimeError if a picture was answered otherwise than before."""
        tolerance = self._way.classifier.manifest.golden.tolerance
        if self.largest_difference > tolerance:
            raise RuntimeError(
                f"a picture was answered otherwise than before, by {self.largest_difference:.2g} "
                f"where {tolerance:.2g} is allowed: its time does not count; run "
                "`python -m device doctor`"
            )


def single_stream(
    what: str, way: Way, captures: Sequence[Capture], queries: int, step: Step
) -> Stream:
    """
    Answer *captures* over and over, one at a time.

    Args:
        what: What a capture is, in words.
        way: Whether it ends in a history is its affair.
        captures: Different pictures; each is answered once before, to have an answer to compare
            with.
        queries: How many answers are timed.
        step: Told ten times.
    """
    golden_difference = way.classifier.self_test()
    checked = Checked(way, captures)
    stages: dict[str, list[float]] = {}
    sent, cpu_ns = process.storage_bytes(), time.process_time_ns()
    for number in range(queries):
        for name, spent_ns in checked.answer(number).items():
            stages.setdefault(name, []).append(spent_ns / 1e6)
        if number % max(1, queries // 10) == 0:
            step()
    cpu_ns, sent = time.process_time_ns() - cpu_ns, process.storage_bytes() - sent
    return Stream(
        what=what,
        stages={name: timing(samples_ms) for name, samples_ms in stages.items()},
        accuracy=Accuracy(
            answers=queries,
            largest_difference=checked.largest_difference,
            golden_difference=golden_difference,
            tolerance=way.classifier.manifest.golden.tolerance,
        ),
        harness_ms=_harness_ms(queries),
        cpu_ms_per_answer=round(cpu_ns / 1e6 / queries, 4),
        written_bytes_per_answer=sent // queries if way.records else None,
    )


def _harness_ms(queries: int) -> float:
    """Median time of a stage in which nothing happens, as the loop above times it."""
    spent_ms = []
    for _ in range(queries):
        began_ns = time.perf_counter_ns()
        spent_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
    return round(summarize(spent_ms).p50, 6)


def with_history(
    classifier: SelfTestingClassifier, measure: Callable[[Way], Stream], folder: Path | None
) -> Stream:
    """Measure a path that ends in a new history in *folder*, or in /tmp."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as name,
        open_history(HistorySettings(path=Path(name)), HistoryUse.BOX) as archive,
    ):
        return measure(Way(classifier, archive.record))


def offline(way: Way, captures: Sequence[Capture], pictures: int, step: Step) -> Offline:
    """Answer so many pictures, all of them at hand; RuntimeError if one is answered otherwise."""
    checked = Checked(way, captures)
    began_s = time.perf_counter()
    for number in range(pictures):
        checked.answer(number)
        if number % max(1, pictures // 10) == 0:
            step()
    spent_s = time.perf_counter() - began_s
    checked.require_right()
    return Offline(
        what="JPEG files of 600×450, decoded and answered one after the other",
        pictures=pictures,
        pictures_per_second=round(pictures / spent_s, 2),
    )


def presses(settings: Settings, count: int, step: Step, *, history: Path | None = None) -> Press:
    """Press the button of a whole box, each time after the answer before; history as above."""
    answers: list[Answer] = []

    def hear(answer: Answer | None) -> None:
        if answer is not None:
            answers.append(answer)

    whole_ms = []
    with (
        tempfile.TemporaryDirectory(dir=history) as name,
        pressing(Path(name), settings) as hand,
    ):
        stop = hand.box.bulletin.listen(hear)
        for number in range(count):
            record = hand.press()
            if record.lit_ns is None:
                raise RuntimeError(f"a press was not answered by the light: {record.outcome.value}")
            whole_ms.append((record.lit_ns - record.released_ns) / 1e6)
            if number % max(1, count // 10) == 0:
                step()
        stop()
    stages: dict[str, list[float]] = {}
    for answer in answers:
        for stage, spent_ns in answer.stage_ns.items():
            stages.setdefault(stage, []).append(spent_ns / 1e6)
    return Press(
        camera=settings.camera.kind,
        whole=timing(whole_ms),
        stages={stage: timing(samples_ms) for stage, samples_ms in stages.items()},
    )


def sustained(way: Way, captures: Sequence[Capture], seconds: float, step: Step) -> Sustained:
    """
    Answer without a pause; a board that gets hot shows it here.

    Raises RuntimeError if a picture is answered otherwise than before.
    """
    checked = Checked(way, captures)
    buckets = []
    began_s = time.perf_counter()
    number = 0
    while time.perf_counter() - began_s < seconds:
        bucket_s = time.perf_counter()
        spent_ms = []
        length_s = min(BUCKET_S, seconds)
        while time.perf_counter() - bucket_s < length_s:
            spent_ms.append(checked.answer(number)["total"] / 1e6)
            number += 1
        summary = summarize(spent_ms)
        buckets.append(
            Bucket(
                at_s=round(bucket_s - began_s, 1),
                count=summary.count,
                p50=round(summary.p50, 4),
                p90=round(summary.p90, 4),
            )
        )
        step()
    checked.require_right()
    return Sustained(seconds=round(time.perf_counter() - began_s, 1), buckets=tuple(buckets))


def threads(
    model: ModelSettings,
    counts: Sequence[int],
    capture: Capture,
    *,
    rounds: int,
    turn_s: float,
    step: Step,
) -> tuple[Threads, ...]:
    """Time inference and the whole path with as many threads as each of *counts*, in turns."""
    work: dict[str, Callable[[], object]] = {}
    for count in counts:
        classifier = load_classifier(model.model_copy(update={"threads": count}))
        input_HWC = _model_input(capture, classifier)
        way = Way(classifier)
        work[f"inference {count}"] = _with_threads(count, partial(classifier.classify, input_HWC))
        work[f"whole {count}"] = _with_threads(count, partial(way.answer, capture))
    found = in_turns(work, rounds=rounds, turn_s=turn_s, step=step)
    cv2.setNumThreads(1)
    return tuple(
        Threads(
            threads=count,
            inference=timing(found[f"inference {count}"]),
            whole=timing(found[f"whole {count}"]),
        )
        for count in counts
    )


def _with_threads(count: int, work: Callable[[], object]) -> Callable[[], object]:
    """Do *work* with OpenCV set as the daemon sets it when it loads such a model."""

    def done() -> object:
        cv2.setNumThreads(count)
        return work()

    return done


def _model_input(capture: Capture, classifier: SelfTestingClassifier) -> Pixels:
    if capture.pixels_HWC is None:
        raise RuntimeError("expected a capture of pixels, found a file")
    return prepare(capture.pixels_HWC, classifier.manifest.preprocess)
