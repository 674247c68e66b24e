"""The box's clock as the outside reads it, and what is sent to set it."""

from __future__ import annotations

from datetime import datetime, timezone
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from device.core.document import Document
from device.core.results import Moment

EARLIEST = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""No box ran this software before; a chip with an empty battery says so all the same."""
LATEST = datetime(2100, 1, 1, tzinfo=timezone.utc)
"""Whoever means a later time made a typing error, and the history would be too old for it."""


class ClockSetter(str, Enum):
    """Who set the clock since the board started, or when it did."""

    NETWORK = "network"
    """A time service."""
    CHIP = "chip"
    """A clock chip with a battery (RTC)."""
    PERSON = "person"
    """An admin."""


def _is_possible(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"expected a time from {EARLIEST.year} on and before {LATEST.year}")
    return moment


class ClockDocument(Document):
    """What the clock says, and why it is to be believed or not."""

    now: Moment = Field(description="RFC 3339, UTC.")
    clock_trusted: bool = Field(description="As it will stand in the next result.")
    set_by: ClockSetter | None = Field(
        description="Who set it since the board started; null if nobody did."
    )
    settable: bool = Field(
        description="Whether `PUT /clock` would be tried: `clock.settable` is set, and no time "
        "service keeps the clock."
    )


class ClockWish(Document):
    """What an admin sends to set the clock."""

    now: Annotated[Moment, Strict(), AfterValidator(_is_possible)] = Field(
        description="RFC 3339 with an offset, from 2026 on and before 2100."
    )


class ClockChange(ClockDocument):
    """The clock after it was set."""

    before: Moment = Field(description="What it said until then.")
    chip_set: bool | None = Field(
        description="Whether the clock chip was set too; null where there is none. If false, the "
        "box begins with the chip's old time when it starts the next time."
    )
