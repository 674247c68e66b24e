"""The networks; all give the same outputs for the same input."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from training.errors import RunError
from training.models.graft import graft
from training.models.outputs import Outputs
from training.models.student import Student
from training.models.teacher import FusedTeacher
from training.models.weights import load_backbone
from training.runs import BEST_NAME, StudentConfig, TeacherConfig, load_config

__all__ = [
    "FusedTeacher",
    "Network",
    "Outputs",
    "Student",
    "build_model",
    "channels_last",
    "load_best",
]

Network = Student | FusedTeacher
"""Either can look at pictures, ``look``, and say later what it saw, ``hear``: so either teaches."""

_AnyModule = TypeVar("_AnyModule", bound=nn.Module)


def build_model(config: StudentConfig | TeacherConfig, *, fresh: bool = False) -> Network:
    """
    Build the network of *config* as its training begins.

    Args:
        config: Which one.
        fresh: Leave all weights random, because others are loaded over them.
    """
    if isinstance(config, StudentConfig):
        student = Student(config)
        if config.grafted_from is not None and not fresh:
            graft(student, load_backbone(config.grafted_from, drop_path=0.0), config.grafted_from)
        return student
    return FusedTeacher(config, fresh=fresh)


def channels_last(network: _AnyModule, device: torch.device) -> _AnyModule:
    """Return *network* on *device*, with kernels laid out in memory as convolutions like them."""
    # Torch's types do not know of the format.
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def load_best(folder: Path) -> Network:
    """Return the network that did best in the run in *folder*, ready to predict."""
    if not (folder / BEST_NAME).is_file():
        raise RunError(f"{folder}: no {BEST_NAME}; train it first with `training train`")
    model = build_model(load_config(folder).model, fresh=True)
    model.load_state_dict(torch.load(folder / BEST_NAME, map_location="cpu", weights_only=True))
    return model.eval()
