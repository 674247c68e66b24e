"""The networks; all give the same outputs for the same input."""

from __future__ import annotations

from torch import nn

from training.models.outputs import Outputs
from training.models.student import Student
from training.models.teacher import FusedTeacher
from training.runs import StudentConfig, TeacherConfig

__all__ = ["FusedTeacher", "Outputs", "Student", "build_model"]


def build_model(config: StudentConfig | TeacherConfig) -> nn.Module:
    """Build the network of *config* with fresh weights."""
    if isinstance(config, StudentConfig):
        return Student(config)
    return FusedTeacher(config)
