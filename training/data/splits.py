"""
Who is trained on, who is judged on: groups of pictures that must never be parted.

A group is a lesion, joined with everything that shows the same lesion.  The parts are cut
once by hash, written to a file, and read by every later step.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.case import Case
from training.data.duplicates import Match
from training.errors import DataError

TRAIN, VALIDATION, CALIBRATION, TEST = "train", "validation", "calibration", "test"
AUDIT_NAME = "audit.json"
SPLIT_NAME = "split.csv"
"""Of what an audit leaves in its folder."""
GROUPED = "grouped"
"""The protocol of record; for the others see ``protocols.py``."""
UNUSED = "unused"
"""Part of a picture that would carry a lesion from one part into another."""
_PARTS = (TRAIN, VALIDATION, CALIBRATION, TEST, UNUSED)
_COLUMNS = ("image_id", "group", "part")
SHARES = {TEST: 0.205, CALIBRATION: 0.12, VALIDATION: 0.10}
"""Of the images of each stratum, cut in this order; the rest is for training."""
RULE = (
    "groups of lesion_id, confirmed duplicates and near duplicates, sorted by SHA-256 of the "
    "group key within each diagnosis; the first 20.5 % of the images are test, the next 12 % "
    "calibration, the next 10 % validation, the rest train"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The group and the part of every picture, by ``image_id``."""

    group_of: Mapping[str, str]
    part_of: Mapping[str, str]
    protocol: str = GROUPED

    def cases(self, cases: Iterable[Case], part: str) -> list[Case]:
        """
        Return the cases of *part*, in their order.

        Raises:
            DataError: Naming every case that the split does not know.
        """
        cases = list(cases)
        unknown = [case.image_id for case in cases if case.image_id not in self.part_of]
        if unknown:
            raise DataError("split", unknown, "these pictures are in no part; make a new split")
        return [case for case in cases if self.part_of[case.image_id] == part]

    def restricted(self, cases: Iterable[Case]) -> Split:
        """Return the places of *cases* alone; those that have none stay without."""
        names = [case.image_id for case in cases if case.image_id in self.part_of]
        return Split(
            group_of={name: self.group_of[name] for name in names},
            part_of={name: self.part_of[name] for name in names},
            protocol=self.protocol,
        )

    @property
    def sha256(self) -> str:
        """Digest of who is in which group and part."""
        lines = (f"{i},{self.group_of[i]},{self.part_of[i]}\n" for i in sorted(self.part_of))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def group(
    cases: Sequence[Case],
    *,
    confirmed_pairs: Iterable[tuple[str, str]] = (),
    matches: Iterable[Match] = (),
) -> dict[str, str]:
    """
    Join pictures of one lesion.

    Args:
        cases: All pictures of the set of record.
        confirmed_pairs: ``image_id`` pairs (with or without data set) known to be one lesion.
        matches: Near duplicates, by position in *cases*.

    Returns:
        Group key by ``image_id``: the smallest name in the group.

    Raises:
        DataError: Naming every confirmed picture that is not among the cases.
    """
    names = [case.lesion_id or case.image_id for case in cases]
    name_of = dict(zip((case.image_id for case in cases), names, strict=True))
    short = {case.image_id.rsplit("/", 1)[-1]: case.image_id for case in cases}
    pairs = [(names[match.first], names[match.second]) for match in matches]
    problems = []
    for pair in confirmed_pairs:
        first, second = (short.get(name, name) for name in pair)
        unknown = [name for name in (first, second) if name not in name_of]
        problems += [f"{name}: no such picture" for name in unknown]
        if not unknown:
            pairs.append((name_of[first], name_of[second]))
    if problems:
        raise DataError("confirmed duplicates", problems, "name pictures of the set of record")
    roots = _joined(names, pairs)
    return {case.image_id: roots[name] for case, name in zip(cases, names, strict=True)}


def _joined(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for each name the smallest one that a chain of *pairs* joins it to."""
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return {name: root(name) for name in parent}


def make_split(cases: Sequence[Case], group_of: Mapping[str, str]) -> Split:
    """
    Part the groups by the rule of :data:`RULE`.

    A group whose pictures carry several diagnoses (copies between sets know less) counts in
    the stratum of the first picture that has one.
    """
    images: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        images[group_of[case.image_id]].append(case)
    strata: dict[str, list[str]] = defaultdict(list)
    for key, members in images.items():
        known = next((case.diagnosis for case in members if case.diagnosis), None)
        strata[known or ("malignant" if members[0].malignant else "benign")].append(key)
    part_of_group: dict[str, str] = {}
    for keys in strata.values():
        keys.sort(key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        total = sum(len(images[key]) for key in keys)
        queue = iter(keys)
        for part, share in SHARES.items():
            count = 0
            for key in queue:
                part_of_group[key] = part
                count += len(images[key])
                if count >= share * total:
                    break
        part_of_group |= dict.fromkeys(queue, TRAIN)
    split = Split(
        group_of=dict(group_of),
        part_of={case.image_id: part_of_group[group_of[case.image_id]] for case in cases},
    )
    assert_no_leak(split)
    return split


def extend_split(split: Split, cases: Sequence[Case], matches: Iterable[Match]) -> Split:
    """
    Add the pictures of further sets; whoever has a place keeps it.

    A picture that shows the same as one of the set of record, directly or through other
    pictures, inherits its group and its part.  All others are for training: figures of record
    are taken on the set of record alone.  A picture that shows the same as lesions of several
    parts is :data:`UNUSED`, because it would carry one into the other.

    Args:
        split: Of the set of record.
        cases: All pictures, those of *split* included.
        matches: Near duplicates, by position in *cases*.
    """
    names = [split.group_of.get(case.image_id) or case.lesion_id or case.image_id for case in cases]
    known = [case.image_id in split.part_of for case in cases]
    roots = _joined(
        names,
        # Two that have a place already were judged when they got it.
        [
            (names[m.first], names[m.second])
            for m in matches
            if not (known[m.first] and known[m.second])
        ],
    )
    places: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for case, name in zip(cases, names, strict=True):
        if case.image_id in split.part_of:
            places[roots[name]].add((split.part_of[case.image_id], name))
    group_of, part_of = dict(split.group_of), dict(split.part_of)
    for case, name in zip(cases, names, strict=True):
        if case.image_id in split.part_of:
            continue
        found = sorted(places[roots[name]])
        if len({part for part, _ in found}) > 1:
            part, key = UNUSED, case.image_id
        else:
            part, key = found[0] if found else (TRAIN, roots[name])
        group_of[case.image_id], part_of[case.image_id] = key, part
    extended = Split(group_of=group_of, part_of=part_of)
    assert_no_leak(extended)
    return extended


def assert_no_leak(split: Split) -> None:
    """
    Raise DataError if any group stands in two parts.

    Called when a split is made and again whenever one is read.
    """
    parts: dict[str, set[str]] = defaultdict(set)
    for image_id, part in split.part_of.items():
        parts[split.group_of[image_id]].add(part)
    torn = [f"{key}: {sorted(found)}" for key, found in sorted(parts.items()) if len(found) > 1]
    if torn:
        raise DataError("split", torn, "these groups are in several parts; make a new split")


def write_split(path: Path, split: Split) -> None:
    """Write *split* as CSV with one row a picture, sorted by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows((i, split.group_of[i], split.part_of[i]) for i in sorted(split.part_of))


def read_split(path: Path) -> Split:
    """Read what :func:`write_split` wrote, and check it for leaks."""
    if not path.is_file():
        raise DataError(f"split {path}", ["no such file"], "make it with `training audit`")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    _check_rows(path, rows)
    split = Split(
        group_of={row["image_id"]: row["group"] for row in rows},
        part_of={row["image_id"]: row["part"] for row in rows},
    )
    assert_no_leak(split)
    return split


def _check_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Raise DataError, naming every row of a split file that is not one."""
    if not rows or set(rows[0]) != set(_COLUMNS):
        found = ", ".join(rows[0]) if rows else "nothing"
        raise DataError(
            f"split {path}", [f"found {found}"], f"expected the columns {', '.join(_COLUMNS)}"
        )
    counts = Counter(row["image_id"] for row in rows)
    problems = [f"{name}: {count} rows" for name, count in counts.items() if count > 1]
    problems += [
        f"{row['image_id']}: part {row['part']!r}" for row in rows if row["part"] not in _PARTS
    ]
    if problems:
        raise DataError(f"split {path}", problems, f"expected one of {', '.join(_PARTS)}, once")


def part_sizes(split: Split) -> dict[str, int]:
    """Number of pictures in each part."""
    counts = Counter(split.part_of.values())
    return {part: counts[part] for part in (TRAIN, VALIDATION, CALIBRATION, TEST)}
