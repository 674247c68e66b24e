"""What a technician is told of a box: one finding for each thing that was looked at."""

from __future__ import annotations

from enum import Enum

from pydantic import Field

from device.core.document import Document


class Verdict(str, Enum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    """The box works, but not as it should be used."""
    FAILURE = "failure"
    """The box cannot do its work."""


class Finding(Document):
    """One line of ``python -m device doctor``."""

    part: str = Field(description="What was looked at.")
    verdict: Verdict
    found: str = Field(description="What was found.")
    remedy: str | None = Field(default=None, description="What to do; null where all is well.")
