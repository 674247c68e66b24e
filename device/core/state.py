"""How the box is right now, as far as it knows without trying anything."""

from __future__ import annotations

from pydantic import Field

from device.core.document import Document
from device.core.panel import LightState


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
    certificate_sha256: str | None = Field(
        description="Fingerprint of the certificate that the box shows; null without TLS."
    )
