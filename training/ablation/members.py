"""A teacher's members as teachers of their own, without looking at anything twice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.errors import RunError
from training.models import FusedTeacher, load_best
from training.runs import MEMBERS_NAME, VIEWS_NAME, TeacherConfig, load_config


def member_runs(teachers: Sequence[Path]) -> tuple[Path, ...]:
    """
    Return the runs that are *teachers* together.

    Of several teachers themselves, of one the folders of its members; none if it has one backbone.
    """
    if len(teachers) != 1:
        return tuple(teachers)
    (teacher,) = teachers
    model = load_config(teacher).model
    if not isinstance(model, TeacherConfig) or len(model.backbones) == 1:
        return ()
    return tuple(teacher / MEMBERS_NAME / backbone.name for backbone in model.backbones)


def inherit_views(member: Path) -> None:
    """
    Give *member* what the fused teacher saw through this member's backbone.

    The fused teacher keeps the features of all its members side by side, and its backbones are
    theirs, so each has seen every view that the whole has seen.  Views that the member has
    already stay; a run that is no member is left alone.

    Raises:
        RunError: The features of the whole are not those of its members.
    """
    fused = member.parent.parent
    if member.parent.name != MEMBERS_NAME or not (fused / VIEWS_NAME).is_dir():
        return
    missing = [
        (kept, path)
        for kept in sorted((fused / VIEWS_NAME).glob("*/view-???.npy"))
        if not (path := member / kept.relative_to(fused)).is_file()
    ]
    if not missing:
        return
    members = member_runs([fused])
    widths = [_features(run) for run in members]
    start = sum(widths[: members.index(member)])
    for kept, path in missing:
        features_ND = np.load(kept, mmap_mode="r")
        if features_ND.shape[1] != sum(widths):
            raise RunError(
                f"{kept}: expected {sum(widths)} features, those of {len(members)} members, found "
                f"{features_ND.shape[1]}; remove its folder and let the teacher look again"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own until it is whole: runs side by side may do the same.
        partial = path.with_suffix(f".{os.getpid()}.npy")
        np.save(partial, features_ND[:, start : start + widths[members.index(member)]])
        partial.replace(path)


def _features(run: Path) -> int:
    """Return how many features the one backbone of *run* gives."""
    teacher = load_best(run)
    if not isinstance(teacher, FusedTeacher):
        raise RunError(f"{run}: expected a teacher's member, found {type(teacher).__name__}")
    return teacher.linear_layers()[0].in_features
