"""
Measure what the gate refuses, as Markdown.

``python -m training.evaluate.quality --data DATA/ham10000 --part test`` for real pictures,
``python -m training.evaluate.quality --drawn 200`` for drawn ones; both at once is fine.
With ``--page docs/quality.md`` all of it is measured, the test part apart, and written there.

Exit status 1 if the test part or the drawn pictures miss a bar: at most 3 % of all test pictures
and 5 % of any diagnosis refused; at least 95 % of each drawn kind refused for the right reason.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from device.classifier import OnnxClassifier
from device.core.errors import EdgeDermError
from training.data.readers import read_dataset
from training.data.splits import CALIBRATION, TEST, TRAIN, VALIDATION, read_split
from training.errors import DataError, RunError
from training.evaluate.marked_page import require_marks, write_tables
from training.evaluate.quality.study import (
    judge_cases,
    judge_drawn,
    table_of_drawn,
    table_of_real,
    table_of_reasons,
    too_often_refused,
    too_seldom_right,
)
from training.source import HAM10000_SPLIT

_PARTS = (TRAIN, VALIDATION, CALIBRATION, TEST)
_MODEL = Path("device/models/student.onnx")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; exit status 0 done, 1 an error that is explained, 2 wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.page is not None and (options.data is None or not options.drawn):
        parser.error("--page takes all figures: give --data and --drawn too")
    groups = [[TEST], [TRAIN, VALIDATION, CALIBRATION]] if options.page else [options.part]
    try:
        if options.page is not None:
            require_marks(options.page)  # Before the minutes that measuring takes.
        text, missed = _measure(options, groups if options.data is not None else [])
        if options.page is None:
            print(text)
        else:
            write_tables(text, options.page)
    except (DataError, EdgeDermError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for bar in missed:
        print(f"missed: {bar}", file=sys.stderr)
    return 1 if missed else 0


def _measure(options: argparse.Namespace, groups: Sequence[Sequence[str]]) -> tuple[str, list[str]]:
    """Return the tables, and the bars that were missed."""
    classifier = OnnxClassifier(options.model)
    identity = classifier.identity
    told = [f"`{identity.name} {identity.version}`, SHA-256 `{identity.sha256}`."]
    missed: list[str] = []
    if groups:
        split, cases = read_split(options.split), read_dataset(options.data)
    for parts in groups:
        chosen = [case for part in parts for case in split.cases(cases, part)]
        judged = judge_cases(classifier, chosen)
        title = f"{', '.join(parts).capitalize()}, {len(judged):,} pictures:"
        told += [title, table_of_real(judged), table_of_reasons(judged)]
        if parts == [TEST]:
            missed += too_often_refused(judged)
    if options.drawn:
        judged = judge_drawn(classifier, options.drawn, first_seed=options.seed)
        title = f"Drawn, {options.drawn} of each kind, from seed {options.seed:,} on:"
        told += [title, table_of_drawn(judged)]
        missed += too_seldom_right(judged)
    return "\n\n".join(told), missed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.quality", description=__doc__
    )
    parser.add_argument("--data", type=Path, help="set of record")
    parser.add_argument(
        "--part",
        choices=_PARTS,
        nargs="+",
        default=[TRAIN, VALIDATION, CALIBRATION],
        help="which parts; the test part is for the figure at the end alone",
    )
    parser.add_argument("--split", type=Path, default=HAM10000_SPLIT, help="who is in which part")
    parser.add_argument("--drawn", type=int, default=0, help="drawn pictures of each bad kind")
    parser.add_argument("--seed", type=int, default=20_000, help="of the first drawn picture")
    parser.add_argument("--model", type=Path, default=_MODEL, help="ONNX file with a contract")
    parser.add_argument(
        "--page", type=Path, help="page between whose two marks all tables go; measures all parts"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
