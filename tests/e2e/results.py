"""
Put together what both halves of the tests measured, and keep it if that is wanted.

Run by ``run.sh`` when all tests have passed, with its own arguments.
"""

import argparse
import json
import os
import time
from pathlib import Path

from tests.e2e.board import PATIENCE, ROOT


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--kills")
    options, others = parser.parse_known_args()
    began_s = int(os.environ["EDGEDERM_E2E_BEGAN"])
    halves = [
        json.loads(path.read_text())
        for path in sorted((ROOT / "var/e2e").glob("*/times.json"))
        if path.stat().st_mtime >= began_s
    ]
    found = {
        **{name: value for half in halves for name, value in half.items()},
        **json.loads(os.environ["EDGEDERM_E2E_PREPARED"]),
        "tests passed": sum(half["tests passed"] for half in halves),
        "whole run": round(time.time() - began_s),
        "patience": PATIENCE,
        "load at the end": round(os.getloadavg()[0], 1),
    }
    write(found, ROOT / "var/e2e/times.json")
    if options.results is None:
        return
    if others:  # Some tests alone change their own figures alone.
        measured = {name: value for half in halves for name, value in half.items()}
        measured.pop("tests passed", None)
        kept = json.loads(options.results.read_text()) if options.results.exists() else {}
        # Of other sources, perhaps, than those that stand in the file.
        alone = {name: measured.pop(name, None) for name in ("commit", "model")}
        found = {**kept, **measured, "measured alone": {**alone, "figures": sorted(measured)}}
    write(found, options.results)


def write(found, path):
    path.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
