"""The order of a run: which parts there are, what each measures, and the one record of all."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from subprocess import SubprocessError
from types import MappingProxyType
from typing import Any

from bench import contest, pictures, scenarios
from bench.board import environment
from bench.box import Way, WithEveryStage, file_capture, frame_capture
from bench.conditions import Meter, Watch
from bench.results import BenchError, BenchResult, Board, Model, Section
from bench.scenarios import Step
from device.board import BOARDS
from device.compose import load_classifier
from device.core.errors import EdgeDermError
from device.core.ports import SelfTestingClassifier
from device.core.values import Capture, Pixels
from device.settings import ModelSettings, Settings

FRAME_PX = (1520, 2028)
"""Height and width of the frame that a Raspberry Pi's HQ camera gives the box."""
_PHOTO_PX = (3000, 4000)
_FRAMES = 4
_UPLOADS = 16
_MOST_THREADS = 4
_IDLE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often everything is done."""

    queries: int = 1024
    """MLPerf asks for at least as many."""
    photos: int = 128
    pictures: int = 1024
    presses: int = 200
    starts: int = 7
    answers: int = 1000
    daemons: int = 1
    """That give so many answers; five where it counts against a bar."""
    rounds: int = 9
    turn_s: float = 0.4
    sustained_s: float = 300.0


QUICK = Counts(
    queries=32,
    photos=5,
    pictures=32,
    presses=5,
    starts=1,
    answers=20,
    rounds=3,
    turn_s=0.02,
    sustained_s=3.0,
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be measured, and of what."""

    board: Board
    sections: tuple[str, ...]
    model_path: Path
    settings: Settings
    """Of the box whose camera and panel a press goes through."""
    with_peers: bool
    counts: Counts = field(default_factory=Counts)
    history: Path | None = None
    """On the storage to be measured; /tmp if None."""
    meter: Meter | None = None
    note: str = ""
    command: tuple[str, ...] = ()

    @property
    def model(self) -> ModelSettings:
        """The student, one thread."""
        return ModelSettings(path=self.model_path)

    @cached_property
    def classifier(self) -> SelfTestingClassifier:
        """The student, loaded once for all parts."""
        return load_classifier(self.model)

    @cached_property
    def frames(self) -> list[Pixels]:
        """Different frames, drawn."""
        height_px, width_px = FRAME_PX
        return [
            pictures.large_picture(height_px=height_px, width_px=width_px, seed=3 + number)
            for number in range(_FRAMES)
        ]

    @cached_property
    def photo(self) -> bytes:
        """A JPEG file of 12 megapixels, drawn."""
        height_px, width_px = _PHOTO_PX
        return pictures.jpeg(pictures.large_picture(height_px=height_px, width_px=width_px))

    @cached_property
    def uploads(self) -> list[Capture]:
        """JPEG files of 600×450, drawn."""
        return [file_capture(file) for file in pictures.files(_UPLOADS)]


Found = Mapping[str, Any]
"""Fields of the result."""


def _start(plan: Plan, step: Step) -> Found:
    counts = plan.counts
    return {"start": scenarios.start(plan.model_path, counts.starts, step, history=plan.history)}


def _memory(plan: Plan, step: Step) -> Found:
    counts = plan.counts
    return {
        "memory": scenarios.memory(
            plan.model_path, counts.answers, counts.daemons, step, history=plan.history
        )
    }


def _frames(plan: Plan, step: Step) -> Found:
    frames = [frame_capture(frame_HWC) for frame_HWC in plan.frames]
    height_px, width_px = FRAME_PX
    frame = scenarios.with_history(
        plan.classifier,
        lambda way: scenarios.single_stream(
            f"a frame of {width_px}×{height_px}", way, frames, plan.counts.queries, step
        ),
        plan.history,
    )
    return {"streams": {"frame": frame}}


def _stages(plan: Plan, step: Step) -> Found:
    way = Way(plan.classifier)
    spec = plan.classifier.manifest.preprocess
    return {
        "streams": {
            "upload": scenarios.single_stream(
                "a JPEG file of 600×450", way, plan.uploads, plan.counts.queries, step
            ),
            "photo": scenarios.single_stream(
                "a JPEG file of 4000×3000",
                way,
                [file_capture(plan.photo)],
                plan.counts.photos,
                step,
            ),
            "six_stages": scenarios.single_stream(
                "a frame under hair, all six stages",
                Way(WithEveryStage(plan.classifier)),
                [frame_capture(pictures.under_hair(frame_HWC, spec)) for frame_HWC in plan.frames],
                plan.counts.photos,
                step,
            ),
        }
    }


def _presses(plan: Plan, step: Step) -> Found:
    settings = plan.settings.model_copy(update={"model": plan.model})
    return {"press": scenarios.presses(settings, plan.counts.presses, step, history=plan.history)}


def _offline(plan: Plan, step: Step) -> Found:
    way = Way(plan.classifier)
    return {"offline": scenarios.offline(way, plan.uploads, plan.counts.pictures, step)}


def _threads(plan: Plan, step: Step) -> Found:
    most = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    return {
        "threads": scenarios.threads(
            plan.model,
            range(1, most + 1),
            frame_capture(plan.frames[0]),
            rounds=plan.counts.rounds,
            turn_s=plan.counts.turn_s,
            step=step,
        )
    }


def _forms(plan: Plan, step: Step) -> Found:
    forms = contest.forms(
        plan.model_path.read_bytes(),
        plan.classifier,
        rounds=plan.counts.rounds,
        turn_s=plan.counts.turn_s,
        step=step,
    )
    return {"forms": forms}


def _networks(plan: Plan, step: Step) -> Found:
    networks, limits, left_out = contest.networks(
        plan.model_path.read_bytes(),
        plan.classifier,
        board=plan.board.found,
        with_peers=plan.with_peers,
        rounds=plan.counts.rounds,
        turn_s=plan.counts.turn_s,
        step=step,
    )
    return {"networks": networks, "limits": limits, "left_out": left_out}


def _ways(plan: Plan, step: Step) -> Found:
    ways = contest.ways(
        plan.classifier,
        plan.frames[0],
        plan.photo,
        rounds=plan.counts.rounds,
        turn_s=plan.counts.turn_s,
        step=step,
    )
    return {"ways": ways}


def _sustained(plan: Plan, step: Step) -> Found:
    frames = [frame_capture(frame_HWC) for frame_HWC in plan.frames]
    way = Way(plan.classifier)
    return {"sustained": scenarios.sustained(way, frames, plan.counts.sustained_s, step)}


def _idle(plan: Plan, step: Step) -> Found:  # noqa: ARG001 - nothing is done on purpose
    time.sleep(_IDLE_S)
    return {}


SECTIONS: Mapping[str, Callable[[Plan, Step], Found]] = MappingProxyType(
    {
        "idle": _idle,
        "start": _start,
        "memory": _memory,
        "frames": _frames,
        "stages": _stages,
        "presses": _presses,
        "offline": _offline,
        "threads": _threads,
        "forms": _forms,
        "networks": _networks,
        "ways": _ways,
        "sustained": _sustained,
    }
)
"""In the order in which they run."""
ALWAYS = (
    "start", "memory", "frames", "stages", "presses", "offline", "threads", "forms", "networks",
)  # fmt: skip
FOR_BARS = ("start", "memory", "networks", "ways")


def _in_memory(folder: Path) -> list[str]:
    """Say so if what is written to *folder* reaches no storage."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    mounts = {Path(line.split()[1]): line.split()[2] for line in lines}
    place = folder.resolve()
    kind = next((mounts[each] for each in (place, *place.parents) if each in mounts), "unknown")
    if kind not in {"tmpfs", "ramfs"}:
        return []
    return [f"the storage: {folder} lies in memory; name a folder on the card: --history DIR"]


def measure(plan: Plan, begin: Callable[[str], Step]) -> BenchResult:
    """
    Measure everything that *plan* asks for.

    Args:
        plan: What and of what.
        begin: Told the name of each part; returns what is told that it goes on.
    """
    started_at = datetime.now(timezone.utc)
    fields: dict[str, Any] = {}
    left_out = _in_memory(plan.history or Path(tempfile.gettempdir()))
    failed: list[str] = []
    sections: dict[str, Section] = {}
    limit_celsius = BOARDS[plan.board.found].thermal_limit_celsius
    with ExitStack() as stack:
        watch = stack.enter_context(Watch(plan.meter, limit_celsius=limit_celsius))
        for name, step in _begun(plan, begin):
            began_s = watch.at_s
            try:
                found = dict(SECTIONS[name](plan, step))
            except BenchError as error:
                left_out.append(str(error))
                continue
            except (
                EdgeDermError,
                OSError,
                RuntimeError,
                SubprocessError,
                ValueError,
            ) as error:
                # What the other parts found is kept: they took minutes.
                failed.append(f"{name}: {str(error) or type(error).__name__}")
                continue
            left_out += found.pop("left_out", ())
            found["streams"] = fields.get("streams", {}) | found.get("streams", {})
            fields |= found
            sections[name] = Section(began_s=round(began_s, 2), ended_s=round(watch.at_s, 2))
        condition = watch.condition()
    if plan.meter is not None:
        answers = None
        if "streams" in fields:
            answers = ("frames", fields["streams"]["frame"].stages["total"].summary.p50 / 1000)
        fields["energy"] = plan.meter.energy(
            started_at.timestamp(), condition.moments, sections, answers=answers
        )
    identity, manifest = plan.classifier.identity, plan.classifier.manifest
    return BenchResult(
        started_at=started_at,
        seconds=round((datetime.now(timezone.utc) - started_at).total_seconds(), 1),
        command=shlex.join(plan.command),
        is_quick=plan.counts == QUICK,
        board=plan.board,
        model=Model(
            name=identity.name,
            version=identity.version,
            sha256=identity.sha256,
            file_bytes=plan.model_path.stat().st_size,
            parameters=manifest.parameters,
            macs=manifest.macs,
            side_px=manifest.input.side_px,
        ),
        environment=environment(plan.note),
        condition=condition,
        sections=sections,
        left_out=tuple(left_out),
        failed=tuple(failed),
        **fields,
    )


def _begun(plan: Plan, begin: Callable[[str], Step]) -> Iterator[tuple[str, Step]]:
    for name in SECTIONS:
        if name in plan.sections:
            yield name, begin(name)
