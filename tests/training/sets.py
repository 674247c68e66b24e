"""Data sets of a few drawn pictures, in the layouts that the readers know."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2

from device.core.manifest import MALIGNANT_DIAGNOSES
from device.core.values import Pixels
from device.drawing import draw_lesion
from training.data.case import Case
from training.data.readers.ham10000 import RECORD_FOLDER

COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")


def write_picture(path: Path, image_HWC: Pixels) -> Path:
    """Write a picture, its folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR))
    return path


def a_lesion(
    seed: int, diagnosis: str = "NV", *, height_px: int = 48, width_px: int = 64
) -> Pixels:
    """A small drawn lesion, 4:3."""
    return draw_lesion(seed, diagnosis=diagnosis, height_px=height_px, width_px=width_px)


SOME_LESIONS = [
    (f"L{lesion}", f"I{lesion}-{picture}", ("nv", "mel")[lesion // 2 % 2])
    for lesion in range(64)
    for picture in range(1 + lesion % 2)
]
"""64 lesions in 96 pictures, half of them malignant: enough for every part of a split."""


def a_ham10000(
    root: Path,
    rows: Sequence[tuple[str, str, str]],
    *,
    name: str = "HAM10000",
    columns: Sequence[str] = COLUMNS,
) -> Path:
    """HAM10000's layout from (lesion, image, dx); one picture a row, unknown dx drawn as NV."""
    with (_made(root) / f"{name}_metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for lesion_id, image_id, dx in rows:
            writer.writerow((lesion_id, image_id, dx, "histo", "55.0", "female", "back"))
    (root / RECORD_FOLDER).mkdir(exist_ok=True)
    for number, (_, image_id, dx) in enumerate(rows):
        known = dx.upper() if dx in {"mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"} else "NV"
        write_picture(root / RECORD_FOLDER / f"{image_id}.jpg", a_lesion(number, known))
    return root


def some_cases(names: Sequence[str], *, diagnosis: str | None = "NV") -> list[Case]:
    """Cases without files; ``lesion/image`` gives both names, ``image`` alone no lesion."""
    return [
        Case(
            image_id=f"set/{name.rsplit('/', 1)[-1]}",
            dataset="set",
            path=Path(name),
            malignant=diagnosis in MALIGNANT_DIAGNOSES,
            diagnosis=diagnosis,
            lesion_id=name.split("/")[0] if "/" in name else None,
        )
        for name in names
    ]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
