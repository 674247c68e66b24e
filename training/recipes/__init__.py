"""Recipes by name; each is a function that returns a complete configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from training.errors import RunError
from training.recipes.demo import demo_student, demo_teacher
from training.recipes.ham10000 import (
    assistant,
    student_control,
    student_distilled,
    student_further,
)
from training.recipes.teachers import teacher_paper, teacher_small
from training.runs import RunConfig

RECIPES: Mapping[str, Callable[[], RunConfig]] = {
    "assistant": assistant,
    "demo_student": demo_student,
    "demo_teacher": demo_teacher,
    "student_control": student_control,
    "student_distilled": student_distilled,
    "student_further": student_further,
    "teacher_paper": teacher_paper,
    "teacher_small": teacher_small,
}


def is_taught(record: str) -> bool:
    """Whether the recipe of a record, with or without options behind its name, has teachers."""
    begin = RECIPES.get(record.partition(" ")[0])
    return begin is not None and begin().distillation is not None


def require_recipe(name: str) -> Callable[[], RunConfig]:
    """Return the recipe called *name*; RunError if there is none."""
    if name not in RECIPES:
        raise RunError(f"recipe {name!r}: expected one of {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
