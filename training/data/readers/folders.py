"""
Plain folders: ``benign/`` and ``malignant/`` with pictures, nothing else known.

No diagnosis, no lesion, no patient: every picture is its own group unless the search for
near duplicates joins it to another.
"""

from __future__ import annotations

from pathlib import Path

from training.data.case import Case
from training.data.readers.pictures import SUFFIXES, pictures_below, unreadable
from training.errors import DataError

LABELS = {"benign": False, "malignant": True}


def read_folders(
    root: Path, *, dataset: str | None = None, aspect_ratio: float | None = None
) -> list[Case]:
    """
    Read every picture in ``root/benign`` and ``root/malignant``.

    Args:
        root: Folder that holds the two.
        dataset: Name of the set; that of the folder if None.
        aspect_ratio: Width over height of the originals, if the files were squeezed.

    Raises:
        DataError: Naming every missing folder, unreadable file and picture outside the two.
    """
    dataset = dataset or root.name
    problems = [f"no folder {name}" for name in LABELS if not (root / name).is_dir()]
    if problems:
        raise DataError(f"{dataset} in {root}", problems, "expected benign and malignant")
    problems = [
        f"{path}: a picture outside of benign and malignant has no label"
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.parent not in {root / label for label in LABELS}
    ]
    cases = []
    for label, malignant in LABELS.items():
        paths = pictures_below(root / label)
        if not paths:
            problems.append(f"{root / label}: no picture")
        problems += unreadable(paths)
        cases += [
            Case(
                image_id=f"{dataset}/{path.relative_to(root).as_posix()}",
                dataset=dataset,
                path=path,
                malignant=malignant,
                diagnosis=None,
                aspect_ratio=aspect_ratio,
            )
            for path in paths
        ]
    if problems:
        raise DataError(f"{dataset} in {root}", problems, "repair, move or remove these files")
    return cases
