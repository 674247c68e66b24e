"""One file per data set; each yields cases and complains about everything wrong at once."""

from __future__ import annotations

from pathlib import Path

from training.data.case import Case
from training.data.readers.folders import read_folders
from training.data.readers.ham10000 import METADATA_SUFFIX, metadata_of, read_ham10000
from training.data.readers.kaggle import read_kaggle
from training.errors import DataError

__all__ = ["read_dataset", "read_folders", "read_ham10000", "read_kaggle"]


def read_dataset(root: Path) -> list[Case]:
    """
    Read the data set in *root* by what lies there.

    A metadata file (``HAM10000_metadata.csv``) makes it a set in the layout of HAM10000; a
    folder named after Kaggle makes it the Kaggle set; any other folder with ``benign`` and
    ``malignant`` is read as plain folders.

    Raises:
        DataError: The layout is none of these, or pictures are missing or unreadable.
    """
    if metadata_of(root) is not None:
        return read_ham10000(root)
    if root.name.lower().startswith("kaggle"):
        return read_kaggle(root)
    if (root / "benign").is_dir() and (root / "malignant").is_dir():
        return read_folders(root)
    raise DataError(
        f"data set {root}",
        [f"found neither *{METADATA_SUFFIX} nor the folders benign and malignant"],
        "give the folder that holds them",
    )
