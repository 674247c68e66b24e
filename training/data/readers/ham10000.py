"""
HAM10000: 10,015 dermoscopic pictures of 7,470 lesions, seven diagnoses.

Source: Tschandl, Rosendahl & Kittler, Scientific Data 5, 180161 (2018).  Licence: CC BY-NC
4.0.  Diagnoses were confirmed by histology, follow-up, expert consensus or confocal
microscopy (``dx_type``).  Known biases: two clinics, mostly light skin, lesions centred,
some pictures colour-corrected by the curators; melanomas were sought out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from device.core.manifest import MALIGNANT_DIAGNOSES
from training.data.case import Case
from training.data.readers.pictures import pictures_below, unreadable
from training.errors import DataError

METADATA_SUFFIX = "_metadata.csv"
"""What stands before it is the data set's name: ``HAM10000_metadata.csv`` is ``ham10000``."""
RECORD_FOLDER = "images_200x150"
SHARPER_FOLDER = "images_crop224"
"""Copies of some pictures, their central square in more pixels.  Every melanoma has one and not
every other picture: whoever trains on them lets sharpness carry the label."""
PUBLISHED_FOLDERS = "*_images_part_*"
DIAGNOSIS_OF_DX = {
    "mel": "MEL",
    "nv": "NV",
    "bcc": "BCC",
    "akiec": "AKIEC",
    "bkl": "BKL",
    "df": "DF",
    "vasc": "VASC",
}
_COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")


def sharper_copy(case: Case) -> Path | None:
    """Return the sharper copy of a picture of record; None if there is none."""
    if case.path.parent.name != RECORD_FOLDER:
        return None
    copy = case.path.parent.with_name(SHARPER_FOLDER) / case.path.name
    return copy if copy.is_file() else None


def read_ham10000(root: Path, image_folders: Sequence[str] | None = None) -> list[Case]:
    """
    Read metadata and the pictures it names.

    Any set in this layout can be read; ours of drawn pictures has it too.

    Args:
        root: Folder with ``HAM10000_metadata.csv`` and the image folders.
        image_folders:
            Folders below *root*; the first one that holds a picture gives it.  If None, the
            folder of record alone, which treats all classes alike; where there is none, the
            folders as the data set is published, ``HAM10000_images_part_1`` and so on.

    Returns:
        Cases in the order of the metadata.

    Raises:
        DataError: Naming every missing or unreadable picture, unknown diagnosis, repeated
            row and picture without a row.
    """
    metadata = metadata_of(root)
    if metadata is None:
        raise DataError(f"data set {root}", ["no metadata file"], "expected one *_metadata.csv")
    dataset = metadata.name.removesuffix(METADATA_SUFFIX).lower()
    table = pd.read_csv(metadata, dtype={"lesion_id": str, "image_id": str})
    absent = sorted(set(_COLUMNS) - set(table.columns))
    if absent:
        raise DataError(f"{metadata}", absent, "expected these columns")
    folders = image_folders or _default_folders(root)
    files: dict[str, Path] = {}
    for folder in reversed(folders):
        if not (root / folder).is_dir():
            raise DataError(f"{dataset} in {root}", [f"no folder {folder}"], "unpack the pictures")
        files |= {path.stem: path for path in pictures_below(root / folder)}
    problems = [f"{name}: picture without a row" for name in sorted(set(files) - {*table.image_id})]
    problems += [
        f"{name}: more than one row" for name in table.image_id[table.image_id.duplicated()]
    ]
    cases = []
    for row in table.itertuples(index=False):
        name = str(row.image_id)
        diagnosis = DIAGNOSIS_OF_DX.get(str(row.dx))
        if name not in files:
            problems.append(f"{name}: no picture in {', '.join(folders)}")
        elif diagnosis is None:
            problems.append(f"{name}: unknown dx {row.dx!r}")
        elif not isinstance(row.lesion_id, str):
            problems.append(f"{name}: no lesion_id")
        else:
            cases.append(
                Case(
                    image_id=f"{dataset}/{name}",
                    dataset=dataset,
                    path=files[name],
                    malignant=diagnosis in MALIGNANT_DIAGNOSES,
                    diagnosis=diagnosis,
                    lesion_id=row.lesion_id,
                    diagnosis_confirm_type=_known(row.dx_type),
                    age_approx=None if pd.isna(row.age) else float(row.age),
                    sex=_known(row.sex),
                    anatom_site=_known(row.localization),
                )
            )
    problems += unreadable(case.path for case in cases)
    if problems:
        raise DataError(f"{dataset} in {root}", problems, "repair or fetch these files again")
    return cases


def _default_folders(root: Path) -> list[str]:
    published = sorted(path.name for path in root.glob(PUBLISHED_FOLDERS) if path.is_dir())
    return [RECORD_FOLDER] if (root / RECORD_FOLDER).is_dir() or not published else published


def _known(value: object) -> str | None:
    """What the table says, or None where it says that it does not know."""
    return None if pd.isna(value) or value == "unknown" else str(value)


def metadata_of(root: Path) -> Path | None:
    """
    Return the metadata file in *root*, None if there is none.

    Raises:
        DataError: There are several.
    """
    found = sorted(root.glob(f"*{METADATA_SUFFIX}"))
    if len(found) > 1:
        names = [path.name for path in found]
        raise DataError(f"data set {root}", names, "expected one metadata file, keep one of these")
    return found[0] if found else None
