"""
What a Raspberry Pi 4 would have to do: ``python -m bench.simulate [--forms] [--out FILE]``.

**Simulated, no board.**  An emulator of a Cortex-A72 runs the device's code with the libraries of
its lock, built for that machine, and counts instructions.  A count says nothing of caches, memory
or heat: it finds a change for the worse, and bounds a time only as far as the number of
instructions in a cycle is known.

Each part of the work is done N times in processes of their own, for three N; the differences are
free of the start, and how far apart they are is the noise.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from bench.board import commit
from bench.contest import stored
from bench.counted import SUFFIX
from device.compose import load_classifier
from device.settings import SHIPPED_MODEL, ModelSettings

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("resize", "stages", "all_stages", "all_stages_no_hair", "inference", "whole")
REPEATS = (2, 22, 42)
"""How often a part is done in each of the three processes."""
SHORT = {"resize": 10, "stages": 50, "all_stages": 5, "all_stages_no_hair": 5}
"""Parts that are done so many times as often: what Python does beside them is as large as they."""
FORMS = 5
"""Forms of the network are run so many times as often: the int8 ones vary more."""
MOST_NOISE = 0.005
MOST_PER_MAC = 0.7
MOST_STAGES = 2.0
"""Stages at the network's side over the inference."""
CPU = "cortex-a72"
CLOCKS_GHZ = (1.5, 1.8)
"""Raspberry Pi 4 Model B: earlier and later ones, https://www.raspberrypi.com/products/."""
INSTRUCTIONS_PER_CYCLE = (0.7, 1.6)
"""Assumed, not measured: the core decodes three in a cycle (Cortex-A72 software optimization guide,
Arm 2015), and no more than two of them may be arithmetic on vectors."""
_TOTAL = re.compile(r"^total insns: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Of one part of the work, done once."""

    instructions: int
    noise: float
    """Difference between the two halves of the measurement, over the count."""
    simulated_low_ms: float
    simulated_high_ms: float
    """See :func:`time_range_ms`."""


def time_range_ms(instructions: float) -> tuple[float, float]:
    """Shortest and longest time on a Pi 4, from the assumed instructions in a cycle and clocks."""
    per_ms = [
        ipc * clock * 1e6 for ipc, clock in zip(INSTRUCTIONS_PER_CYCLE, CLOCKS_GHZ, strict=True)
    ]
    return instructions / per_ms[1], instructions / per_ms[0]


def count_of(totals: Sequence[int], repeats: Sequence[int] = REPEATS) -> Count:
    """
    Take differences of what three processes counted.

    Args:
        totals: Instructions of each process.
        repeats: How often each did the work, rising.
    """
    first, second = (
        (totals[step + 1] - totals[step]) / (repeats[step + 1] - repeats[step]) for step in (0, 1)
    )
    whole = (totals[2] - totals[0]) / (repeats[2] - repeats[0])
    low_ms, high_ms = time_range_ms(whole)
    return Count(
        instructions=round(whole),
        noise=round(abs(first - second) / whole, 6),
        simulated_low_ms=round(low_ms, 2),
        simulated_high_ms=round(high_ms, 2),
    )


def read_total(log: str) -> int:
    """Read the emulator's count; raises ValueError if it wrote none."""
    found = _TOTAL.search(log)
    if found is None:
        raise ValueError(f"expected 'total insns: N' of the plugin, found {log[:200]!r}")
    return int(found[1])


def run_counted(emulator: Path, part: str, times: int) -> int:
    """Instructions of one process that does *part* so many *times*."""
    root = emulator / "root"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "count.log"
        command = [
            # The same addresses and environment each time; no cache of compiled files.
            "setarch", "-R", "env", "-i", "PYTHONHASHSEED=0", "OPENBLAS_NUM_THREADS=1", "HOME=/",
            f"PYTHONPATH={emulator / 'site'}:{ROOT}",
            str(emulator / "qemu" / "qemu-aarch64"), "-L", str(root), "-cpu", CPU,
            "-plugin", f"{emulator / 'qemu' / 'libinsn.so'},inline=on",
            "-d", "plugin", "-D", str(log),
            str(root / "usr/bin/python3.13"), "-B", "-m", "bench.counted", part, str(times),
        ]  # fmt: skip
        subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603 - our own emulator
        return read_total(log.read_text())


def count(emulator: Path, part: str) -> Count:
    """Count one part, or the network of an ONNX file."""
    more = FORMS if part.endswith(SUFFIX) else SHORT.get(part, 1)
    repeats = [more * times for times in REPEATS]
    totals = [run_counted(emulator, part, times) for times in repeats]
    found = count_of(totals, repeats)
    print(f"{Path(part).name}: {found}", file=sys.stderr)
    return found


def count_forms(emulator: Path, contents: Mapping[str, bytes]) -> dict[str, Count]:
    """Count the network alone in each form; *contents* are ONNX files by name."""
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, content) in enumerate(contents.items()):
            path = Path(folder) / f"{number}{SUFFIX}"
            path.write_bytes(content)
            counts[name] = count(emulator, str(path))
    return counts


def main() -> int:
    """Count, print one JSON object, and say with the exit status whether a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--forms",
        action="store_true",
        help="also count the network alone, stored in other ways (takes onnx: make bench)",
    )
    parser.add_argument("--out", type=Path, help="also write the result here")
    options = parser.parse_args()
    made = subprocess.run(  # noqa: S603 - our own script
        [ROOT / "bench" / "emulator.sh", sys.executable],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    emulator = Path(made.stdout.strip())
    counts = {part: count(emulator, part) for part in PARTS}
    manifest = load_classifier(ModelSettings()).manifest
    forms = {}
    if options.forms:
        contents = stored(SHIPPED_MODEL.read_bytes(), manifest.input.side_px)
        forms = count_forms(emulator, contents)
    result = report(
        counts, forms, macs=manifest.macs, model=f"{manifest.name} {manifest.version}"
    ) | {"commit": commit(), "counted_at": f"{datetime.now(timezone.utc):%Y-%m-%d}"}
    text = json.dumps(result, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")
    return 1 if result["missed"] else 0


def report(
    counts: Mapping[str, Count], forms: Mapping[str, Count], *, macs: int, model: str
) -> dict[str, object]:
    """
    Put the counts beside the bars.

    Args:
        counts: Of the parts of the work.
        forms: Of the network alone, stored in other ways; may be empty.
        macs: Multiply-adds of the network.
        model: Its name and version.
    """
    per_mac = counts["inference"].instructions / macs
    stages = counts["all_stages"].instructions / counts["inference"].instructions
    noise = max(count.noise for count in (*counts.values(), *forms.values()))
    bars = {
        "noise": noise <= MOST_NOISE,
        "instructions_per_mac": per_mac <= MOST_PER_MAC,
        "stages_over_inference": stages <= MOST_STAGES,
    }
    return {
        "simulated": f"instructions counted in an emulator of a {CPU}; no board was measured",
        "model": model,
        "macs": macs,
        "instructions_per_mac": round(per_mac, 3),
        "stages_over_inference": round(stages, 3),
        "noise": noise,
        "times_assume": {
            "clock_ghz": CLOCKS_GHZ,
            "instructions_per_cycle": INSTRUCTIONS_PER_CYCLE,
        },
        "counts": {part: asdict(count) for part, count in counts.items()},
        "forms": {name: asdict(count) for name, count in forms.items()},
        "missed": [name for name, is_met in bars.items() if not is_met],
    }


if __name__ == "__main__":
    sys.exit(main())
