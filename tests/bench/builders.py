"""Small valid results of the bench."""

from datetime import UTC, datetime

from bench.results import (
    BenchResult,
    Board,
    Condition,
    Contestant,
    Environment,
    Limits,
    Memory,
    Model,
    Start,
)
from bench.scenarios import timing


def a_result(**changes):
    """As of a run in which nothing was measured yet."""
    fields = {
        "started_at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "seconds": 60.0,
        "command": "python bench/run.py",
        "is_quick": False,
        "board": Board(asked="auto", found="generic", model="", compatible=()),
        "model": Model(
            name="student",
            version="1",
            sha256="ab" * 32,
            file_bytes=400_000,
            parameters=200_000,
            macs=2**30,
            side_px=128,
        ),
        "environment": Environment(
            machine="x86_64",
            processor="a processor",
            cores=2,
            memory_mb=2000,
            system="a system",
            kernel="6",
            python="3.11.2",
            versions={"numpy": "2"},
            commit="abc",
            governors=(),
            note="",
        ),
        "condition": Condition(moments=(), waited_share=0.0, warnings=()),
        "sections": {},
        "left_out": (),
    }
    return BenchResult(**{**fields, **changes})


def a_contestant(name, *samples_ms, macs=None):
    return Contestant(
        name=name,
        what="somehow",
        parameters=macs,
        macs=macs,
        side_px=224,
        timing=timing(samples_ms),
    )


def a_memory(**changes):
    fields = {
        "answers": 1000,
        "ready_mb": 100.0,
        "steady_mb": (120.0,),
        "peak_mb": 130.0,
        "proportional_mb": 110.0,
        "bare_mb": (100.0,),
        "threads": 7,
        "cpu_ms_per_answer": 5.0,
        "written_bytes_per_answer": 9000,
    }
    return Memory(**{**fields, **changes})


def a_start(bare_ms, ready_ms):
    return Start(
        bare_imports=timing(bare_ms), ready=timing(ready_ms), first_answer=timing([9.0] * 5)
    )


def some_limits(**changes):
    fields = {
        "gmacs_per_second": {"NumPy": 100.0},
        "copy_gb_per_second": 10.0,
        "student_bytes": 8_000_000,
        "compute_ms": 1.0,
        "memory_ms": 0.8,
        "share_of_peak": 0.5,
    }
    return Limits(**{**fields, **changes})
