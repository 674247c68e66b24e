"""
Measure what the gate refuses, as Markdown.

``python -m training.evaluate.quality --data DATA/ham10000 --part test`` for real pictures,
``python -m training.evaluate.quality --drawn 200`` for drawn ones; both at once is fine.
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
from training.errors import DataError
from training.evaluate.quality.study import (
    judge_cases,
    judge_drawn,
    table_of_drawn,
    table_of_real,
    table_of_reasons,
)
from training.source import HAM10000_SPLIT

_PARTS = (TRAIN, VALIDATION, CALIBRATION, TEST)
_MODEL = Path("device/models/student.onnx")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; exit status 0 done, 1 an error that is explained, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        classifier = OnnxClassifier(options.model)
        if options.data is not None:
            split, cases = read_split(options.split), read_dataset(options.data)
            chosen = [case for part in options.part for case in split.cases(cases, part)]
            judged = judge_cases(classifier, chosen)
            print(f"{' and '.join(options.part)}:\n\n{table_of_real(judged)}\n")
            print(table_of_reasons(judged))
        if options.drawn:
            print(table_of_drawn(judge_drawn(classifier, options.drawn, first_seed=options.seed)))
    except (DataError, EdgeDermError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


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
    return parser


if __name__ == "__main__":
    sys.exit(main())
