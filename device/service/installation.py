"""
Whether what is installed is what was released.

A release brings the hash of every file of its wheels, and of its units and rules.  This finds a
damaged card and a file that somebody edited; against an intruder with all rights, who could change
this file as well, it is no defence.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from device.core.checkup import Finding
from device.service.checkup import failure, ok

LIST_NAME = "installed.sha256"
"""Of what the wheels brought, from ``site-packages`` on."""
BOARD_LIST_NAME = "board.sha256"
"""Of the units and rules that the release puts in place, from its own folder on."""
ABOUT_NAME = "release.json"
_WRITTEN_BY_PIP = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"})
_CHUNK_BYTES = 2**20
_MOST_NAMED = 3
_REMEDY = "deploy the release again; if it comes back, the card is worn out"


def check_installation(release: Path, packages: Path) -> Finding:
    """
    Hash every installed file; takes some seconds on a board.

    Args:
        release: Folder of the release, which is that of its environment.
        packages: ``site-packages`` of the environment.
    """
    part = "release"
    if not (release / ABOUT_NAME).exists():
        return ok(part, "none: this runs from its sources")
    about = json.loads((release / ABOUT_NAME).read_text(encoding="utf-8"))
    try:
        expected = _listed(release / LIST_NAME) | _listed(release / BOARD_LIST_NAME)
    except FileNotFoundError as error:
        name = Path(error.filename).name
        return failure(part, f"{about['name']}: {name} is missing", _REMEDY)
    found = {
        file.relative_to(folder).as_posix(): file
        for folder, files in ((packages, packages), (release, release / "board"))
        for file in files.rglob("*")
        if file.is_file() and not _is_made_here(file)
    }
    wrong = {
        "missing": expected.keys() - found.keys(),
        "never released": found.keys() - expected.keys(),
        "changed": {
            path
            for path in expected.keys() & found.keys()
            if _sha256(found[path]) != expected[path]
        },
    }
    if not any(wrong.values()):
        return ok(part, f"{about['name']}, all {len(expected)} files as released")
    said = "; ".join(f"{what}: {_some(paths)}" for what, paths in wrong.items() if paths)
    return failure(part, f"{about['name']}: {said}", _REMEDY)


def _listed(file: Path) -> dict[str, str]:
    """Read digests by path, as ``sha256sum`` writes them."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return {path: digest for digest, _, path in (line.partition("  ") for line in lines)}


def _is_made_here(file: Path) -> bool:
    """Whether pip or the compiler wrote it, rather than the release."""
    is_pips = file.parent.suffix == ".dist-info" and file.name in _WRITTEN_BY_PIP
    return is_pips or "__pycache__" in file.parts


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _some(paths: set[str]) -> str:
    more = len(paths) - _MOST_NAMED
    return ", ".join(sorted(paths)[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
