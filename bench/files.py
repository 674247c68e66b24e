"""
How fast files are answered: ``python -m bench.files [FILE ...]``.

Two figures: files a second through ``python -m device classify``, the start of Python and the
loading of the model included; and the whole way of a 4000×3000 JPEG against its bare decoding
and one area resize, pair by pair in one run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from bench.pictures import jpeg, large_picture, write_pictures
from device.compose import load_classifier
from device.core.stopwatch import Recorder
from device.core.values import Capture
from device.examine import examine
from device.settings import load_settings

_FILES = 300
_RUNS = 5
_PAIRS = 15


def files_per_second(paths: list[Path]) -> list[float]:
    """Time the command line on *paths*, several runs."""
    command = [sys.executable, "-m", "device", "classify", *map(str, paths)]
    rates = []
    for _ in range(_RUNS):
        started_ns = time.perf_counter_ns()
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - ourselves
        spent_s = (time.perf_counter_ns() - started_ns) / 1e9
        if len(done.stdout.splitlines()) != len(paths):
            raise RuntimeError(f"expected {len(paths)} answers, found another number")
        rates.append(len(paths) / spent_s)
    return rates


def large_picture_ratios() -> tuple[list[float], dict[str, float]]:
    """Whole way over bare decoding and resize, pairs in turn; and the stages of the last."""
    content = jpeg(large_picture())
    encoded = np.frombuffer(content, dtype=np.uint8)
    classifier = load_classifier(load_settings().model)
    side_px = classifier.manifest.input.side_px
    capture = Capture(source="file", captured_at=datetime.now(timezone.utc), encoded=content)
    ratios = []
    stages: dict[str, float] = {}
    for pair in range(_PAIRS + 1):
        started_ns = time.perf_counter_ns()
        image_HWC = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        cv2.resize(
            image_HWC,  # type: ignore[arg-type] # a file of our own decodes
            (side_px, side_px),
            interpolation=cv2.INTER_AREA,
        )
        between_ns = time.perf_counter_ns()
        answer = examine(capture, classifier, Recorder(time.perf_counter_ns), max_pixels=25_000_000)
        ended_ns = time.perf_counter_ns()
        if pair > 0:  # The first pair warms both up.
            ratios.append((ended_ns - between_ns) / (between_ns - started_ns))
            stages = {name: round(ns / 1e6, 3) for name, ns in answer.stage_ns.items()}
    return ratios, stages


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="pictures; drawn ones if none")
    paths = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        rates = files_per_second(paths or write_pictures(Path(folder), _FILES))
    ratios, stages = large_picture_ratios()
    print(
        json.dumps(
            {
                "files": len(paths) or _FILES,
                "files_per_second": _summary(rates),
                "12_megapixel_jpeg_over_decode_and_area_resize": _summary(ratios),
                "12_megapixel_jpeg_stages_ms": stages,
            },
            indent=2,
        )
    )


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "smallest": round(min(values), 3),
        "largest": round(max(values), 3),
        "runs": len(values),
    }


if __name__ == "__main__":
    main()
