"""
Every error family of the device, each with a slug that never changes.

A text says what failed, what was expected and found, and what to do.  Blurred pictures and
doubtful lesions are answers, not errors; an error means "no answer" and never "benign".
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class EdgeDermError(Exception):
    """Root of all families; catch it at an edge, never to go on as if nothing had happened."""

    slug: ClassVar[str] = "internal"


class SettingsError(EdgeDermError):
    """A setting is unknown, malformed or unsafe; nothing was opened."""

    slug = "settings"


class AccessError(EdgeDermError):
    """The box's own list of tokens, or its certificate, cannot be used; nobody is let in."""

    slug = "access"


class CameraError(EdgeDermError):
    """The camera is missing, was unplugged or did not deliver in time."""

    slug = "camera"


class PanelError(EdgeDermError):
    """The lines of button and light are missing, closed to us, in use, or gone."""

    slug = "panel"


class DecodeFault(str, Enum):
    """Why a picture was refused; the value is part of the REST contract."""

    EMPTY = "empty"
    TOO_LARGE = "too-large"
    NOT_A_PICTURE = "not-a-picture"
    TRUNCATED = "truncated"
    UNSUPPORTED = "unsupported"
    TOO_SMALL = "too-small"


class DecodeError(EdgeDermError):
    """The bytes are no picture that can be scored as it was meant; the client can act on it."""

    slug = "picture"

    def __init__(self, fault: DecodeFault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


class ModelError(EdgeDermError):
    """A model file was refused: its contract is missing, newer, or does not match its graph."""

    slug = "model"

    def __init__(self, *, field: str, expected: object, found: object, remedy: str) -> None:
        super().__init__(f"model refused ({field}): expected {expected}, found {found}; {remedy}")
        self.field = field
        self.expected = expected
        self.found = found
        self.remedy = remedy


class BundleFault(str, Enum):
    """Why a model bundle was refused; the value is part of the REST contract."""

    TOO_LARGE = "too-large"
    SIGNATURE = "signature"
    KEY = "key"
    MALFORMED = "malformed"
    INCOMPATIBLE = "incompatible"
    OLDER = "older"
    PROOF = "proof"


class BundleError(EdgeDermError):
    """A model bundle was refused; the model that answers goes on answering."""

    slug = "bundle"

    def __init__(self, fault: BundleFault, text: str) -> None:
        super().__init__(f"model bundle refused ({fault.value}): {text}")
        self.fault = fault


class UpdateError(EdgeDermError):
    """Models cannot be exchanged now, or what was decided could not be written down."""

    slug = "update"


class HistoryFault(str, Enum):
    """Why the history could not be read or written."""

    MISSING = "missing"
    DAMAGED = "damaged"
    FOREIGN = "foreign"
    NEWER = "newer"
    FULL = "full"
    LOCKED = "locked"
    BACKUP = "backup"
    STORAGE = "storage"


class HistoryError(EdgeDermError):
    """The history could not be read or written; what it could not record is not answered."""

    slug = "history"

    def __init__(self, fault: HistoryFault, text: str) -> None:
        super().__init__(f"history ({fault.value}): {text}")
        self.fault = fault


class ResultNotFoundError(EdgeDermError):
    """There is no such result or lesion, or no longer."""

    slug = "result-not-found"


class PictureNotKeptError(EdgeDermError):
    """The result is there, its picture is not."""

    slug = "picture-not-kept"


class ClockError(EdgeDermError):
    """The clock could not be set."""

    slug = "clock"


class ClockKeptError(EdgeDermError):
    """The clock is not for people to set: a time service keeps it, or the settings say no."""

    slug = "clock-kept"


class BusyError(EdgeDermError):
    """The queue in front of the classifier is full; try again a little later."""

    slug = "busy"


class NotReadyError(EdgeDermError):
    """The box is starting, stopping, or a part of it does not work; no answer was made."""

    slug = "not-ready"
