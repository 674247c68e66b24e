"""What a board is, as far as the box has to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import Field

from device.core.document import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelLines:
    """Names of the GPIO lines of button and light, or offsets on the chip in digits."""

    chip: str | None
    """Label of the GPIO chip; None looks on every chip for one that has all the lines."""
    button: str
    red: str
    green: str
    blue: str

    @property
    def all(self) -> tuple[str, ...]:
        """The four lines, the button first."""
        return (self.button, self.red, self.green, self.blue)


@dataclass(frozen=True, slots=True)
class Source:
    """A public document."""

    name: str
    """Title and what is taken from it."""
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSpec:
    """One row of the catalogue; where its numbers come from stands beside it there."""

    name: str
    """As settings and the bench spell it."""
    title: str
    """For people."""
    compatible: tuple[str, ...]
    """Words of the device tree's ``compatible``, one of which names this board."""
    model: str
    """How the device tree's ``model`` begins, for systems that hide ``compatible``."""
    threads: int
    """Cores of the processor: more threads than that are of no use."""
    memory_bytes: int
    """Of the smallest variant that is sold."""
    thermal_limit_celsius: float | None
    """From here on the board slows itself down; None where that is unknown."""
    lines: PanelLines
    pins: PanelLines | None
    """The same lines as numbers of the 40-pin header, for whoever wires them up."""
    sources: tuple[Source, ...]
    """Where these numbers and names stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardHealth:
    """What was read; empty where there is nothing to read."""

    temperatures_celsius: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By the sensor's name, such as ``cpu-thermal``."""
    flags: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    """What holds the board back right now."""
    flags_since_start: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    """What ever did since it was switched on."""


class BoardDocument(Document):
    """How the board fares; what it does not show is left out."""

    temperatures_celsius: dict[str, float] = Field(
        description="By the sensor's name, such as `cpu-thermal`."
    )
    limit_celsius: float | None = Field(
        description="From here on the board slows itself down; null if unknown."
    )
    limited: dict[str, bool] = Field(
        description="What holds the board back right now, on a Raspberry Pi: `under_voltage`, "
        "`frequency_capped`, `throttled`, `soft_temperature_limit`."
    )
    limited_since_start: dict[str, bool] = Field(
        description="What ever did since it was switched on."
    )
    storage_free_bytes: int | None = Field(description="Free on the disk of the history.")
    storage_size_bytes: int | None = Field(description="Size of that disk.")
