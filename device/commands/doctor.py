"""``python -m device doctor``: what works, what does not, and what to do about it."""

from __future__ import annotations

import argparse
import sys

from device.core.checkup import Finding, Verdict
from device.core.errors import SettingsError
from device.settings import load_settings

_MARKS = {Verdict.OK: "ok     ", Verdict.WARNING: "warning", Verdict.FAILURE: "FAILURE"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Look at camera, button, model, disk, clock, permissions, heat and files; say what to do."""
    from device import compose_checkup

    worst = Verdict.OK
    try:
        settings = load_settings(options.settings)
    except SettingsError as error:
        _print(
            Finding(
                part="settings",
                verdict=Verdict.FAILURE,
                found=str(error),
                remedy="mend the file or the environment; the keys stand in docs/settings.md",
            ),
            as_json=options.json,
        )
        return 1
    for finding in compose_checkup.examine_box(settings):
        _print(finding, as_json=options.json)
        if finding.verdict is Verdict.FAILURE:
            worst = Verdict.FAILURE
    return 1 if worst is Verdict.FAILURE else 0


def _print(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        print(finding.model_dump_json(), flush=True)
        return
    print(f"{_MARKS[finding.verdict]}  {finding.part}: {finding.found}", flush=True)
    if finding.remedy is not None:
        print(f"         -> {finding.remedy}", flush=True)
    sys.stdout.flush()
