"""
What this machine can do at best: multiply matrices, and copy memory.

A network's multiply-adds cannot be done faster than those of a large matrix product, nor can its
bytes come faster than those of a plain copy.  How near the student is to that is the share of the
peak.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.board import DATASHEETS
from bench.daemon import own_environment
from bench.results import Contestant, Limits
from bench.turns import Work

SIDE = 1024
_COPY_BYTES = 64 * 2**20
"""Larger than the caches of anything that a box is made of."""
# Torch belongs to training; here it is another program, asked for one product at a time.
_TORCH = f"""
import sys, torch
torch.set_num_threads(1)
a, b, c = (torch.rand({SIDE}, {SIDE}) for _ in range(3))
with torch.inference_mode():
    for _ in sys.stdin:
        torch.mm(a, b, out=c)
        print(flush=True)
"""
_TRAINING = Path(__file__).parents[1] / ".venv-dev/bin/python"
"""Where `make test` puts torch."""
PRODUCT = "matrix product in "
TORCH = "torch"
COPY = "copy of memory"


@contextmanager
def contestants(product: Callable[[], object] | None) -> Iterator[dict[str, Work]]:
    """
    Yield what to time, by name: the product in every library that is here, and a copy.

    Args:
        product: The same in ONNX Runtime; None where its graph cannot be written.
    """
    rng = np.random.default_rng(0)
    a, b = (rng.random((SIDE, SIDE), dtype=np.float32) for _ in range(2))
    c = np.empty_like(a)
    source = np.ones(_COPY_BYTES // 8)
    target = np.empty_like(source)
    work: dict[str, Work] = {
        f"{PRODUCT}NumPy": lambda: np.matmul(a, b, out=c),
        COPY: lambda: np.copyto(target, source),
    }
    if product is not None:
        work[f"{PRODUCT}ONNX Runtime"] = product
    for python in (Path(sys.executable), _TRAINING):
        version = _version_of_torch(python)
        if version is not None:
            with _torch(python) as multiply:
                work[f"{PRODUCT}{TORCH} {version}"] = multiply
                yield work
            return
    yield work


def _version_of_torch(python: Path) -> str | None:
    """Return which torch an interpreter has; None without it."""
    if not python.is_file():
        return None
    asked = subprocess.run(  # noqa: S603 - ours
        [python, "-c", "import torch; print(torch.__version__)"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() if asked.returncode == 0 else None


@contextmanager
def _torch(python: Path) -> Iterator[Work]:
    with subprocess.Popen(  # noqa: S603 - ourselves
        [python, "-c", _TORCH],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=own_environment(),
    ) as process:
        into, out = process.stdin, process.stdout
        if into is None or out is None:
            raise RuntimeError("a process without pipes")

        def multiply() -> None:
            into.write(b"\n")
            if not out.readline():
                raise RuntimeError("torch's process ended; see above")

        yield multiply


def limits(
    found: Mapping[str, Contestant],
    *,
    macs: int,
    moved_bytes: int | None,
    inference_ms: float,
    board: str,
) -> Limits:
    """
    Put the machine's best beside the student.

    Args:
        found: What was timed, by name; see :func:`contestants`.
        macs: Multiply-adds of the student.
        moved_bytes: See ``bench.student.moved_bytes``.
        inference_ms: Its median.
        board: Name in the catalogue.
    """
    rates = {
        name.removeprefix(PRODUCT): round(SIDE**3 / each.timing.summary.p50 / 1e6, 2)
        for name, each in found.items()
        if name.startswith(PRODUCT)
    }
    copied = 2 * _COPY_BYTES / found[COPY].timing.summary.p50 / 1e6
    compute_ms = macs / max(rates.values()) / 1e6
    sheet = DATASHEETS.get(board)
    told = None
    if sheet is not None:
        peak = sheet.gmacs_per_second
        told = (
            f"{sheet.core} at {sheet.clock_mhz} MHz: {peak:.1f} GMAC/s, of which the student "
            f"reaches {macs / inference_ms / 1e6 / peak:.0%}; memory "
            f"{sheet.memory_gb_per_second:g} GB/s. Source: {sheet.source}."
        )
    return Limits(
        gmacs_per_second=rates,
        copy_gb_per_second=round(copied, 2),
        student_bytes=moved_bytes,
        compute_ms=round(compute_ms, 4),
        memory_ms=None if moved_bytes is None else round(moved_bytes / copied / 1e6, 4),
        share_of_peak=round(compute_ms / inference_ms, 4),
        datasheet=told,
    )
