"""Versions that have an order."""

from __future__ import annotations

import re

_PATTERN = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")
VERSION_PATTERN = f"^{_PATTERN.pattern}$"


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Read ``major.minor.patch``; None for anything else, such as a model made for tests."""
    match = _PATTERN.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))
