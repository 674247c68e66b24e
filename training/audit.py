"""
What a random split of these pictures would leak, and the split that leaks nothing.

The first data set is the set of record: its groups and parts depend on nothing but itself.
Further sets are held against it, and their pictures inherit the places of those they copy.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from device.core.manifest import DIAGNOSES
from training.data.case import Case
from training.data.duplicates import SAME_PICTURE, Match, matches, read_confirmed_pairs, thumbnails
from training.data.fingerprint import fingerprint
from training.data.readers import read_dataset
from training.data.splits import (
    AUDIT_NAME,
    CALIBRATION,
    RULE,
    SPLIT_NAME,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    Split,
    extend_split,
    group,
    make_split,
    part_sizes,
    write_split,
)
from training.errors import DataError

DRAWS = 200
NAIVE_TEST_SHARE = 0.2
_SEED = 0
_PARTS = (TRAIN, VALIDATION, CALIBRATION, TEST, UNUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """How many test pictures have a sibling (another picture of their lesion) in training."""

    share: float
    """Of all test pictures, 0 to 1; mean over the draws."""
    low: float
    high: float
    """Between these lie 95 % of the draws."""
    share_of_lesions_with_several: float
    """Of those test pictures whose lesion has several pictures at all."""
    draws: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Pictures of one set that show the same as a picture of another, or of their own set."""

    dataset: str
    shown_in: str
    pictures: int
    """Of *dataset*, that have at least one such match."""
    pairs: int
    of: int
    """Pictures in *dataset*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Everything that was found, and the split."""

    record: str
    """Name of the set of record."""
    images: Mapping[str, int]
    """Pictures by data set."""
    naive_by_lesion: Leak | None
    """Siblings by ``lesion_id`` alone, as published counts give them; None without lesions."""
    naive_by_group: Leak
    """Siblings by our groups, which know the duplicates too."""
    ours: float
    """Share of test pictures with a sibling in another part; zero, or no split is made."""
    largest_group: tuple[str, int]
    """Key and number of pictures, in the set of record."""
    joined_groups: int
    """Lesions that duplicates joined to another one, in the set of record."""
    overlaps: Sequence[Overlap]
    threshold: float
    """Correlation of thumbnails from which two pictures count as the same."""
    fingerprint: str
    """Of the set of record."""
    split: Split
    diagnoses: Mapping[str, Mapping[str, int]]
    """Pictures by part and diagnosis, in the set of record."""


def audit_datasets(
    record: Path,
    further: Sequence[Path] = (),
    *,
    duplicates: Path | None = None,
    draws: int = DRAWS,
    threshold: float = SAME_PICTURE,
) -> Audit:
    """
    Read the sets, find what is in them twice, and part the pictures.

    Args:
        record: Root of the set of record.
        further: Roots of further sets.
        duplicates: CSV of confirmed pairs in the set of record.
        draws: Random splits whose leak is averaged.
        threshold: Correlation of thumbnails, see :data:`training.data.duplicates.SAME_PICTURE`.

    Raises:
        DataError: A set cannot be read, or two sets bear the same name.
    """
    sets = [read_dataset(root) for root in (record, *further)]
    names = [cases[0].dataset.split("/")[0] for cases in sets]
    twice = [f"{name}: more than one set" for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError("audit", twice, "name each set once, and rename folders that share a name")
    small = [thumbnails(cases) for cases in sets]
    found = {
        (a, b): matches(small[a], None if a == b else small[b], threshold=threshold)
        for a in range(len(sets))
        for b in range(a, len(sets))
    }
    pairs = [] if duplicates is None else read_confirmed_pairs(duplicates)
    group_of = group(sets[0], confirmed_pairs=pairs, matches=found[0, 0])
    of_record = split = make_split(sets[0], group_of)
    if further:
        everything = [case for cases in sets for case in cases]
        split = extend_split(of_record, everything, _shifted(found, [len(c) for c in sets]))
    sizes = Counter(group_of.values())
    lesions = [case.lesion_id for case in sets[0]]
    return Audit(
        record=names[0],
        images=dict(zip(names, (len(cases) for cases in sets), strict=True)),
        naive_by_lesion=None if None in lesions else naive_leak(lesions, draws=draws),
        naive_by_group=naive_leak([group_of[case.image_id] for case in sets[0]], draws=draws),
        ours=leak_of_split(of_record),
        largest_group=sizes.most_common(1)[0],
        joined_groups=len({case.lesion_id or case.image_id for case in sets[0]}) - len(sizes),
        overlaps=[
            _overlap(found[a, b], names, sets, a, b) for b in range(len(sets)) for a in range(b + 1)
        ],
        threshold=threshold,
        fingerprint=fingerprint(sets[0]),
        split=split,
        diagnoses=count_diagnoses(sets[0], of_record),
    )


def naive_leak(
    siblings: Sequence[str | None],
    *,
    draws: int = DRAWS,
    test_share: float = NAIVE_TEST_SHARE,
    seed: int = _SEED,
) -> Leak:
    """
    Measure what parting pictures at random, one by one, leaks.

    Args:
        siblings: For each picture the name of its lesion or group.
        draws: Random splits.
        test_share: Of the pictures, 0 to 1.
        seed: Of the draws.
    """
    group_N = np.unique(np.asarray(siblings, dtype=str), return_inverse=True)[1]
    several_N = np.bincount(group_N)[group_N] > 1
    rng = np.random.default_rng(seed)
    shares, of_several = np.empty(draws), np.empty(draws)
    for draw in range(draws):
        is_test_N = np.zeros(len(group_N), dtype=bool)
        is_test_N[rng.permutation(len(group_N))[: round(test_share * len(group_N))]] = True
        leaked_N = is_test_N & _has_sibling_outside(group_N, is_test_N)
        shares[draw] = leaked_N.sum() / max(1, is_test_N.sum())
        of_several[draw] = leaked_N.sum() / max(1, (is_test_N & several_N).sum())
    low, high = np.percentile(shares, (2.5, 97.5))
    return Leak(
        share=float(shares.mean()),
        low=float(low),
        high=float(high),
        share_of_lesions_with_several=float(of_several.mean()),
        draws=draws,
    )


def leak_of_split(split: Split) -> float:
    """Return the share of test pictures that have a sibling in another part."""
    names = sorted(split.part_of)
    group_N = np.unique([split.group_of[name] for name in names], return_inverse=True)[1]
    is_test_N = np.array([split.part_of[name] == TEST for name in names])
    leaked_N = is_test_N & _has_sibling_outside(group_N, is_test_N)
    return float(leaked_N.sum() / max(1, is_test_N.sum()))


def count_diagnoses(cases: Sequence[Case], split: Split) -> dict[str, dict[str, int]]:
    """Count pictures by part and diagnosis; those without one by their label."""
    counts = {part: Counter[str]() for part in _PARTS}
    for case in cases:
        label = case.diagnosis or ("malignant" if case.malignant else "benign")
        counts[split.part_of[case.image_id]][label] += 1
    return {part: dict(count) for part, count in counts.items() if count}


def write_audit(audit: Audit, folder: Path) -> None:
    """Write ``audit.json`` and ``split.csv`` into *folder*."""
    write_split(folder / SPLIT_NAME, audit.split)
    key, size = audit.largest_group
    document = {
        "record": audit.record,
        "images": dict(audit.images),
        "naive_split": {
            "test_share": NAIVE_TEST_SHARE,
            "leak_by_lesion_id": _leak_document(audit.naive_by_lesion),
            "leak_by_group": _leak_document(audit.naive_by_group),
        },
        "our_split": {
            "leak": audit.ours,
            "rule": RULE,
            "sha256": audit.split.sha256,
            "parts": part_sizes(audit.split),
            "diagnoses": audit.diagnoses,
        },
        "groups": {
            "largest": {"key": key, "pictures": size},
            "lesions_joined_by_duplicates": audit.joined_groups,
        },
        "overlaps": [
            {
                "dataset": overlap.dataset,
                "shown_in": overlap.shown_in,
                "pictures": overlap.pictures,
                "pairs": overlap.pairs,
                "of": overlap.of,
            }
            for overlap in audit.overlaps
        ],
        "duplicate_threshold": audit.threshold,
        "fingerprint": audit.fingerprint,
    }
    (folder / AUDIT_NAME).write_text(json.dumps(document, indent=2) + "\n")


def print_audit(audit: Audit, console: Console) -> None:
    """Show what was found, for people."""
    leaks = Table(title=f"{audit.record}: test pictures with a sibling in training")
    for heading in ("split", "siblings by", "of all test pictures", "of lesions with several"):
        leaks.add_column(heading, justify="left" if heading.startswith("s") else "right")
    for kind, leak in (("lesion_id", audit.naive_by_lesion), ("group", audit.naive_by_group)):
        if leak is not None:
            leaks.add_row(
                f"random, by picture ({leak.draws} draws)",
                kind,
                f"{leak.share:.1%} ({leak.low:.1%} to {leak.high:.1%})",
                f"{leak.share_of_lesions_with_several:.1%}",
            )
    leaks.add_row("ours, by group", "group", f"{audit.ours:.1%}", f"{audit.ours:.1%}")
    console.print(leaks)

    same = Table(
        title=f"the same picture twice (thumbnails correlate at {audit.threshold} or more)"
    )
    for heading in ("pictures of", "shown in", "pictures", "pairs"):
        same.add_column(heading, justify="right" if heading in ("pictures", "pairs") else "left")
    for overlap in audit.overlaps:
        same.add_row(
            overlap.dataset,
            overlap.shown_in,
            f"{overlap.pictures:,} of {overlap.of:,}",
            f"{overlap.pairs:,}",
        )
    console.print(same)

    parts = Table(title=f"{audit.record}: pictures by part")
    parts.add_column("part")
    present = {label for counts in audit.diagnoses.values() for label in counts}
    labels = [label for label in (*DIAGNOSES, "benign", "malignant") if label in present]
    for label in (*labels, "all"):
        parts.add_column(label, justify="right")
    for part, counts in audit.diagnoses.items():
        cells = [f"{counts.get(label, 0):,}" for label in labels]
        parts.add_row(part, *cells, f"{sum(counts.values()):,}")
    console.print(parts)

    key, size = audit.largest_group
    console.print(f"largest group: {size} pictures ({key})")
    console.print(f"lesions that duplicates join to another: {audit.joined_groups}")
    console.print(f"fingerprint of {audit.record}: {audit.fingerprint}", soft_wrap=True)
    console.print(f"split: {audit.split.sha256}", soft_wrap=True)


def _has_sibling_outside(
    group_N: NDArray[np.int64], is_test_N: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether any picture of the same group is not for testing, bool ``[N]``."""
    outside_G = np.bincount(group_N, weights=~is_test_N)
    result_N: NDArray[np.bool_] = outside_G[group_N] > 0
    return result_N


def _shifted(
    found: Mapping[tuple[int, int], Sequence[Match]], lengths: Sequence[int]
) -> list[Match]:
    """Matches between sets as matches in all sets put one behind the other."""
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return [
        Match(
            first=match.first + int(starts[a]),
            second=match.second + int(starts[b]),
            correlation=match.correlation,
        )
        for (a, b), listed in found.items()
        for match in listed
    ]


def _overlap(
    found: Sequence[Match], names: Sequence[str], sets: Sequence[Sequence[Case]], a: int, b: int
) -> Overlap:
    """Pictures of set *b* that show the same as one of set *a*."""
    pictures = {match.second for match in found}
    if a == b:
        pictures |= {match.first for match in found}
    return Overlap(
        dataset=names[b],
        shown_in=names[a],
        pictures=len(pictures),
        pairs=len(found),
        of=len(sets[b]),
    )


def _leak_document(leak: Leak | None) -> dict[str, float] | None:
    if leak is None:
        return None
    return {
        "share": leak.share,
        "low": leak.low,
        "high": leak.high,
        "share_of_lesions_with_several": leak.share_of_lesions_with_several,
        "draws": leak.draws,
    }
