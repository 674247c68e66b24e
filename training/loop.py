"""
One readable training loop for teacher and student, on one machine or many.

Hugging Face accelerate places it on what there is: a CPU, several, a GPU, several machines.
A run that was stopped goes on from its last finished epoch; on one CPU it ends, to the bit, as if
it had not been stopped.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import track
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.cpu import in_bf16
from training.data.dataset import PreparedPart, steps_of_an_epoch, training_batches
from training.data.views import draw_view
from training.errors import RunError
from training.evaluate.predictions import predict
from training.losses import distillation_loss, label_loss
from training.models import FusedTeacher, Outputs, build_model, channels_last
from training.models.depthwise import speed_up_depthwise
from training.runs import (
    BEST_NAME,
    CHECKPOINT_NAME,
    COMMIT_NAME,
    CONFIG_NAME,
    CURVES_NAME,
    HEADS_NAME,
    VIEWS_NAME,
    RunConfig,
    load_config,
    record_commit,
    save_config,
)
from training.teaching import Lesson

_SEEDS_APART = 100_003
"""Epochs of one seed never meet those of another."""


def train(
    config: RunConfig,
    train_part: PreparedPart,
    validation_part: PreparedPart,
    folder: Path,
    *,
    lesson: Lesson | None = None,
    start: Mapping[str, Tensor] | None = None,
) -> None:
    """
    Train the network of *config*, or go on where *folder* says that it stopped.

    Writes the configuration, one line a finished epoch into ``curves.jsonl``, a checkpoint to
    go on from, and the averaged weights that did best on the validation part.

    Args:
        config: Of the run.
        train_part: Trained on.
        validation_part: Chooses the best epoch.
        folder: Of the run.
        lesson: What the teacher says, if there is one.
        start: Weights to begin with, instead of those of the configuration.

    Raises:
        RunError: *folder* holds a run of another configuration.
    """
    accelerator = Accelerator()
    claim(folder, config, accelerator)
    learner = Learner(config, train_part, accelerator, start=start)
    state = _load(folder, *learner.saved())
    if accelerator.is_main_process:
        _keep_lines(folder / CURVES_NAME, state.epoch)
        if state.epoch < config.epochs:
            # A finished run that is only looked at was trained by the commit that it names.
            record_commit(folder)
    learner.prepare()
    for epoch in range(state.epoch, config.epochs):
        started = time.perf_counter()
        means = learner.learn(lesson, epoch)
        auroc = validation_auroc(learner.averaged, validation_part)
        is_best = auroc > state.best_auroc
        state = _State(epoch=epoch + 1, best_auroc=max(state.best_auroc, auroc))
        if accelerator.is_main_process:
            if is_best:
                write(folder / BEST_NAME, learner.averaged.state_dict())
            line = {
                "epoch": epoch + 1,
                **{f"loss_{name}": round(value, 6) for name, value in means.items()},
                "validation_auroc": round(auroc, 6),
                "seconds": round(time.perf_counter() - started, 2),
            }
            add_line(folder / CURVES_NAME, line)
            accelerator.print(json.dumps(line))
            _save(folder, state, *learner.saved())
        accelerator.wait_for_everyone()


class Learner:
    """
    A network with all that changes it, one epoch after the other.

    Args:
        config: Of the run.
        part: Learned from.
        accelerator: Says where.
        start: Weights to begin with, instead of those of the configuration.

    Raises:
        RunError: *part* does not fill a batch, or a batch cannot be shared by the processes.
    """

    def __init__(
        self,
        config: RunConfig,
        part: PreparedPart,
        accelerator: Accelerator,
        *,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        self._config, self._part, self._accelerator = config, part, accelerator
        self._steps = steps = _steps(config, part, accelerator)
        self._model = _network(config, start, accelerator)
        self._optimizer = torch.optim.AdamW(
            parameter_groups(self._model, config), lr=config.learning_rate
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer,
            lambda step: _warmup_cosine(step, config.warmup_epochs * steps, config.epochs * steps),
        )
        # Normalisation statistics are averaged too: averaged weights with other statistics would
        # be another network.
        self._ema = AveragedModel(
            self._model, multi_avg_fn=_moving_average(config.ema_decay), use_buffers=True
        )
        self._prepared: Any = None

    @property
    def averaged(self) -> nn.Module:
        """The network with averaged weights."""
        return self._ema.module

    def saved(self) -> tuple[Any, ...]:
        """Return what a checkpoint holds: network, average, optimizer, schedule."""
        return self._model, self._ema, self._optimizer, self._schedule

    def prepare(self) -> None:
        """Let accelerate place everything, once it holds what the checkpoint held."""
        self._prepared = self._accelerator.prepare(self._model, self._optimizer)

    def learn(self, lesson: Lesson | None, epoch: int) -> dict[str, float]:
        """Go through one view of the part; return the mean of each term of the loss by name."""
        model, optimizer = self._prepared
        means: dict[str, float] = {}
        model.train()
        for loss, terms in _losses(
            model, self._config, self._part, lesson, epoch, self._accelerator
        ):
            optimizer.zero_grad()
            self._accelerator.backward(loss)
            optimizer.step()
            self._schedule.step()
            self._ema.update_parameters(self._accelerator.unwrap_model(model))
            for name, term in terms.items():
                means[name] = means.get(name, 0.0) + term.item() / self._steps
        return means


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    epoch: int
    """Finished epochs."""
    best_auroc: float


def claim(folder: Path, config: RunConfig, accelerator: Accelerator) -> None:
    """
    Take an empty folder, or one with the same configuration.

    What another configuration began and left without a checkpoint is removed, its heads and what
    it saw too.
    """
    is_same = (folder / CONFIG_NAME).is_file() and load_config(folder).is_as(config)
    if (folder / CHECKPOINT_NAME).is_file() and not is_same:
        raise RunError(
            f"{folder} holds a run of another configuration; name another folder or remove it"
        )
    accelerator.wait_for_everyone()  # Nobody reads any more what is written now.
    if accelerator.is_main_process:
        if not (folder / CHECKPOINT_NAME).is_file():
            begun = () if is_same else (HEADS_NAME,)
            for name in (CURVES_NAME, COMMIT_NAME, *begun):
                (folder / name).unlink(missing_ok=True)
            if not is_same:
                shutil.rmtree(folder / VIEWS_NAME, ignore_errors=True)
        save_config(folder, config)
    accelerator.wait_for_everyone()


def _steps(config: RunConfig, part: PreparedPart, accelerator: Accelerator) -> int:
    """Return the steps of an epoch, or say why there can be none."""
    if config.batch_size % accelerator.num_processes:
        raise RunError(
            f"a batch of {config.batch_size} cannot be shared evenly by "
            f"{accelerator.num_processes} processes"
        )
    steps = steps_of_an_epoch(part, batch_size=config.batch_size, extra_share=config.extra_share)
    if steps == 0:
        raise RunError(
            f"{len(part)} training pictures do not fill one batch of {config.batch_size}"
        )
    return steps


def _network(
    config: RunConfig, start: Mapping[str, Tensor] | None, accelerator: Accelerator
) -> nn.Module:
    """Build the network where it will be trained."""
    torch.manual_seed(config.seed)
    model = build_model(config.model, fresh=start is not None)
    if start is not None:
        model.load_state_dict(start)
    if accelerator.device.type == "cpu" and in_bf16(config.precision, accelerator.device):
        speed_up_depthwise(model)
    return channels_last(model, accelerator.device)


def _losses(
    model: nn.Module,
    config: RunConfig,
    part: PreparedPart,
    lesson: Lesson | None,
    epoch: int,
    accelerator: Accelerator,
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Show one view of *part* to the network, and yield what to minimise at each step."""
    seed = config.seed * _SEEDS_APART + epoch
    view_seed = seed if lesson is None else lesson.view_seed(epoch, seed)
    view = draw_view(len(part), len(part.pixels_VNSSC), config.augment, seed=view_seed)
    console = Console(stderr=True)
    batches = training_batches(
        part,
        batch_size=config.batch_size,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        generator=torch.Generator().manual_seed(seed),
        extra_share=config.extra_share,
    )
    device = accelerator.device
    for indices_B in track(
        batches,
        total=_steps(config, part, accelerator),
        description=f"epoch {epoch + 1}/{config.epochs}",
        transient=True,
        console=console,
        disable=not (accelerator.is_main_process and console.is_terminal),
    ):
        x_BCHW = view.show(part, indices_B, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16(config.precision, device)):
            outputs = model(x_BCHW)
        taught = None if lesson is None else lesson.hear(view, epoch, indices_B)
        yield _loss(outputs, part.labels(indices_B), config, taught)


def _loss(
    outputs: Outputs, labels: tuple[Tensor, Tensor], config: RunConfig, taught: Outputs | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what is minimised and its terms by name."""
    malignant_B, diagnosis_B = (values.to(outputs.malignancy_logit_B1.device) for values in labels)
    terms = label_loss(outputs, malignant_B, diagnosis_B, label_smoothing=config.label_smoothing)
    loss = torch.stack(list(terms.values())).sum()
    if config.distillation is not None and taught is not None:
        soft = distillation_loss(
            outputs,
            taught,
            kd_loss=config.distillation.kd_loss,
            kd_temperature=config.distillation.kd_temperature,
        )
        share = config.distillation.kd_share
        loss = (1 - share) * loss + share * torch.stack(list(soft.values())).sum()
        terms |= soft
    return loss, terms


def parameter_groups(model: nn.Module, config: RunConfig) -> list[dict[str, Any]]:
    """
    Group parameters by how fast they learn and whether they decay.

    Matrices and kernels alone decay: shrinking a bias or a norm regularises nothing.  The layers
    of a teacher's backbones learn slower the deeper they lie.
    """
    layers = model.layers(config.weight_decay) if isinstance(model, FusedTeacher) else []
    groups = [
        {
            "params": layer.parameters,
            "weight_decay": layer.weight_decay,
            "lr": config.learning_rate * config.layer_decay**layer.depth,
        }
        for layer in layers
    ]
    grouped = {id(p) for layer in layers for p in layer.parameters}
    rest = [p for p in model.parameters() if id(p) not in grouped]
    matrices = [p for p in rest if p.ndim > 1]
    vectors = [p for p in rest if p.ndim <= 1]
    return [
        *groups,
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _moving_average(decay: float) -> Any:
    """
    Average weights over the last steps; over fewer ones at the beginning.

    Without that the random weights of the first step would count for a thousand steps.
    """

    def average(averaged: Any, current: Any, steps: Any) -> None:
        count = int(steps)
        get_ema_multi_avg_fn(min(decay, (1 + count) / (10 + count)))(averaged, current, steps)

    return average


def _warmup_cosine(step: int, warmup: int, total: int) -> float:
    """Factor on the learning rate: up in a line, down along half a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))


def validation_auroc(model: nn.Module, part: PreparedPart) -> float:
    """Area under the ROC curve of the untouched pictures of *part*."""
    return float(roc_auc_score(part.malignant_N, predict(model, part).malignancy_logit_N))


def _save(folder: Path, state: _State, model: nn.Module, ema: Any, *parts: Any) -> None:
    optimizer, schedule = parts
    write(
        folder / CHECKPOINT_NAME,
        {
            "epoch": state.epoch,
            "best_auroc": state.best_auroc,
            "model": model.state_dict(),
            "ema": ema.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        },
    )


def _load(folder: Path, model: nn.Module, ema: Any, *parts: Any) -> _State:
    """Fill in what the checkpoint holds; without one the run is at its beginning."""
    optimizer, schedule = parts
    if not (folder / CHECKPOINT_NAME).is_file():
        return _State(epoch=0, best_auroc=-math.inf)
    saved = torch.load(folder / CHECKPOINT_NAME, map_location="cpu", weights_only=True)
    model.load_state_dict(saved["model"])
    ema.load_state_dict(saved["ema"])
    optimizer.load_state_dict(saved["optimizer"])
    schedule.load_state_dict(saved["schedule"])
    # Dropout draws from it; without it a resumed run would end elsewhere.
    torch.set_rng_state(saved["torch_rng"])
    if len(saved["cuda_rng"]) == torch.cuda.device_count() > 0:
        torch.cuda.set_rng_state_all(saved["cuda_rng"])
    return _State(epoch=saved["epoch"], best_auroc=saved["best_auroc"])


def _keep_lines(path: Path, count: int) -> None:
    """Drop the line of an epoch that was stopped before its checkpoint; it is run again."""
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    path.write_text("".join(lines[:count]))


def add_line(path: Path, line: Mapping[str, float]) -> None:
    """Append *line* as JSON."""
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def write(path: Path, content: Any) -> None:
    """Write so that a stop in the middle leaves the old file whole."""
    fresh = path.with_suffix(".fresh")
    torch.save(content, fresh)
    fresh.replace(path)
