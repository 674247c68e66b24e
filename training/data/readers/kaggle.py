"""
The Kaggle set "Skin Cancer: Malignant vs. Benign": 3,297 pictures from the ISIC archive.

Squeezed from 4:3 to a square of 224 px, two labels, no lesions.  Known bias: it is melanoma
against nevus only, and three quarters of it are HAM10000 pictures; the search for near
duplicates gives those the group of the HAM10000 picture they show.
"""

from __future__ import annotations

from pathlib import Path

from training.data.case import Case
from training.data.readers.folders import LABELS, read_folders

DATASET = "kaggle"
ORIGINAL_ASPECT_RATIO = 4 / 3
_PARTS = ("train", "test")


def read_kaggle(root: Path) -> list[Case]:
    """
    Read ``benign`` and ``malignant``, directly in *root* or below its ``train`` and ``test``.

    The given parts are not kept: pictures of one lesion may lie in both.

    Raises:
        DataError: As :func:`training.data.readers.folders.read_folders`.
    """
    if any((root / label).is_dir() for label in LABELS):
        return read_folders(root, dataset=DATASET, aspect_ratio=ORIGINAL_ASPECT_RATIO)
    cases: list[Case] = []
    for part in _PARTS:
        cases += read_folders(
            root / part, dataset=f"{DATASET}/{part}", aspect_ratio=ORIGINAL_ASPECT_RATIO
        )
    return cases
