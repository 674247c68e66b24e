"""What the kernel knows about a process: memory, processor time, threads, bytes to the storage."""

from __future__ import annotations

import os
from pathlib import Path

_MB = 1e6


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB (10^6 bytes), as the kernel shows it."""
    return _status_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """The most resident memory that a process ever had, MB."""
    return _status_mb(pid, "VmHWM")


def proportional_mb(pid: int) -> float | None:
    """Memory with shared pages counted in part, MB; None where the kernel does not say."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / _MB for line in lines if line.startswith("Pss:")), 0)


def threads(pid: int) -> int:
    """How many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used, its threads included."""
    # The name in parentheses may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def storage_bytes(pid: int | str = "self") -> int:
    """Bytes that a process caused to be sent to the storage; 0 where the kernel does not say."""
    return written(pid).get("write_bytes", 0)


def written(pid: int | str = "self") -> dict[str, int]:
    """Return ``/proc/PID/io``: ``wchar`` handed to the system, ``write_bytes`` to the storage."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return {}
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def waited_s() -> float | None:
    """
    Seconds for which this thread could have run and had to wait for a core.

    None where the kernel does not count it.  Source: the kernel's "Scheduler Statistics".
    """
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return None


def _status_mb(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / _MB
    raise RuntimeError(f"/proc/{pid}/status: expected {field}, found none; has the process ended?")
