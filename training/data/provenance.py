"""Exactly which pictures, parted how: what a run is tied to."""

from __future__ import annotations

from collections.abc import Sequence

from training.data.case import Case
from training.data.fingerprint import fingerprint
from training.data.splits import Split
from training.errors import RunError
from training.runs import DataConfig


def describe_data(cases: Sequence[Case], split: Split) -> DataConfig:
    """Digest pictures and split."""
    return DataConfig(fingerprint=fingerprint(cases), split_sha256=split.sha256)


def require_split(trained_on: DataConfig, cases: Sequence[Case], split: Split) -> None:
    """
    Refuse to judge pictures of a training that another split has moved to another part.

    Other pictures may be judged with a split of their own.

    Raises:
        RunError: The pictures are those of the training, the split is not.
    """
    found = describe_data(cases, split)
    if found.fingerprint == trained_on.fingerprint and found != trained_on:
        raise RunError(
            f"split: expected that of the training, SHA-256 {trained_on.split_sha256[:12]}, found "
            f"{found.split_sha256[:12]}; by another one, pictures that were trained on are judged"
        )


def require_same(trained_on: DataConfig | None, cases: Sequence[Case], split: Split) -> None:
    """
    Refuse to speak for a training in the name of other pictures or of another split.

    Raises:
        RunError: The run recorded others, or none.
    """
    found = describe_data(cases, split)
    if found != trained_on:
        recorded = "none" if trained_on is None else f"{trained_on}"
        raise RunError(
            f"data: expected the pictures and the split that the run was trained on ({recorded}), "
            f"found {found}; name those with --data and --split"
        )
