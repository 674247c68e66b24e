"""
The one small file that says which model a box runs, which one was before, and whether on trial.

All of it changes at once, by one rename: no power cut leaves a new model without its way back.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from device.bundle.bundle import Sha256
from device.core.manifest import Name, Record

FILE_NAME = "installed.json"
_FILE = r"^[a-z0-9][a-z0-9.-]{0,127}\.edm$"

Trial = Literal["waiting", "running"]
"""``waiting`` for the next start, or ``running`` since a start that has not ended in order."""


class Installed(Record):
    """A bundle that was proved and is kept."""

    file: Annotated[str, Field(pattern=_FILE)]
    """Name in the folder of the bundles."""
    name: Name
    version: Name
    sha256: Sha256
    """Of the model file in it, as answers carry it."""
    key_id: str

    @property
    def words(self) -> str:
        """For people and the audit trail."""
        return f"{self.name} {self.version} ({self.sha256[:12]})"


class Return(Record):
    """That the box went back by itself."""

    words: str
    """Which model was given up."""
    why: str

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.words}: {self.why}"


class Choice(Record):
    """What the file holds; None in place of a model means the shipped one."""

    format: Literal[1] = 1
    current: Installed | None = None
    previous: Installed | None = None
    """The last one that was good."""
    trial: Trial | None = None
    returned: Return | None = None
    """Until the next model is installed."""
