"""
What the owner of a box may set: one TOML file and the environment, read once, then frozen.

The environment wins over the file: ``EDGEDERM_CAMERA__KIND=v4l2`` sets ``kind`` in the table
``[camera]``.  Unknown keys are refused, and nothing is opened before all of it was understood.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from device.core.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:  # the Jetson's Python 3.10
    import tomli as tomllib

PREFIX = "EDGEDERM_"
PACKAGE = Path(__file__).parent
SHIPPED_MODEL = PACKAGE / "models" / "student.onnx"
"""A part of the software, trusted as that is."""


def state_directory() -> Path:
    """
    Where the box keeps what it must not forget, unless it is told otherwise.

    That is what systemd made for the service (``STATE_DIRECTORY``), else ``edgederm`` below
    ``XDG_STATE_HOME`` or ``~/.local/state``.
    """
    if given := os.environ.get("STATE_DIRECTORY", ""):
        return Path(given.partition(":")[0])
    if home := os.environ.get("XDG_STATE_HOME", ""):
        return Path(home) / "edgederm"
    try:
        return Path.home() / ".local" / "state" / "edgederm"
    except RuntimeError:  # A user without a home.
        return Path("/var/lib/edgederm")


Line = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\S+$")]
"""Name of a GPIO line, or its offset in digits."""


HostName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$",
    ),
]
"""Without a port."""


class Section(BaseModel):
    """One table of the file: frozen, unknown keys refused, values kept out of error texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CameraSettings(Section):
    """Where pictures come from."""

    kind: Literal["replay", "v4l2", "libcamera", "gstreamer", "simulated"] = "replay"
    """``replay`` shows files in turn, ``v4l2`` is a USB dermatoscope, ``libcamera`` a camera on
    a Raspberry Pi's ribbon cable, ``gstreamer`` one on a Jetson's or behind any pipeline,
    ``simulated`` draws lesions, for tests."""
    path: Path = PACKAGE / "samples"
    """Replay: a picture, or a folder whose pictures are shown by name, over and over."""
    device: str = "/dev/video0"
    """V4L2: the device file; ``/dev/v4l/by-id/...`` survives replugging."""
    index: Annotated[int, Field(ge=0)] = 0
    """libcamera: number of the camera as ``rpicam-hello --list-cameras`` counts; gstreamer without
    a pipeline: the sensor's."""
    pipeline: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """gstreamer: the pipeline, ending in an appsink of BGR frames; a Jetson's camera if not set."""
    width_px: Annotated[int, Field(ge=160, le=9152, multiple_of=2)] = 2028
    height_px: Annotated[int, Field(ge=120, le=6944, multiple_of=2)] = 1520
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """A capture that takes longer has failed."""
    burst_frames: Annotated[int, Field(ge=1, le=16)] = 3
    """Frames that are taken for each capture; the sharpest is scored."""
    stuck_exit_s: Annotated[float, Field(ge=0, le=86400)] = 120.0
    """A box whose camera has been stuck in its driver for so long stops itself, to be started
    anew; 0 never."""


class PanelSettings(Section):
    """Which button and which light the box has."""

    kind: Literal["none", "gpiod", "simulated"] = "none"
    """``gpiod`` is the board's GPIO header, ``simulated`` a panel without wires, for tests."""
    board: Literal["auto", "pi4", "pi5", "zero2w", "jetson-orin-nano", "generic"] = "auto"
    """Whose lines are the default; ``auto`` asks the device tree."""
    chip: str | None = None
    """Label of the GPIO chip; the board's if not set."""
    button: Line | None = None
    """Name of the line, or its offset on the chip; the board's if not set."""
    red: Line | None = None
    green: Line | None = None
    blue: Line | None = None
    led_active_low: bool = False
    """Whether a low level lights an LED, as with a common anode."""
    debounce_ms: Annotated[int, Field(ge=1, le=100)] = 20
    """How long the button's line must be quiet before an edge counts."""
    answer_s: Annotated[float, Field(ge=5, le=600)] = 30.0
    """How long an answer is lit."""

    @model_validator(mode="after")
    def _lines_of_their_own(self) -> PanelSettings:
        lines = [line for line in (self.button, self.red, self.green, self.blue) if line]
        if len(set(lines)) < len(lines):
            raise ValueError(
                f"expected lines that differ, found {', '.join(lines)}; give button and LEDs a "
                "line each"
            )
        return self


def _on_or_off(value: object) -> object:
    """Take a boolean for the word: YAML reads ``on`` and ``off`` without quotes as one."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class ServerSettings(Section):
    """Who may talk to the box."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """0 lets the system choose."""
    names: tuple[HostName, ...] = ()
    """By which the box may be called beyond loopback, besides its own host name, the same with
    ``.local`` behind it, and its addresses in digits."""
    require_token: bool = False
    """Ask for a token on loopback too; beyond it one is always asked for."""
    state_path: Path = Field(default_factory=state_directory)
    """Folder of the tokens and of the certificate that the box makes for itself."""
    tls: Annotated[Literal["auto", "on", "off"], BeforeValidator(_on_or_off)] = "auto"
    """``auto`` speaks TLS beyond loopback."""
    certificate: Path | None = None
    """PEM file, intermediate certificates behind it; without one the box makes its own."""
    key: Path | None = None
    """PEM file of the certificate's key, without a password."""
    max_upload_bytes: Annotated[int, Field(ge=1024, le=256 * 2**20)] = 16 * 2**20
    queue_length: Annotated[int, Field(ge=1, le=64)] = 4
    """Pictures that may wait for the classifier; the next one is told to come back later."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_token_needed(self) -> bool:
        """Whether callers must show who they are."""
        return self.require_token or not self.is_loopback

    @property
    def is_secure(self) -> bool:
        """Whether the server speaks TLS alone."""
        return self.tls == "on" or (self.tls == "auto" and not self.is_loopback)

    @model_validator(mode="after")
    def _certificate_with_key(self) -> ServerSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("expected certificate and key together, found one of them")
        if self.certificate is not None and not self.is_secure:
            raise ValueError(
                "found a certificate, but TLS is off; set tls to on, or leave the certificate out"
            )
        return self


class ModelSettings(Section):
    """Which model answers, and with how many threads."""

    path: Path | None = None
    """An ONNX file in place of installed and shipped models; nothing is installed then."""
    state_path: Path = Field(default_factory=state_directory)
    """Folder of the installed models."""
    keys_path: Path = Path("/etc/edgederm/keys")
    """Folder of the public keys whose models are taken."""
    trial_s: Annotated[float, Field(ge=0, le=86400)] = 600.0
    """For so long an installed model must work before it is kept."""
    threads: Annotated[int, Field(ge=1, le=16)] = 1
    provider: Literal["cpu", "cuda", "tensorrt"] = "cpu"
    """What computes; another than ``cpu`` must first answer as the CPU does."""
    provider_fallback: bool = True
    """Whether the CPU takes over where the provider does not, or the box refuses to start."""


class PictureSettings(Section):
    """What is accepted as a picture."""

    max_pixels: Annotated[int, Field(ge=64 * 64, le=200_000_000)] = 25_000_000


class HistorySettings(Section):
    """What the box remembers of its answers, and for how long."""

    path: Path = Field(default_factory=state_directory)
    """Folder of the database, for this user alone."""
    keep_pictures: bool = False
    """Keep each picture that was answered, without its metadata, and a thumbnail of it."""
    picture_px: Annotated[int, Field(ge=256, le=4096)] = 1024
    """Longer side of a kept picture; a larger one is shrunk."""
    keep_days: Annotated[int, Field(ge=0, le=36500)] = 365
    """Results older than this are erased; 0 keeps them whatever their age."""
    keep_bytes: Annotated[int, Field(ge=2**20, le=2**40)] = 2**30
    """The oldest results are erased when the database holds more."""


class ClockSettings(Section):
    """Whether the box looks after the machine's time of day."""

    settable: bool = False
    """Let an admin set it; the service needs the right to (``CAP_SYS_TIME``)."""


class Settings(BaseSettings):
    """All of it; read with :func:`load_settings`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        # A mistyped token must not end up in the journal.
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
    )

    camera: CameraSettings = CameraSettings()
    panel: PanelSettings = PanelSettings()
    server: ServerSettings = Field(default_factory=ServerSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    picture: PictureSettings = PictureSettings()
    history: HistorySettings = Field(default_factory=HistorySettings)
    clock: ClockSettings = ClockSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base class's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what the file said; nothing else is looked at."""
        return (env_settings, init_settings)


def load_settings(path: Path | None = None) -> Settings:
    """
    Read the TOML file at *path* (if given) and the environment.

    Raises:
        SettingsError: The file is missing or no TOML, or a key is unknown, malformed or unsafe;
            all that is wrong is listed.
    """
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"settings: cannot read {path} ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"settings: {path} is not TOML: {error}") from error
    _refuse_unknown_environment()
    unknown = sorted(table.keys() - Settings.model_fields.keys())
    if unknown:
        # Checked here, because BaseSettings would take some names for arguments of its own.
        raise _refused(
            f"{name}: unknown; known are {', '.join(Settings.model_fields)}" for name in unknown
        )
    try:
        return Settings(**table)
    except ValidationError as error:
        raise _refused(
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ) from error


def _refused(lines: Iterable[str]) -> SettingsError:
    return SettingsError("settings refused:\n  " + "\n  ".join(lines))


def _refuse_unknown_environment() -> None:
    """Complain about ``EDGEDERM_`` variables that set nothing: a typing error must not be quiet."""
    known = {
        f"{PREFIX}{section}__{key}".upper()
        for section, field in Settings.model_fields.items()
        for key in field.annotation.model_fields  # type: ignore[union-attr] # each is a Section
    }
    unknown = sorted(
        name for name in os.environ if name.startswith(PREFIX) and name.upper() not in known
    )
    if unknown:
        raise SettingsError(
            f"settings refused: unknown environment variables {', '.join(unknown)}; known are "
            f"{', '.join(sorted(known))}"
        )
