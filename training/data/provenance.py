"""Exactly which pictures, parted how: what a run is tied to."""

from __future__ import annotations

from collections.abc import Sequence

from training.data.case import Case
from training.data.fingerprint import fingerprint
from training.data.splits import TRAIN, Split
from training.errors import RunError
from training.runs import DataConfig


def describe_data(cases: Sequence[Case], split: Split, extra: Sequence[Case] = ()) -> DataConfig:
    """
    Digest pictures and split.

    Args:
        cases: The set of record.
        split: May name other pictures too; only the places of *cases* count for its digest, so
            that a split that was extended by further sets is still the same.
        extra: Pictures of further sets that are trained on.
    """
    return DataConfig(
        fingerprint=fingerprint(cases),
        split_sha256=split.restricted(cases).sha256,
        protocol=split.protocol,
        extra_fingerprint=fingerprint(split.cases(extra, TRAIN)) if extra else None,
    )


def require_split(trained_on: DataConfig, cases: Sequence[Case], split: Split) -> None:
    """
    Refuse to judge pictures of a training that another split has moved to another part.

    Other pictures may be judged with a split of their own.

    Raises:
        RunError: The protocol is not that of the training; or the pictures are and the split is
            not.
    """
    if split.protocol != trained_on.protocol:
        raise RunError(
            f"protocol: expected {trained_on.protocol!r}, by which the model was trained, found "
            f"{split.protocol!r}, by which it may be judged on pictures that it was trained on; "
            f"name --protocol {trained_on.protocol}"
        )
    found = describe_data(cases, split)
    if (
        found.fingerprint == trained_on.fingerprint
        and found.split_sha256 != trained_on.split_sha256
    ):
        raise RunError(
            f"split: expected that of the training, SHA-256 {trained_on.split_sha256[:12]}, found "
            f"{found.split_sha256[:12]}; by another one, pictures that were trained on are judged"
        )


def require_same(
    trained_on: DataConfig | None,
    cases: Sequence[Case],
    split: Split,
    extra: Sequence[Case] = (),
) -> None:
    """
    Refuse to speak for a training in the name of other pictures or of another split.

    Raises:
        RunError: The run recorded others, or none.
    """
    found = describe_data(cases, split, extra)
    if found != trained_on:
        recorded = "none" if trained_on is None else f"{trained_on}"
        raise RunError(
            f"data: expected the pictures and the split that the run was trained on ({recorded}), "
            f"found {found}; name those with --data, --also and --split"
        )
