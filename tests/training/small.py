"""A student, drawn parts and a run that are small enough for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from device.core.manifest import DIAGNOSES, MALIGNANT_DIAGNOSES, PreprocessSpec
from device.drawing import draw_lesion
from training.data.case import Case
from training.data.dataset import PreparedPart
from training.data.readers import read_folders
from training.data.splits import CALIBRATION, TEST, TRAIN, VALIDATION, Split, write_split
from training.models import Student
from training.recipes.preprocessing import six_stages
from training.runs import (
    BEST_NAME,
    AugmentConfig,
    BackboneConfig,
    BlockConfig,
    DistillationConfig,
    HeadsConfig,
    Pooling,
    RunConfig,
    StudentConfig,
    TeacherConfig,
    save_config,
)

SIDE_PX = 48


def a_student_config(*, dropout: float = 0.2, pooling: Pooling = "average") -> StudentConfig:
    """Both kinds of blocks, with and without the addition, in 4,000 weights."""
    return StudentConfig(
        stem_channels=8,
        blocks=(
            BlockConfig(kind="fused", channels=8, repeats=1, stride=1, expansion=1),
            BlockConfig(kind="fused", channels=12, repeats=1, stride=2, expansion=2),
            BlockConfig(kind="inverted", channels=16, repeats=2, stride=2, expansion=2),
        ),
        embedding_channels=24,
        dropout=dropout,
        pooling=pooling,
    )


def a_student(seed: int = 0, config: StudentConfig | None = None) -> Student:
    """Random weights, and normalisation statistics that know what pictures are like."""
    torch.manual_seed(seed)
    student = Student(config or a_student_config())
    norms = [module for module in student.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.0, 0.2)
        norm.momentum = None
    blots = torch.rand(32, 3, 4, 4)
    pictures = nn.functional.interpolate(blots, size=(SIDE_PX, SIDE_PX), mode="bilinear")
    with torch.no_grad():
        student.train()(0.3 + 0.6 * pictures)
    for norm in norms:
        norm.momentum = 0.1
    return student.eval()


def a_run_config(
    *,
    spec: PreprocessSpec | None = None,
    epochs: int = 3,
    batch_size: int = 16,
    ema_decay: float = 0.5,
    seed: int = 1,
    distillation: DistillationConfig | None = None,
) -> RunConfig:
    """A training of seconds."""
    return RunConfig(
        recipe="test",
        seed=seed,
        preprocess=spec or six_stages(SIDE_PX),
        variants=2,
        model=a_student_config(),
        augment=AugmentConfig(),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=3e-3,
        warmup_epochs=1,
        weight_decay=0.02,
        label_smoothing=0.05,
        ema_decay=ema_decay,
        distillation=distillation,
    )


def a_teacher_config(*names: str) -> TeacherConfig:
    """The smallest backbones that timm has, with random weights; the first one at half the side."""
    return TeacherConfig(
        backbones=tuple(
            BackboneConfig(name=name, side_px=SIDE_PX if index else SIDE_PX // 2, weights=None)
            for index, name in enumerate(names or ("test_efficientnet", "test_resnet"))
        ),
        hidden_channels=8,
        dropout=0.1,
        drop_path=0.0,
    )


def a_teacher_run_config(*names: str, epochs: int = 1) -> RunConfig:
    """A teacher's training of seconds."""
    return a_run_config(epochs=epochs).model_copy(
        update={
            "model": a_teacher_config(*names),
            "heads": HeadsConfig(views=2, epochs=2, learning_rate=1e-3),
            "layer_decay": 0.9,
        }
    )


def a_part(count: int, *, first_seed: int = 0, variants: int = 1) -> PreparedPart:
    """Drawn lesions at the model's side, all diagnoses in turn; no file is read or written."""
    codes = [DIAGNOSES[index % len(DIAGNOSES)] for index in range(count)]
    pixels_NSSC = np.stack(
        [
            draw_lesion(first_seed + index, diagnosis=code, height_px=SIDE_PX, width_px=SIDE_PX)
            for index, code in enumerate(codes)
        ]
    )
    return PreparedPart(
        cases=tuple(
            Case(
                image_id=f"drawn/{first_seed + index}",
                dataset="drawn",
                path=Path("drawn"),
                malignant=code in MALIGNANT_DIAGNOSES,
                diagnosis=code,
            )
            for index, code in enumerate(codes)
        ),
        # The other variants are mirrored: enough to tell which one was taken.
        pixels_VNSSC=np.stack([pixels_NSSC, pixels_NSSC[:, :, ::-1]][:variants]),
        malignant_N=np.array([code in MALIGNANT_DIAGNOSES for code in codes], dtype=np.float32),
        diagnosis_N=np.array([DIAGNOSES.index(code) for code in codes], dtype=np.int64),
    )


def save_part(path: Path, part: PreparedPart) -> None:
    """Keep *part* for another process; of the cases only their number."""
    np.savez(
        path,
        pixels_VNSSC=part.pixels_VNSSC,
        malignant_N=part.malignant_N,
        diagnosis_N=part.diagnosis_N,
    )


def load_part(path: Path) -> PreparedPart:
    """Return what :func:`save_part` kept."""
    with np.load(path) as kept:
        arrays = dict(kept)
    nobody = Case(
        image_id="drawn/0", dataset="drawn", path=Path("drawn"), malignant=False, diagnosis=None
    )
    return PreparedPart(cases=(nobody,) * len(arrays["malignant_N"]), **arrays)


def a_data_set(root: Path, *, count: int = 48) -> Path:
    """Drawn JPEG files in ``benign`` and ``malignant``, half each; return *root*."""
    for index in range(count):
        label, code = (("benign", "NV"), ("malignant", "MEL"))[index % 2]
        picture_HWC = draw_lesion(index, diagnosis=code, height_px=72, width_px=96)
        (root / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(
            str(root / label / f"{index:03}.jpg"), cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR)
        )
    return root


def a_split(path: Path, root: Path) -> Path:
    """Write a split of *root* in which every part has both labels; return *path*."""
    return a_split_of(path, read_folders(root))


def a_split_of(path: Path, cases: Sequence[Case], extra: Sequence[Case] = ()) -> Path:
    """Write a split that deals *cases* to the four parts in turn, and *extra* to train."""
    parts = (TRAIN, VALIDATION, CALIBRATION, TEST)
    write_split(
        path,
        Split(
            group_of={case.image_id: case.image_id for case in (*cases, *extra)},
            part_of={case.image_id: parts[index % 4] for index, case in enumerate(cases)}
            | dict.fromkeys((case.image_id for case in extra), TRAIN),
        ),
    )
    return path


def a_finished_run(folder: Path, student: Student | None = None) -> Path:
    """Save *student* as the best of a run in *folder*; return *folder*."""
    save_config(folder, a_run_config())
    torch.save((student or a_student()).state_dict(), folder / BEST_NAME)
    return folder
