"""Packages with drawn photographs inside, and a list of them."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import asdict, fields
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from tests.builders import a_picture
from training.evaluate.out_of_distribution.photographs import Photograph


def a_photograph(member: str, content: bytes, *, source: str = "pypi") -> Photograph:
    """A row of the list for a picture of package ``views`` 1.0."""
    return Photograph(
        source=source,
        package="views",
        version="1.0",
        member=member,
        sha256=sha256(content).hexdigest()[:16],
    )


def encoded(seed: int, ending: str = ".png", *, height_px: int = 96, width_px: int = 128) -> bytes:
    """A drawn picture as a file."""
    picture_HWC = a_picture(seed, height_px=height_px, width_px=width_px)
    return cv2.imencode(ending, picture_HWC[:, :, ::-1])[1].tobytes()


def a_wheel(folder: Path, members: dict[str, bytes]) -> Path:
    """Write ``views`` 1.0 where packages that were fetched lie."""
    path = folder / "packages" / "views-1.0-py3-none-any.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    return path


def a_list(path: Path, photographs: list[Photograph]) -> Path:
    """Write the list."""
    with path.open("w", newline="") as file:
        lines = csv.DictWriter(file, [field.name for field in fields(Photograph)])
        lines.writeheader()
        lines.writerows(asdict(photograph) for photograph in photographs)
    return path


def decoded(content: bytes) -> np.ndarray:
    """RGB."""
    return cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
