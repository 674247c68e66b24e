"""
What a box costs that runs for long: ``python -m bench.soak [PRESSES] [ANSWERS] [IDLE_S]``.

A daemon with the replay camera idles for IDLE_S seconds (60) with the preview closed, then answers
ANSWERS requests (1,000): its share of one core, and its memory after them.  Then a box with a
simulated panel, in this process, is pressed PRESSES times (10,000), each time after the answer
before: its rows, and how its memory grew after the first 1,000 (of fewer presses, the first
tenth; then buffers are still filling).

Prints one JSON object; exit status 1 if a bar was missed.  The bars: below 1 % of a core; below
150 MB; a row for each press; at most 2 MB more for the presses after the first 1,000.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.box import pressing
from bench.daemon import serving
from bench.process import cpu_s, resident_mb
from device.core.ports import History
from device.core.results import MOST_RESULTS, ResultFilter
from device.service.memory import use_one_arena
from device.settings import SHIPPED_MODEL

MOST_IDLE_SHARE = 0.01
MOST_ANSWERED_MB = 150.0
MOST_GROWTH_MB = 2.0
_FIRST_PRESSES = 1000
_SETTLING_S = 5.0
_PATIENCE_S = 60.0


def main() -> int:
    """Measure and print; the exit status."""
    presses, answers, idle_s = _numbers(sys.argv[1:], (10_000, 1_000, 60))
    result = {**_daemon(answers, float(idle_s)), **_pressed(presses)}
    result["load"] = round(os.getloadavg()[0], 1)
    missed = [name for name, is_met in _bars(result).items() if not is_met]
    print(json.dumps({**result, "missed": missed}, indent=2))
    return 1 if missed else 0


def _bars(result: dict[str, float]) -> dict[str, bool]:
    return {
        "idle_share": result["idle_share"] < MOST_IDLE_SHARE,
        "answered_mb": result["answered_mb"] < MOST_ANSWERED_MB,
        "rows": result["rows"] == result["presses"],
        "growth_mb": result["growth_mb"] <= MOST_GROWTH_MB,
    }


def _daemon(answers: int, idle_s: float) -> dict[str, float]:
    with serving(SHIPPED_MODEL) as daemon:
        # What a start leaves to be done is no idling.
        time.sleep(_SETTLING_S)
        before_s, began_s = cpu_s(daemon.pid), time.monotonic()
        time.sleep(idle_s)
        share = (cpu_s(daemon.pid) - before_s) / (time.monotonic() - began_s)
        for _ in range(answers):
            daemon.classify()
        return {
            "idle_s": idle_s,
            "idle_share": round(share, 5),
            "answers": answers,
            "answered_mb": round(resident_mb(daemon.pid), 1),
        }


def _pressed(presses: int) -> dict[str, float]:
    use_one_arena()  # as ``serve`` does
    first = min(_FIRST_PRESSES, max(1, presses // 10))
    first_mb = 0.0
    with tempfile.TemporaryDirectory() as folder, pressing(Path(folder), debounce_ms=1) as hand:
        for number in range(presses):
            hand.press()
            if number + 1 == first:
                first_mb = _settled_mb()
        growth_mb = _settled_mb() - first_mb
        rows = _rows(hand.box.history)
    return {
        "presses": presses,
        "rows": rows,
        "first_presses": first,
        "first_mb": round(first_mb, 2),
        "growth_mb": round(growth_mb, 2),
    }


def _rows(history: History) -> int:
    """Count the results one by one, as whoever looks for one would."""
    count, cursor = 0, None
    while True:
        page = history.page(ResultFilter(), cursor=cursor, limit=MOST_RESULTS).result(_PATIENCE_S)
        count, cursor = count + len(page.results), page.next
        if cursor is None:
            return count


def _settled_mb() -> float:
    """Memory of this process without what merely waits to be collected."""
    gc.collect()
    return resident_mb(os.getpid())


def _numbers(given: list[str], usual: tuple[int, ...]) -> list[int]:
    return [int(given[place]) if place < len(given) else each for place, each in enumerate(usual)]


if __name__ == "__main__":
    sys.exit(main())
