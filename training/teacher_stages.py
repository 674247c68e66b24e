"""
How a teacher comes to be: each member alone, first its heads and then all of it; then the fusion.

What is frozen looks at each picture once; its features are kept, and heads are trained on them in
seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from training.data.dataset import PreparedPart, training_batches
from training.errors import RunError
from training.loop import add_line, claim, train, write
from training.losses import label_loss
from training.models import FusedTeacher, load_best
from training.runs import (
    BEST_NAME,
    CHECKPOINT_NAME,
    CURVES_NAME,
    HEADS_NAME,
    MEMBERS_NAME,
    BackboneConfig,
    HeadsConfig,
    RunConfig,
    TeacherConfig,
    record_commit,
)
from training.teaching import plain_features, view_features

_BATCH = 256


def train_teacher(
    config: RunConfig, train_part: PreparedPart, validation_part: PreparedPart, folder: Path
) -> None:
    """
    Train the teacher of *config*, or go on where *folder* says that it stopped.

    A teacher of one backbone is trained as it is; for several, a run of each alone lies below
    ``members/``, and the fused one begins as their mean.

    Raises:
        RunError: *folder* holds a run of another configuration.
    """
    model = config.model
    if not isinstance(model, TeacherConfig):
        raise RunError(f"{config.recipe}: expected a teacher")
    if len(model.backbones) == 1:
        _train_member(config, train_part, validation_part, folder)
        return
    members = []
    for backbone in model.backbones:
        member = member_folder(folder, backbone.name)
        _train_member(member_config(config, backbone), train_part, validation_part, member)
        members.append(member)
    _fuse(config, members, train_part, validation_part, folder)


def member_config(config: RunConfig, backbone: BackboneConfig) -> RunConfig:
    """Return the configuration that trains one backbone of the teacher of *config* alone."""
    model = config.model.model_copy(update={"backbones": (backbone,)})
    return config.model_copy(
        update={"recipe": f"{config.recipe} --member {backbone.name}", "model": model}
    )


def member_folder(folder: Path, name: str) -> Path:
    """Return where the run of one member lies in the *folder* of its teacher."""
    return folder / MEMBERS_NAME / name


def _train_member(
    config: RunConfig, train_part: PreparedPart, validation_part: PreparedPart, folder: Path
) -> None:
    accelerator = Accelerator()
    claim(folder, config, accelerator)
    start: Mapping[str, Tensor] | None = None
    if config.heads is not None:
        with accelerator.main_process_first():
            if not (folder / HEADS_NAME).is_file():
                teacher = _build(config).to(accelerator.device)
                found = _fit(
                    teacher, config, config.heads, train_part, validation_part, kept_in=None
                )
                folder.mkdir(parents=True, exist_ok=True)
                write(folder / HEADS_NAME, found.weights)
        if not (folder / CHECKPOINT_NAME).is_file():
            start = torch.load(folder / HEADS_NAME, map_location="cpu", weights_only=True)
    train(config, train_part, validation_part, folder, start=start)


def _fuse(
    config: RunConfig,
    members: list[Path],
    train_part: PreparedPart,
    validation_part: PreparedPart,
    folder: Path,
) -> None:
    if config.heads is None:
        raise RunError(
            f"{config.recipe}: a fused teacher needs `heads`; its fusion is nothing else"
        )
    accelerator = Accelerator()
    claim(folder, config, accelerator)
    with accelerator.main_process_first():
        if (folder / CHECKPOINT_NAME).is_file():
            return
        record_commit(folder)
        teacher = _build(config, fresh=True)
        teacher.begin_as_mean_of([_teacher(member) for member in members])
        teacher.to(accelerator.device)
        found = _fit(teacher, config, config.heads, train_part, validation_part, kept_in=folder)
        (folder / CURVES_NAME).unlink(missing_ok=True)
        for line in found.lines:
            add_line(folder / CURVES_NAME, line)
        write(folder / BEST_NAME, found.weights)
        write(folder / CHECKPOINT_NAME, {"epoch": config.heads.epochs})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fitted:
    weights: Mapping[str, Tensor]
    """Of the whole teacher."""
    lines: list[dict[str, float]]
    """One a finished epoch."""


def _fit(
    teacher: FusedTeacher,
    config: RunConfig,
    heads: HeadsConfig,
    train_part: PreparedPart,
    validation_part: PreparedPart,
    *,
    kept_in: Path | None,
) -> _Fitted:
    """
    Train fusion and heads on features of frozen backbones; the best epoch on validation stays.

    Epoch 0 is what the heads say before any step: a fusion that learns nothing stays the mean.
    """
    views_VND = view_features(
        teacher,
        train_part,
        config.augment,
        views=heads.views,
        folder=kept_in,
        precision=config.precision,
    )
    judged_ND = plain_features(teacher, validation_part, precision=config.precision)
    learned = [
        value for name, value in teacher.named_parameters() if not name.startswith("backbones.")
    ]
    optimizer = torch.optim.AdamW(learned, lr=heads.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, heads.epochs))
    best, lines = -1.0, []
    weights: dict[str, Tensor] = {}
    torch.manual_seed(config.seed)
    device = next(teacher.parameters()).device
    for epoch in range(heads.epochs + 1):
        started = time.perf_counter()
        total = count = 0.0
        if epoch > 0:
            teacher.train()
            for indices_B in training_batches(
                train_part,
                batch_size=min(_BATCH, len(train_part)),
                rank=0,
                world=1,
                generator=torch.Generator().manual_seed(config.seed + epoch),
                extra_share=config.extra_share,
            ):
                features_BD = _tensor(views_VND[(epoch - 1) % heads.views, indices_B], device)
                terms = label_loss(
                    teacher.hear(features_BD),
                    *(labels_B.to(device) for labels_B in train_part.labels(indices_B)),
                    label_smoothing=config.label_smoothing,
                )
                loss = torch.stack(list(terms.values())).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total, count = total + loss.item(), count + 1
            schedule.step()
        auroc = _auroc(teacher, judged_ND, validation_part)
        if auroc > best:
            best = auroc
            weights = {name: value.cpu().clone() for name, value in teacher.state_dict().items()}
        if epoch > 0:
            line = {
                "epoch": epoch,
                "loss_labels": round(total / max(1.0, count), 6),
                "validation_auroc": round(auroc, 6),
                "seconds": round(time.perf_counter() - started, 2),
            }
            lines.append(line)
    return _Fitted(weights=weights, lines=lines)


def _auroc(teacher: FusedTeacher, features_ND: NDArray[np.float16], part: PreparedPart) -> float:
    teacher.eval()
    with torch.no_grad():
        device = next(teacher.parameters()).device
        logit_N = teacher.hear(_tensor(features_ND, device)).malignancy_logit_B1[:, 0].cpu().numpy()
    return float(roc_auc_score(part.malignant_N, logit_N))


def _tensor(features_BD: NDArray[np.float16], device: torch.device) -> Tensor:
    return torch.from_numpy(features_BD.astype(np.float32)).to(device)


def _build(config: RunConfig, *, fresh: bool = False) -> FusedTeacher:
    torch.manual_seed(config.seed)
    assert isinstance(config.model, TeacherConfig)  # noqa: S101 - train_teacher has checked it
    return FusedTeacher(config.model, fresh=fresh)


def _teacher(run: Path) -> FusedTeacher:
    teacher = load_best(run)
    assert isinstance(teacher, FusedTeacher)  # noqa: S101 - _train_member has trained it
    return teacher
