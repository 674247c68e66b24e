"""
What it costs to remember an answer: ``python -m bench.history [--folder DIR]``.

Memory cards wear by what is written, so the first figure is bytes for each answer: those that the
process hands to the system, and those that the system sends to the storage (whole pages, the log
and the database after it; the file system's own journal is not seen).  The second is how long the
commit takes, beside a bare append of 1 KiB with ``fsync`` in the same folder; the third, how long a
search takes that finds nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from bench.pictures import large_picture
from bench.process import written
from device.compose import load_classifier, open_history
from device.core.manifest import PreprocessSpec
from device.core.ports import HistoryUse
from device.core.results import ResultFilter
from device.core.stopwatch import Recorder
from device.core.values import Answer, Capture
from device.examine import examine
from device.settings import HistorySettings, ModelSettings

_ANSWERS = 2000
_PICTURES = 200
_APPENDS = 200
_SEARCHES = 5


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="on the storage to be measured; else /tmp")
    folder = parser.parse_args().folder
    capture = Capture(
        source="replay",
        captured_at=datetime.now(timezone.utc),
        pixels_HWC=large_picture(height_px=1520, width_px=2028),
    )
    classifier = load_classifier(ModelSettings())
    answer = examine(capture, classifier, Recorder(time.perf_counter_ns), max_pixels=25_000_000)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        appends = bare_appends(Path(name))
        plain = remember(Path(name) / "plain", capture, answer, count=_ANSWERS)
        kept = remember(
            Path(name) / "kept",
            capture,
            answer,
            count=_PICTURES,
            spec=classifier.manifest.preprocess,
        )
    print(
        json.dumps(
            {
                "bare_append_with_fsync_ms": appends,
                "without_pictures": plain,
                "with_pictures": kept,
            },
            indent=2,
        )
    )


def bare_appends(folder: Path) -> dict[str, float]:
    """Milliseconds of the least that a durable record can cost."""
    spent_ns = []
    with (folder / "appends").open("wb", buffering=0) as file:
        for _ in range(_APPENDS):
            started_ns = time.perf_counter_ns()
            file.write(bytes(1024))
            os.fsync(file.fileno())
            spent_ns.append(time.perf_counter_ns() - started_ns)
    return _percentiles_ms(spent_ns)


def remember(
    folder: Path,
    capture: Capture,
    answer: Answer,
    *,
    count: int,
    spec: PreprocessSpec | None = None,
) -> dict[str, object]:
    """Record *count* answers in a new history, with pictures if their *spec* is given."""
    spent_ns = []
    archive = open_history(HistorySettings(path=folder), HistoryUse.BOX)
    if spec is not None:
        archive.keep_pictures(spec, longest_px=1024, max_pixels=25_000_000)
    before = written()
    with archive:
        for _ in range(count):
            started_ns = time.perf_counter_ns()
            archive.record(capture, replace(answer, captured_at=datetime.now(timezone.utc)))
            spent_ns.append(time.perf_counter_ns() - started_ns)
        searched_ns = []
        for _ in range(_SEARCHES):
            started_ns = time.perf_counter_ns()
            archive.page(ResultFilter(source="nowhere"), cursor=None, limit=50).result()
            searched_ns.append(time.perf_counter_ns() - started_ns)
    after = written()  # Closing has copied the log into the database.
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {
        "answers": count,
        "bytes_handed_to_the_system_per_answer": (after["wchar"] - before["wchar"]) // count,
        "bytes_sent_to_the_storage_per_answer": (after["write_bytes"] - before["write_bytes"])
        // count,
        "bytes_kept_per_answer": size // count,
        "commit_ms": _percentiles_ms(spent_ns),
        "search_of_all_ms": round(statistics.median(searched_ns) / 1e6, 2),
    }


def _percentiles_ms(spent_ns: list[int]) -> dict[str, float]:
    cuts = statistics.quantiles(spent_ns, n=100)
    return {f"p{rank}": round(cuts[rank - 1] / 1e6, 3) for rank in (50, 95, 99)}


if __name__ == "__main__":
    main()
