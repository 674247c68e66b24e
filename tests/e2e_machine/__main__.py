"""
All tests of the machine tier, in two halves side by side, each with a machine of its own.

Run by ``run.sh`` (``make e2e-machine``).  Other options are pytest's, for both halves: ``-k``
chooses.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.e2e.board import empty_folder
from tests.e2e_machine.conftest import ARTIFACTS, TIMES
from tests.e2e_machine.deployment import measured
from tests.e2e_machine.side_by_side import side_by_side

HERE = Path(__file__).parent
HALVES = {
    "panel": ("test_1_press.py", "test_2_watchdog.py"),
    "ribbon": ("test_3_ribbon.py", "test_4_walls.py"),
}
NO_TESTS = 5
"""pytest's exit status when of the tests that were asked for none is in a half."""


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.e2e_machine", allow_abbrev=False)
    parser.add_argument("--results", type=Path, help="keep what was measured, if all tests passed")
    options, others = parser.parse_known_args()
    if options.results and others:
        parser.error(f"results are kept of all tests: leave out --results or {' '.join(others)}")
    empty_folder(ARTIFACTS)
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    pytest += ["--override-ini=norecursedirs=.hypothesis", *others]
    log = ARTIFACTS / "ribbon.txt"
    statuses = side_by_side(
        {
            name: ["env", f"EDGEDERM_E2E_HALF={name}", *pytest, *(HERE / file for file in files)]
            for name, files in HALVES.items()
        },
        {"ribbon": log},
    )
    print(log.read_text(), flush=True)
    ran = [status for status in statuses.values() if not (others and status == NO_TESTS)]
    if any(ran) or not ran:
        return 1
    paths = [ARTIFACTS / name / TIMES for name in HALVES]
    halves = [json.loads(path.read_text()) for path in paths if path.exists()]
    # What both measured is told by the slower one.
    found = {}
    for name, value in (item for half in halves for item in half.items()):
        found[name] = max(value, found.get(name, value))
    found["tests passed"] = sum(half["tests passed"] for half in halves)
    text = measured(found)
    (ARTIFACTS / TIMES).write_text(text)
    if options.results:
        options.results.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
