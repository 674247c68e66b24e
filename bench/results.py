"""
What a run of the bench leaves: one record, as JSON, with all that is needed to judge it.

Times are milliseconds unless a name says otherwise; sizes end in their unit.  ``python -m
bench.results`` prints the JSON Schema of such a file, which is kept as ``docs/bench.schema.json``.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

FORMAT: Literal["edgederm-bench-1"] = "edgederm-bench-1"


class BenchError(Exception):
    """Why there is no measurement, and what to do; for the person who started it."""


class Record(BaseModel):
    """Frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Summary(Record):
    """Many samples in a few figures; see ``bench.samples``."""

    count: int
    p50: float
    p90: float
    p95: float
    p99: float
    low: float
    """Of the 95 % interval of the median."""
    high: float
    far_out: int
    """Samples more than ten median distances above the median; counted, not removed."""


class Timing(Record):
    """Milliseconds of one thing, every sample and its summary."""

    samples_ms: tuple[float, ...]
    summary: Summary


class Board(Record):
    """Which board was asked for, and which one it is."""

    asked: str
    found: str
    """Name in the device's catalogue of boards."""
    model: str
    """As the device tree says it; empty where there is none."""
    compatible: tuple[str, ...]

    @property
    def is_as_asked(self) -> bool:
        """False only in a run that was forced."""
        return self.asked in {"auto", self.found}


class Model(Record):
    """Which student answered."""

    name: str
    version: str
    sha256: str
    file_bytes: int
    parameters: int
    macs: int
    side_px: int


class Environment(Record):
    """What the run stood on."""

    machine: str
    processor: str
    cores: int
    memory_mb: float
    system: str
    kernel: str
    python: str
    versions: dict[str, str]
    """Of the libraries that take part."""
    commit: str | None
    """Of the sources; None where they are no repository."""
    governors: tuple[str, ...]
    """Of the cores, each named once; empty where the kernel shows none."""
    note: str
    """Cooling, supply and whatever else the person wants to remember."""


class Moment(Record):
    """How the board was at one moment of the run."""

    at_s: float
    """Since the start of the run."""
    celsius: float | None
    """The warmest sensor."""
    clock_mhz: float | None
    """The slowest core."""
    flags: tuple[str, ...]
    """What a Raspberry Pi complains of: ``under_voltage``, ``throttled`` and so on."""
    load: float
    """The system's mean of the last minute."""
    watt: float | None


class Condition(Record):
    """The board over the whole run."""

    moments: tuple[Moment, ...]
    waited_share: float | None
    """Share of the run in which this thread could have run and had to wait for a core."""
    warnings: tuple[str, ...]
    """What spoils the figures; empty after a clean run."""


class Start(Record):
    """From nothing to an answer, each in a process of its own, in turns."""

    bare_imports: Timing
    """A process that imports numpy, cv2, onnxruntime, fastapi and uvicorn, until they are there."""
    ready: Timing
    """The daemon, until ``/readyz`` says yes."""
    first_answer: Timing
    """The first ``GET /classify`` after that: nothing is warm but what the start warmed."""


class Memory(Record):
    """Of a daemon that has answered, beside a process that holds the model and does nothing."""

    answers: int
    ready_mb: float
    """Resident after the start."""
    steady_mb: tuple[float, ...]
    """Resident after the answers, once for each run."""
    peak_mb: float
    proportional_mb: float | None
    """PSS: pages that others have too count in part; None where the kernel does not say."""
    bare_mb: tuple[float, ...]
    """Resident: the five imports and a session of the same model, once for each run."""
    threads: int
    cpu_ms_per_answer: float
    """Of all threads, HTTP included."""
    written_bytes_per_answer: int
    """Sent to the storage, the history's log and database."""


class Accuracy(Record):
    """That what was timed also was right."""

    answers: int
    """Checked in the run, each against the picture's answer before it."""
    largest_difference: float
    """Of a probability."""
    golden_difference: float
    """Of the model's own golden case, from what its contract says."""
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether both differences are within the tolerance."""
        return max(self.largest_difference, self.golden_difference) <= self.tolerance


class Stream(Record):
    """MLPerf's single stream: the next picture comes when the last one is answered."""

    what: str
    stages: dict[str, Timing]
    """In the order in which they ran, ``total`` last; without history no ``database_commit``."""
    accuracy: Accuracy
    harness_ms: float
    """What the measuring itself takes: the same loop around nothing."""
    cpu_ms_per_answer: float
    written_bytes_per_answer: int | None
    """Sent to the storage; None without history."""


class Offline(Record):
    """MLPerf's offline: all pictures are at hand, how many a second."""

    what: str
    pictures: int
    pictures_per_second: float


class Press(Record):
    """From the release of the button to the light, through the whole box."""

    camera: str
    whole: Timing
    stages: dict[str, Timing]
    """``capture`` first; with a camera, exposure is in it."""


BUCKET_S = 10.0


class Bucket(Record):
    """Ten seconds of sustained work."""

    at_s: float
    count: int
    p50: float
    p90: float


class Sustained(Record):
    """As many answers as the board gives, for minutes."""

    seconds: float
    buckets: tuple[Bucket, ...]


class Threads(Record):
    """The same work with so many threads."""

    threads: int
    inference: Timing
    whole: Timing


class Form(Record):
    """The student's weights stored in another way."""

    name: str
    file_bytes: int
    inference: Timing
    largest_change: float
    """Of a probability over drawn pictures, from the file that ships."""


class Contestant(Record):
    """One network in one runtime, or one whole way, timed in turns with all others."""

    name: str
    what: str
    parameters: int | None = None
    macs: int | None = None
    side_px: int | None = None
    timing: Timing
    """One sample for each turn: the median of its repetitions."""


class Limits(Record):
    """The machine's own best, measured in the same turns."""

    gmacs_per_second: dict[str, float]
    """Single-precision matrix product, 1024 each way, one thread, by library."""
    copy_gb_per_second: float
    """Bytes read and written by a copy that no cache holds, one thread."""
    student_bytes: int | None
    """Weights and every intermediate result once written and once read, fp32; None without
    ``onnx``."""
    compute_ms: float
    """The student's multiply-adds at the best of the rates."""
    memory_ms: float | None
    """The student's bytes at the copy's rate."""
    share_of_peak: float
    """``compute_ms`` over the measured inference, 0 to 1."""
    datasheet: str | None = None
    """The board's peak by its data sheet and the share of it, for boards whose peak we know."""


class Energy(Record):
    """From a meter, if one was named."""

    source: str
    idle_watt: float | None
    watt: dict[str, float]
    """Mean, by section of the run."""
    millijoule_per_answer: float | None
    """Of the single stream, everything that the board draws included."""


class Section(Record):
    """When a part of the run was."""

    began_s: float
    ended_s: float


class BenchResult(Record):
    """All of it."""

    format: Literal["edgederm-bench-1"] = FORMAT
    started_at: datetime
    seconds: float
    command: str
    is_quick: bool
    """Few repetitions, to try the bench; no figure for anybody."""
    board: Board
    model: Model
    environment: Environment
    condition: Condition
    sections: dict[str, Section]
    left_out: tuple[str, ...]
    """What was asked for and could not be measured here, with the reason."""
    failed: tuple[str, ...] = ()
    """Parts that broke off, with the reason; what the others found is whole."""
    start: Start | None = None
    memory: Memory | None = None
    streams: dict[str, Stream] = Field(default_factory=dict)
    press: Press | None = None
    offline: Offline | None = None
    sustained: Sustained | None = None
    threads: tuple[Threads, ...] = ()
    forms: tuple[Form, ...] = ()
    networks: tuple[Contestant, ...] = ()
    """The student first."""
    ways: tuple[Contestant, ...] = ()
    """From a picture to a decision, and what they are measured by."""
    limits: Limits | None = None
    energy: Energy | None = None


def read_result(path: Path) -> BenchResult:
    """
    Read a result file.

    Raises:
        BenchError: It cannot be read, or is no result of this bench.
    """
    try:
        return BenchResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}; name a file of bench/run.py") from error
    except ValidationError as error:
        fault = error.errors()[0]
        raise BenchError(
            f"{path}: expected a result of the form {FORMAT}, found {fault['msg']} at "
            f"{'.'.join(map(str, fault['loc']))}; measure again with this version's bench/run.py"
        ) from error


def write_result(result: BenchResult, path: Path) -> None:
    """Write *result*, all of it on one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(result.model_dump_json() + "\n", encoding="utf-8")


if __name__ == "__main__":
    json.dump(BenchResult.model_json_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
