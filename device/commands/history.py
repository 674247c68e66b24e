"""``python -m device history``: look at what the box remembers, hand it out, keep it safe."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from device.core.errors import HistoryError, HistoryFault, SettingsError
from device.core.ports import HistoryKeeping, HistoryUse
from device.core.results import MOST_RESULTS, ResultFilter
from device.settings import load_settings

ACTOR = "command line"
"""In the audit trail."""
_FILTERS = tuple(ResultFilter.model_fields)
_HELP = {
    "result": "benign, malignant, uncertain or retake",
    "source": "upload, or the kind of camera",
    "captured_from": "such as 2026-03-01T00:00:00Z",
    "captured_before": "such as 2026-04-01T00:00:00Z",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the verbs below ``history``."""
    verbs = parser.add_subparsers(dest="history_verb", required=True, metavar="WHAT")
    for name, function in VERBS.items():
        text = (function.__doc__ or "").strip().splitlines()[0]
        verb = verbs.add_parser(name, help=text, description=text)
        if name in {"list", "export"}:
            for wanted in _FILTERS:
                verb.add_argument(
                    f"--{wanted.replace('_', '-')}", metavar="VALUE", help=_HELP.get(wanted)
                )
        if name == "list":
            verb.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many")
        if name in {"show", "delete"}:
            verb.add_argument("id", metavar="ID")
        if name == "export":
            verb.add_argument(
                "--dataset", type=Path, metavar="DIR", help="pictures to train on, a new folder"
            )
            verb.add_argument(
                "file", nargs="?", type=Path, metavar="FILE", help="CSV; standard output if none"
            )
        if name in {"backup", "restore"}:
            verb.add_argument("file", type=Path, metavar="FILE")


def run(options: argparse.Namespace) -> int:
    """Look at the history, hand it out, keep it safe."""
    from device import compose

    settings = load_settings(options.settings)
    # A restore is what helps where there is no history yet, or a damaged one.
    use = HistoryUse.RESTORE if options.history_verb == "restore" else HistoryUse.LOOK
    with compose.open_history(settings.history, use) as archive:
        VERBS[options.history_verb](archive, options)
    return 0


def list_results(archive: HistoryKeeping, options: argparse.Namespace) -> None:
    """Print results, the newest first, one JSON object a line."""
    wanted, left, cursor = _wanted(options), options.limit, None
    while left > 0:
        page = archive.page(wanted, cursor=cursor, limit=min(left, MOST_RESULTS)).result()
        for result in page.results:
            _print(result.model_dump(mode="json"))
        left, cursor = left - len(page.results), page.next
        if cursor is None:
            break


def show(archive: HistoryKeeping, options: argparse.Namespace) -> None:
    """Print one result."""
    _print(archive.result(options.id).result().model_dump(mode="json"), indent=2)


def delete(archive: HistoryKeeping, options: argparse.Namespace) -> None:
    """Erase one result: gone from the database, its log and its free pages."""
    archive.delete(options.id, actor=ACTOR).result()
    _print({"erased": options.id})


def export(archive: HistoryKeeping, options: argparse.Namespace) -> None:
    """Write results as CSV, or pictures with consent and a diagnosis as a data set."""
    wanted = _wanted(options)
    if options.dataset is not None:
        if options.file is not None or wanted != ResultFilter():
            raise SettingsError("export: a data set takes no filter and no file, only its folder")
        count = archive.export_dataset(options.dataset, actor=ACTOR).result()
        _print({"dataset": str(options.dataset), "pictures": count})
        return
    head = archive.begin_export(actor=ACTOR).result()
    try:
        # "x": a file that is there already is not written over.
        with options.file.open("x", newline="") if options.file else nullcontext(sys.stdout) as out:
            out.write(head)
            cursor: int | None = None
            while True:
                text, cursor = archive.csv_page(wanted, cursor=cursor).result()
                out.write(text)
                if cursor is None:
                    break
    except BrokenPipeError:
        raise
    except OSError as error:
        raise HistoryError(
            HistoryFault.STORAGE,
            f"expected to write a new file {options.file}, found {error.strerror}",
        ) from error


def backup(archive: HistoryKeeping, options: argparse.Namespace) -> None:
    """Copy the whole history into one new file, while the box runs."""
    archive.back_up(options.file, actor=ACTOR).result()
    _print({"backup": str(options.file), "bytes": options.file.stat().st_size})


def restore(archive: HistoryKeeping, options: argparse.Namespace) -> None:
    """Put a backup in the place of the history, after it was found whole."""
    count = archive.restore(options.file, actor=ACTOR).result()
    _print({"restored": str(options.file), "results": count})


def prune(archive: HistoryKeeping, _options: argparse.Namespace) -> None:
    """Erase now what is too old or too much; for a timer, say once a day."""
    _print({"erased": archive.prune().result()})


def audit(archive: HistoryKeeping, _options: argparse.Namespace) -> None:
    """Print who did what to the history, the oldest first, one JSON object a line."""
    for entry in archive.audit_trail().result():
        _print(entry.model_dump(mode="json"))


VERBS: Mapping[str, Callable[[HistoryKeeping, argparse.Namespace], None]] = {
    "list": list_results,
    "show": show,
    "delete": delete,
    "export": export,
    "backup": backup,
    "restore": restore,
    "prune": prune,
    "audit": audit,
}


def _wanted(options: argparse.Namespace) -> ResultFilter:
    values = {name: getattr(options, name) for name in _FILTERS}
    try:
        return ResultFilter.model_validate(values)
    except ValidationError as error:
        faults = [
            f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("; ".join(faults)) from error


def _print(value: dict[str, Any], *, indent: int | None = None) -> None:
    print(json.dumps(value, indent=indent), flush=True)
