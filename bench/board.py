"""Which board this is, and what its makers say that it can do at most."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

from bench.results import BenchError, Board, Environment
from device.board.catalogue import AUTO, BOARDS
from device.board.detect import DEVICE_TREE, detect, read_device_tree

NAMES = (*BOARDS, AUTO)
_LIBRARIES = (
    "ai-edge-litert",
    "fastapi",
    "ncnn",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "pydantic",
    "uvicorn",
)
_GOVERNORS = "sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasheet:
    """The peak of one core, and of the memory."""

    core: str
    clock_mhz: int
    macs_per_cycle: int
    """Single precision, with the vector unit busy in every cycle."""
    memory_gb_per_second: float
    source: str

    @property
    def gmacs_per_second(self) -> float:
        """Of one core."""
        return self.clock_mhz * self.macs_per_cycle / 1000


DATASHEETS: Mapping[str, Datasheet] = MappingProxyType(
    {
        "pi4": Datasheet(
            core="Cortex-A72",
            clock_mhz=1800,
            macs_per_cycle=4,
            memory_gb_per_second=12.8,
            source="Raspberry Pi 4 product brief (1.8 GHz, LPDDR4-3200, 32 bits wide); Arm, "
            "Cortex-A72 Software Optimization Guide: one FMLA of four floats a cycle",
        ),
        "pi5": Datasheet(
            core="Cortex-A76",
            clock_mhz=2400,
            macs_per_cycle=8,
            memory_gb_per_second=17.1,
            source="Raspberry Pi 5 product brief (2.4 GHz, LPDDR4X-4267, 32 bits wide); Arm, "
            "Cortex-A76 Software Optimization Guide: two FMLA of four floats a cycle",
        ),
    }
)


def identify(asked: str, *, force: bool, device_tree: Path = DEVICE_TREE) -> Board:
    """
    Say which board this is.

    Args:
        asked: One of :data:`NAMES`.
        force: Take another board's name all the same; the result says so.
        device_tree: Where the kernel shows the tree's root.

    Raises:
        BenchError: The device tree tells of another board.
    """
    model, compatible = read_device_tree(device_tree)
    found = detect(model, compatible).name
    board = Board(asked=asked, found=found, model=model, compatible=compatible)
    if not (board.is_as_asked or force):
        told = f"a device tree of {model or compatible}" if compatible else "no device tree"
        raise BenchError(
            f"--board {asked}: expected that board, found {told} on {platform.machine()}, which "
            f"is `{found}`; say --board {found} or auto, or --force to note the mismatch"
        )
    return board


def environment(note: str, root: Path = Path("/")) -> Environment:
    """Describe what a run stands on."""
    return Environment(
        machine=platform.machine(),
        processor=_processor(root),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6),
        system=_system(root),
        kernel=platform.release(),
        python=platform.python_version(),
        versions={name: found for name in _LIBRARIES if (found := _version(name))},
        commit=commit(),
        governors=governors(root),
        note=note,
    )


def governors(root: Path = Path("/")) -> tuple[str, ...]:
    """Which governors the cores have, each named once."""
    return tuple(sorted({path.read_text().strip() for path in root.glob(_GOVERNORS)}))


def _processor(root: Path) -> str:
    for line in _lines(root / "proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip().lower() in {"model name", "cpu part"}:
            return value.strip()
    return platform.machine()


def _system(root: Path) -> str:
    for line in _lines(root / "etc/os-release"):
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """Return the commit of these sources, ``-dirty`` behind it where they differ; None without."""
    folder = Path(__file__).parents[1]
    if not (folder / ".git").exists():
        return None  # A release, or a repository that is not ours further up.
    found = []
    for command in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "-uno"]):
        done = subprocess.run(  # noqa: S603 - fixed verbs
            ["git", "-C", str(folder), *command],  # noqa: S607 - found on the path on purpose
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            return None
        found.append(done.stdout.strip())
    return found[0] + ("-dirty" if found[1] else "")
