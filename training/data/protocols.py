"""
Ways to part pictures that should not be used, to measure what they would claim; and ours.

Near-perfect accuracies on these sets come from protocols in which test pictures, or others of the
same lesions, are trained on.  Each of those protocols can be trained and judged under here, is
recorded in the run, and is called by its name wherever a figure of it is printed.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from training.data.case import Case
from training.data.splits import (
    CALIBRATION,
    GROUPED,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    Split,
)
from training.errors import DataError, RunError

RANDOM, PAPER, SIBLINGS_IN, SIBLINGS_OUT = "random", "paper", "siblings-in", "siblings-out"
WARNINGS: Mapping[str, str] = {
    RANDOM: "inflated by design: other pictures of test lesions are in training",
    PAPER: "inflated by design: test pictures have copies in training",
    SIBLINGS_IN: "inflated by design: other pictures of some test lesions are in training",
    SIBLINGS_OUT: "one arm of the leak measurement: judged on a part of the test pictures only",
}
"""What is said of every figure; the grouped protocol needs no warning."""
PROTOCOLS = (GROUPED, *WARNINGS)
COPIES = 3
"""Of each picture of the more frequent label, the picture itself included."""
COPY_MARK = "#"
"""Stands between a picture's name and the number of its copy."""
_SHARES = {TEST: 0.20, CALIBRATION: 0.05, VALIDATION: 0.05}
"""Of the pictures, cut at random: 80/20, and what this project needs besides out of the 80."""


def parted(protocol: str, cases: Sequence[Case], split: Split) -> tuple[list[Case], Split]:
    """
    Part *cases* by a protocol; every part repeats from the pictures' names.

    ``grouped`` is *split* itself.  ``random`` parts pictures one by one.  ``paper`` multiplies
    the pictures first, the rarer label more often, so that both are equally frequent, draws other
    acquisition effects over each copy, and parts the copies one by one.  ``siblings-in`` and
    ``siblings-out`` judge the same test pictures; half of the pictures of each test lesion that
    has several are not judged, and are trained on in the one, where as many other pictures of the
    same diagnoses give way, and in the other not.

    Args:
        protocol: Of :data:`PROTOCOLS`.
        cases: The set of record.
        split: The grouped one, which names all *cases*.

    Returns:
        The cases, copies included, and their places.  A group still tells which pictures show
        one lesion, so intervals are drawn by lesion in every protocol.

    Raises:
        DataError: The split does not know a case, or no lesion of the test part has several
            pictures.
        RunError: There is no such protocol.
    """
    if protocol not in PROTOCOLS:
        raise RunError(f"protocol {protocol!r}: expected one of {', '.join(PROTOCOLS)}")
    unknown = [case.image_id for case in cases if case.image_id not in split.part_of]
    if unknown:
        raise DataError("split", unknown, "these pictures are in no part; make a new split")
    if protocol == GROUPED:
        return list(cases), split
    if protocol in {RANDOM, PAPER}:
        found = _copied(cases) if protocol == PAPER else list(cases)
        group_of = {case.image_id: split.group_of[original(case.image_id)] for case in found}
        # Pictures of further sets, which are trained on beside, keep their places.
        return found, Split(
            group_of={**split.group_of, **group_of},
            part_of={**split.part_of, **_one_by_one(list(group_of))},
            protocol=protocol,
        )
    return list(cases), _with_siblings(cases, split, protocol)


def original(image_id: str) -> str:
    """Return the name of the picture that *image_id* is a copy of, or itself."""
    return image_id.partition(COPY_MARK)[0]


def is_copy(image_id: str) -> bool:
    """Tell whether acquisition effects are drawn over the picture before anything else."""
    return COPY_MARK in image_id


def siblings_trained_on(split: Split, image_ids: Sequence[str]) -> list[bool]:
    """Tell of each picture whether another one of its group is in the train part."""
    trained = {split.group_of[name] for name, part in split.part_of.items() if part == TRAIN}
    return [split.group_of[name] in trained for name in image_ids]


def _copied(cases: Sequence[Case]) -> list[Case]:
    """Every case several times, so that both labels are about equally frequent."""
    counts = Counter(case.malignant for case in cases)
    times = {label: round(COPIES * max(counts.values()) / count) for label, count in counts.items()}
    return [
        case if copy == 0 else replace(case, image_id=f"{case.image_id}{COPY_MARK}{copy}")
        for case in cases
        for copy in range(times[case.malignant])
    ]


def _one_by_one(image_ids: Sequence[str]) -> dict[str, str]:
    """Part names in the order of their digests: at random, and the same again."""
    queue = iter(sorted(image_ids, key=_digest))
    part_of: dict[str, str] = {}
    for part, share in _SHARES.items():
        part_of |= {next(queue): part for _ in range(math.ceil(share * len(image_ids)))}
    return part_of | dict.fromkeys(queue, TRAIN)


def _with_siblings(cases: Sequence[Case], split: Split, protocol: str) -> Split:
    """Part pictures for one arm of the leak measurement."""
    part_of = dict(split.part_of)
    lesions: dict[str, list[Case]] = defaultdict(list)
    for case in sorted(split.cases(cases, TEST), key=lambda case: _digest(case.image_id)):
        lesions[split.group_of[case.image_id]].append(case)
    siblings = [case for pictures in lesions.values() for case in pictures[: len(pictures) // 2]]
    if not siblings:
        raise DataError(
            "leak measurement",
            ["every test lesion has one picture"],
            "take a set in which some lesions have several",
        )
    part_of |= dict.fromkeys((case.image_id for case in siblings), UNUSED)
    if protocol == SIBLINGS_IN:
        part_of |= dict.fromkeys((case.image_id for case in siblings), TRAIN)
        # As many give way as come in, diagnosis by diagnosis: the arms differ in nothing else.
        leaving = Counter(_label(case) for case in siblings)
        trained = split.cases(cases, TRAIN)
        for case in sorted(trained, key=lambda case: _digest(case.image_id)):
            if leaving[_label(case)] > 0:
                leaving[_label(case)] -= 1
                part_of[case.image_id] = UNUSED
    return replace(split, part_of=part_of, protocol=protocol)


def _label(case: Case) -> str:
    return case.diagnosis or ("malignant" if case.malignant else "benign")


def _digest(name: str) -> str:
    # Another prefix than that of the grouped split, so that the two are independent.
    return hashlib.sha256(f"protocol {name}".encode()).hexdigest()
