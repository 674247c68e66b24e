"""Pictures that show the same thing, found by comparing thumbnails."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.case import Case

THUMBNAIL_PX = 24
SAME_PICTURE = 0.99
"""Correlation from which two thumbnails show the same picture.  On HAM10000 all pairs of
different lesions between 0.97 and 0.99 that were looked at were merely alike (dark round spot
on smooth skin), while copies between sets correlate at 0.995 and more."""
_CHUNK = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two pictures of one thing, by position in the lists that were compared."""

    first: int
    second: int
    correlation: float


def thumbnails(cases: Sequence[Case]) -> NDArray[np.float32]:
    """
    Whole frames squeezed to gray squares, fp32 ``[N, 24, 24]``.

    Squeezing makes a copy that was squeezed before look like its original.
    """
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    result_NHW = np.empty((len(cases), THUMBNAIL_PX, THUMBNAIL_PX), dtype=np.float32)
    for index, case in enumerate(cases):
        gray_HW = cv2.imread(str(case.path), cv2.IMREAD_GRAYSCALE)
        if gray_HW is None:
            raise ValueError(f"{case.path}: not a picture that OpenCV can decode")
        result_NHW[index] = cv2.resize(gray_HW, size, interpolation=cv2.INTER_AREA)
    return result_NHW


def matches(
    first_NHW: NDArray[np.float32],
    second_NHW: NDArray[np.float32] | None = None,
    *,
    threshold: float = SAME_PICTURE,
) -> list[Match]:
    """
    Find pairs whose thumbnails correlate at *threshold* or more in any of eight orientations.

    Args:
        first_NHW: From :func:`thumbnails`.
        second_NHW: Another set; None compares the first with itself, each pair once.
        threshold: Pearson correlation.

    Returns:
        Matches sorted by position, each pair once with its best correlation.
    """
    itself = second_NHW is None
    others_NHW = first_NHW if second_NHW is None else second_NHW
    first_NP = _standardized(first_NHW)
    best: dict[tuple[int, int], float] = {}
    for orientation in range(8):
        turned_NHW = np.rot90(others_NHW, orientation % 4, axes=(1, 2))
        if orientation >= 4:  # noqa: PLR2004 - the other four are mirrored
            turned_NHW = turned_NHW[:, :, ::-1]
        turned_NP = _standardized(turned_NHW)
        for start in range(0, len(first_NP), _CHUNK):
            correlation = first_NP[start : start + _CHUNK] @ turned_NP.T
            for row, column in zip(*np.nonzero(correlation >= threshold), strict=True):
                pair = (int(row) + start, int(column))
                if itself and pair[0] >= pair[1]:
                    continue
                best[pair] = max(best.get(pair, -1.0), float(correlation[row, column]))
    return [Match(first=a, second=b, correlation=value) for (a, b), value in sorted(best.items())]


def read_confirmed_pairs(path: Path) -> list[tuple[str, str]]:
    """Read a CSV of image pairs that experts confirmed (``from_image_id``, ``to_image_id``)."""
    with path.open(newline="") as file:
        return [(row["from_image_id"], row["to_image_id"]) for row in csv.DictReader(file)]


def _standardized(images_NHW: NDArray[np.float32]) -> NDArray[np.float32]:
    flat_NP = np.ascontiguousarray(images_NHW).reshape(len(images_NHW), -1)
    flat_NP = flat_NP - flat_NP.mean(axis=1, keepdims=True)
    # A picture of one colour has no structure to compare and must match nothing.
    return flat_NP / np.maximum(np.linalg.norm(flat_NP, axis=1, keepdims=True), 1.0)
