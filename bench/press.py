"""
How long a press takes until it is answered: ``python -m bench.press [PRESSES]``.

Starts the box as it ships, with the replay camera and a simulated panel, presses the button so
many times (200), each time after the answer before, and prints the milliseconds from the kernel's
time of the release to the writing of the LEDs.  The 20 ms for which the button's line must be
quiet lie before the release, as on a board.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from device import compose
from device.core.panel import LightState, Panel, PressRecord
from device.panel.simulated import SimulatedLines
from device.settings import HistorySettings, PanelSettings, Settings

_PATIENCE_S = 60.0
_POLL_S = 0.001


def main() -> None:
    """Measure and print one JSON object."""
    presses = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    panel_settings = PanelSettings(kind="simulated")
    lines = SimulatedLines(debounce_s=panel_settings.debounce_ms / 1000)
    compose.PANELS["simulated"] = lambda _: lines  # type: ignore[index] # so that we can press it
    with tempfile.TemporaryDirectory() as folder:
        history = HistorySettings(path=Path(folder))
        with compose.appliance(Settings(panel=panel_settings, history=history)) as box:
            panel = box.panel
            if panel is None:
                raise RuntimeError("the box has no panel; look at device.compose.appliance")
            until(lambda: panel.status().state is LightState.READY)
            records = [press(lines, panel) for _ in range(presses)]
    latency_ms = np.array(
        [
            (record.lit_ns - record.released_ns) / 1e6
            for record in records
            if record.lit_ns is not None
        ]
    )
    p50_ms, p95_ms = np.percentile(latency_ms, [50, 95])
    result = {
        "presses": presses,
        "lit": len(latency_ms),
        "outcomes": Counter(record.outcome.value for record in records),
        "p50_ms": round(float(p50_ms), 1),
        "p95_ms": round(float(p95_ms), 1),
        "max_ms": round(float(latency_ms.max()), 1),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result))


def press(lines: SimulatedLines, panel: Panel) -> PressRecord:
    """Press once and wait for what comes of it."""
    released_ns = lines.tap()
    until(lambda: any(record.released_ns > released_ns for record in panel.status().presses[-1:]))
    return panel.status().presses[-1]


def until(is_so: Callable[[], bool]) -> None:
    """Wait until *is_so*, but not for ever: raises TimeoutError."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"expected an answer within {_PATIENCE_S:g} s, found none")
        time.sleep(_POLL_S)


if __name__ == "__main__":
    main()
