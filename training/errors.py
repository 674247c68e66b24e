"""Errors of training; each lists everything that is wrong at once, so that one repair is enough."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 20


class DataError(Exception):
    """Pictures or labels are missing, unreadable or contradict each other."""

    def __init__(self, what: str, problems: Sequence[str], remedy: str) -> None:
        shown = "\n  ".join(problems[:_SHOWN])
        more = f"\n  ... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        super().__init__(f"{what}: {len(problems)} problem(s); {remedy}\n  {shown}{more}")
        self.problems = tuple(problems)


class RunError(Exception):
    """A run folder or a recipe cannot be used as asked."""
