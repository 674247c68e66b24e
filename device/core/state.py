"""How the box is right now, as far as it knows without trying anything."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from device.core.document import Document
from device.core.panel import LightState


class RunningModel(Document):
    """Which model answers, where it comes from, and whether it is still on trial."""

    name: str
    version: str
    sha256: str = Field(description="Of the whole model file, lower-case hexadecimal.")
    source: Literal["file", "installed", "previous", "shipped"] = Field(
        description="`installed` by an admin, the one `previous` to it because that cannot be "
        "used, `shipped` with the software, or the `file` that the settings name."
    )
    is_on_trial: bool = Field(
        description="Whether the box returns to the model before if this one fails."
    )
    instead_of: str | None = Field(
        description="Which model was wanted more, and why it does not answer: it failed on trial, "
        "is damaged, or its key is no more trusted."
    )


class InstalledModel(Document):
    """A model that was taken; it answers after the next start, on trial."""

    name: str
    version: str
    sha256: str = Field(description="Of the model file, as answers carry it.")
    key_id: str = Field(description="Of the key that signed the bundle.")
    has_changed: bool = Field(description="False where it was the current model already.")
    is_forced: bool = Field(description="Whether it was taken though its version is not newer.")
    restarts: bool = Field(description="Whether the box restarts now by itself.")

    @property
    def words(self) -> str:
        """For people and the audit trail."""
        return f"{self.name} {self.version} ({self.sha256[:12]})"


class StateDocument(Document):
    """A snapshot; taking it makes neither camera nor model work."""

    state: LightState = Field(
        description="What the light shows. Without a light: `fault` if a part is known not to "
        "work, `busy` while a picture is examined, else `ready`."
    )
    waiting: int = Field(description="Pictures that are examined or wait for it.")
    parts: dict[str, str] = Field(
        description="`ok`, or what was wrong with the part when it was used or asked last."
    )
    software_version: str
    model: RunningModel
    certificate_sha256: str | None = Field(
        description="Fingerprint of the certificate that the box shows; null without TLS."
    )
