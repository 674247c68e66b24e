"""What all readers share: which files are pictures, and whether their headers can be read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


def pictures_below(folder: Path) -> list[Path]:
    """Return the picture files directly in *folder*, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def unreadable(paths: Iterable[Path]) -> list[str]:
    """Return a line for each file whose header is not that of a picture; decodes nothing."""
    problems = []
    for path in paths:
        try:
            with Image.open(path) as header:
                header.size  # noqa: B018 - opening parses the header, that is the check
        except (OSError, SyntaxError, ValueError) as error:
            problems.append(f"{path}: unreadable ({error})")
    return problems
