"""What a run is: one complete, frozen configuration, saved whole beside what came of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from device.core.manifest import PreprocessSpec
from training.errors import RunError

CONFIG_NAME = "config.json"
METRICS_NAME = "metrics.json"
CURVES_NAME = "curves.jsonl"
CHECKPOINT_NAME = "last.pt"
BEST_NAME = "best.pt"
HEADS_NAME = "heads.pt"
MEMBERS_NAME = "members"
VIEWS_NAME = "views"
COMMIT_NAME = "commit.txt"

Pooling = Literal["average", "max", "both"]


class Config(BaseModel):
    """Frozen and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BlockConfig(Config):
    """Some blocks of one kind; the first one strides."""

    kind: Literal["fused", "inverted", "separable"]
    """``fused``: one dense 3×3 expands; ``inverted``: 1×1 expands, a depthwise convolution
    follows; ``separable``: the depthwise convolution alone, nothing is expanded."""
    channels: int
    repeats: int
    stride: Literal[1, 2]
    expansion: int
    kernel: Literal[3, 5] = 3
    """Side of the depthwise convolution."""


class BackboneConfig(Config):
    """A network of timm: a member of the teacher, or what a student is grafted from."""

    name: str
    """In timm."""
    side_px: int
    """Pictures are resized to it by area; at most the side of the stages."""
    weights: str | None
    """Where it begins: see :func:`training.models.weights.load_backbone`; None: at random."""


class StudentConfig(Config):
    """Shape of the student; see ``models/student.py``."""

    kind: Literal["student"] = "student"
    stem_channels: int
    blocks: tuple[BlockConfig, ...]
    embedding_channels: int
    dropout: float
    pooling: Pooling = "average"
    """How the last feature map becomes the embedding; ``both``: the mean of average and maximum."""
    grafted_from: BackboneConfig | None = None
    """The trunk begins with the first blocks of this network, thinned out: see
    ``models/graft.py``; None: at random."""


class TeacherConfig(Config):
    """The fused teacher; see ``models/teacher.py``."""

    kind: Literal["teacher"] = "teacher"
    backbones: tuple[BackboneConfig, ...]
    hidden_channels: int
    """Of the fusion head, for each backbone."""
    dropout: float
    drop_path: float
    """Share of residual blocks that are left out at random in training."""


class HeadsConfig(Config):
    """Training of the heads alone, on features that the frozen backbones gave once."""

    views: int
    """Each picture is looked at so many times."""
    epochs: int
    learning_rate: float


class AugmentConfig(Config):
    """How far pictures are changed after the stages; 1.0 or 0.0 switches a change off."""

    enabled: bool = True
    largest_scale: float = 1.25
    largest_aspect: float = 1.1
    largest_shift: float = 0.1
    """In half sides of the picture."""
    largest_contrast: float = 1.2
    largest_brightness: float = 0.08
    largest_color_cast: float = 0.03


class DistillationConfig(Config):
    """How a student learns from a teacher."""

    teacher_runs: tuple[Path, ...]
    """Finished runs, of teachers or of students: what they say on average is taught.  Empty in a
    recipe, to be named when a training starts."""
    views: int | None
    """The teacher looks at so many views once, and the student goes through them again and
    again; None: it looks on live, at a new view every epoch."""
    kd_loss: Literal["kl", "dist"] = "kl"
    """See :func:`training.losses.distillation_loss`."""
    kd_temperature: Annotated[float, Field(gt=0)]
    kd_share: Annotated[float, Field(ge=0, le=1)]
    """Share of the soft loss; the rest is the loss on labels."""
    kd_averaged: bool = False
    """What the teacher says of a picture is its mean over all views that it looks at once, and
    holds for any other: the student sees a fresh one every epoch."""


class DataConfig(Config):
    """Exactly which pictures in which parts; filled in when a training starts."""

    fingerprint: str
    """Of the set of record."""
    split_sha256: str
    protocol: str = "grouped"
    """How pictures were parted: see ``data/protocols.py``."""
    extra_fingerprint: str | None = None
    """Of the pictures of further sets that are trained on."""


class RunConfig(Config):
    """Every knob of a training."""

    recipe: str
    seed: int
    preprocess: PreprocessSpec
    variants: int
    """Cached variants of each training picture, the clean one included."""
    model: Annotated[StudentConfig | TeacherConfig, Field(discriminator="kind")]
    augment: AugmentConfig
    extra_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """How many of the pictures of further sets each epoch takes."""
    heads: HeadsConfig | None = None
    """Of a teacher: what comes before the epochs, and all that the fusion does."""
    epochs: int
    batch_size: int
    """Over all processes together."""
    learning_rate: float
    warmup_epochs: int
    weight_decay: float
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each layer of a backbone learns so much slower than the one above it."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """``bf16``: where the device has arithmetic for it; see ``cpu.in_bf16``."""
    label_smoothing: float
    ema_decay: float
    distillation: DistillationConfig | None = None
    data: DataConfig | None = None
    """None in a recipe, which may be used on any data."""

    @property
    def side_px(self) -> int:
        """Side of the model's input."""
        return self.preprocess.side_px

    def is_as(self, other: RunConfig) -> bool:
        """Whether both train the same, whatever the recipe is called."""
        return self.model_copy(update={"recipe": other.recipe}) == other


def require_run(folder: Path) -> None:
    """Raise RunError if *folder* holds no network."""
    absent = [name for name in (CONFIG_NAME, BEST_NAME) if not (folder / name).is_file()]
    if absent:
        raise RunError(
            f"{folder}: expected a finished run, found no {' and no '.join(absent)}; "
            "train it first with `python -m training train`"
        )


def planned_epochs(config: RunConfig) -> int:
    """Return the epochs of a whole training; those of the fusion, for a fused teacher."""
    model = config.model
    fuses = isinstance(model, TeacherConfig) and len(model.backbones) > 1
    return config.heads.epochs if fuses and config.heads is not None else config.epochs


def finished_epochs(folder: Path) -> int:
    """Return how many epochs of the run in *folder* are over."""
    path = folder / CURVES_NAME
    return len(path.read_text().splitlines()) if path.is_file() else 0


def save_config(folder: Path, config: RunConfig) -> None:
    """Write *config* into the run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_NAME).write_text(config.model_dump_json(indent=2) + "\n")


def load_config(folder: Path) -> RunConfig:
    """Read the configuration of the run in *folder*."""
    return RunConfig.model_validate_json((folder / CONFIG_NAME).read_text())


def record_commit(folder: Path) -> None:
    """
    Write the commit of the source that trains in *folder* beside its configuration.

    A run that goes on under another commit was trained by neither alone: the first one is kept
    and marked as not the whole truth.
    """
    path, commit = folder / COMMIT_NAME, source_commit()
    if path.is_file() and (first := path.read_text().strip()) != commit:
        commit = _doubtful(first)
    path.write_text(commit + "\n")


def commit_of(folder: Path) -> str:
    """Return the commit that trained the run; the present one, marked, if it was not recorded."""
    path = folder / COMMIT_NAME
    return path.read_text().strip() if path.is_file() else _doubtful(source_commit())


def _doubtful(commit: str) -> str:
    return commit.removesuffix("-dirty") + "-dirty"


def source_commit() -> str:
    """Commit of the working tree, ``-dirty`` behind it if files differ, ``unknown`` outside git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],  # noqa: S607 - git of the user
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()
