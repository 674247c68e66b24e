"""
Let a model prove itself where it can do no harm: in a process of its own, with limits.

A signature tells who made a model, not that it works.  A graph may ask for more memory than the
board has, or never come to an end; then the kernel ends that process, and the box goes on.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import device
from device.core.errors import BundleError, BundleFault
from device.core.values import ModelIdentity

MOST_ANSWER_BYTES = 64 * 1024
_TOLD = 600
_NICENESS = 10
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a proof may cost."""

    memory_bytes: int = 256 * 2**20
    """Of address space beyond what the libraries take; a model that ships needs a tenth."""
    cpu_s: int = 60
    wall_s: int = 180
    """The box goes on answering meanwhile, so the processor is shared."""


USUAL = Limits()


def limit_this_process(limits: Limits) -> None:
    """
    Set limits for good; called by the process that proves, before it reads anything.

    The libraries must be loaded already: what they take differs from board to board.

    Threads: the only one.
    """
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    taken_bytes = pages * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, taken_bytes + limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    # Should whoever waits for it be gone, it ends all the same.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(limits.wall_s)
    # When memory or the processor run short, it is this process that shall go or wait.  A hardened
    # service may not be allowed to say so; the limits above hold all the same.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with suppress(OSError):
        os.nice(_NICENESS)


def prove(content: bytes, keys: Path, *, limits: Limits = USUAL) -> ModelIdentity:
    """
    Let a bundle's model answer its golden cases in a process of its own.

    Args:
        content: The whole bundle.
        keys: Folder of the keys that count.
        limits: What it may cost.

    Raises:
        BundleError: It answers otherwise, or not within the limits.

    Threads: any; waits for the other process.
    """
    command = [sys.executable, "-m", "device", "model", "prove", "--keys", str(keys.absolute())]
    for name in ("memory_bytes", "cpu_s", "wall_s"):
        command += [f"--{name.replace('_', '-')}", str(getattr(limits, name))]
    try:
        done = subprocess.run(  # noqa: S603 - our own program, with our own arguments
            command,
            input=content,
            capture_output=True,
            timeout=limits.wall_s,
            check=False,
            cwd="/",
            env=_environment(os.environ),
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise _failed(f"no answer within {limits.wall_s} s", "") from None
    if done.returncode:
        raise _failed(_ending(done.returncode, limits), _last_line(done.stderr))
    try:
        answer = json.loads(done.stdout[:MOST_ANSWER_BYTES])
        return ModelIdentity(
            name=answer["name"], version=answer["version"], sha256=answer["sha256"]
        )
    except (ValueError, KeyError, TypeError):
        raise _failed("no sensible answer", _last_line(done.stdout)) from None


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Nothing that sets the box up otherwise than it is asked to."""
    kept = {name: given[name] for name in _KEPT_VARIABLES if name in given}
    package = str(Path(device.__file__).resolve().parents[1])
    return {
        **kept,
        "PYTHONPATH": package,
        "PYTHONSAFEPATH": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # glibc reserves much for each further thread that asks for memory.
        "MALLOC_ARENA_MAX": "1",
    }


def _ending(status: int, limits: Limits) -> str:
    if status > 0:
        return "the model does not answer as it must"
    if -status == signal.SIGALRM:
        return f"no answer within {limits.wall_s} s"
    if -status in {signal.SIGXCPU, signal.SIGKILL}:
        return f"more than {limits.cpu_s} s of processor time, or more memory than there is"
    return f"ended by {signal.Signals(-status).name}"


def _last_line(output: bytes) -> str:
    lines: Sequence[str] = output[-4096:].decode("utf-8", "replace").strip().splitlines()
    return lines[-1][-_TOLD:] if lines else ""


def _failed(what: str, said: str) -> BundleError:
    return BundleError(
        BundleFault.PROOF,
        f"expected all golden cases answered within the limits, found: {what}"
        f"{f' ({said})' if said else ''}; the model in use stays",
    )
