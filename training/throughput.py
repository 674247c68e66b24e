"""
How many pictures a second a recipe's networks learn from, and what made them that many.

Two questions: what the precision and the convolutions of our own give to a bare step on random
numbers, and what the whole loop (pictures, augmentation, loss, average of the weights, metrics)
leaves of that.  The second is measured in turns, because a busy machine changes from one second to
the next.  A recipe with a teacher is measured with one that has looked before: its answers are read
and count in the loss.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console
from rich.table import Table

from device.core.manifest import DIAGNOSES, MALIGNANT_DIAGNOSES
from device.drawing import draw_lesion
from training.cpu import in_bf16
from training.data.case import Case
from training.data.dataset import PreparedPart
from training.loop import Learner, validation_auroc
from training.losses import label_loss
from training.models import build_model, channels_last
from training.models.depthwise import speed_up_depthwise
from training.recipes import RECIPES
from training.runs import RunConfig, TeacherConfig, source_commit
from training.teacher_stages import member_config
from training.teaching import CachedLesson

LEAST_SHARE = 0.85
"""Of the bare steps' pictures a second, which the whole loop shall keep."""
_WARM_UP = 2
_TURNS = 5
_VALIDATION_SHARE = 6
"""The validation part has a sixth of the training part's pictures: 10 of 57.5 % in the split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Of one network: medians over the steps, in pictures a second."""

    network: str
    side_px: int
    batch_size: int
    plain_fp32: float
    plain: float
    """At the recipe's precision, with the convolutions as torch has them."""
    fast: float
    """As the loop trains: where the device has no arithmetic for bf16, in fp32."""
    whole: float
    """In an epoch of the loop itself, validation included; drawn pictures."""
    whole_share: float
    """Of the bare steps that took turns with those epochs; the median of the turns."""


def measure_throughput(recipe: str, *, steps: int) -> list[Throughput]:
    """
    Time training steps of every network of *recipe* on random pixels, on the device at hand.

    Args:
        recipe: Name in ``training.recipes.RECIPES``.
        steps: Timed ones for each figure.
    """
    config = RECIPES[recipe]()
    if not isinstance(config.model, TeacherConfig):
        return [_measure("student", config, config.side_px, steps)]
    return [
        _measure(backbone.name, member_config(config, backbone), backbone.side_px, steps)
        for backbone in config.model.backbones
    ]


def print_throughput(found: list[Throughput], console: Console) -> None:
    """Show the figures as a table."""
    table = Table(title=f"pictures a second in training, {torch.get_num_threads()} threads")
    for heading in (
        "network",
        "side",
        "batch",
        "fp32",
        "recipe's precision",
        "as trained",
        "ratio",
        "whole loop",
        "share",
    ):
        table.add_column(heading, justify="left" if heading == "network" else "right")
    for line in found:
        table.add_row(
            line.network,
            f"{line.side_px} px",
            f"{line.batch_size}",
            f"{line.plain_fp32:.0f}",
            f"{line.plain:.0f}",
            f"{line.fast:.0f}",
            f"{line.fast / line.plain_fp32:.1f}",
            f"{line.whole:.0f}",
            f"{line.whole_share:.0%}",
        )
    console.print(table)


def record_throughput(found: list[Throughput], recipe: str, steps: int, path: Path) -> None:
    """Write the figures to *path*, with what they depend on."""
    record = {
        "command": f"python -m training throughput {recipe} --steps {steps}",
        "commit": source_commit(),
        "torch": torch.__version__,
        "arithmetic": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "least_share": LEAST_SHARE,
        "networks": [asdict(line) for line in found],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")


def _measure(name: str, config: RunConfig, side_px: int, steps: int) -> Throughput:
    bf16 = config.precision == "bf16"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trains_in_bf16 = in_bf16(config.precision, device)
    rates = {
        kind: _rate(config, _bare_step(config, side_px, bf16=is_bf16, fast=fast), steps)
        for kind, is_bf16, fast in (
            ("plain_fp32", False, False),
            ("plain", bf16, False),
            ("fast", trains_in_bf16, trains_in_bf16),  # as the loop decides
        )
    }
    whole, share = _whole(config, side_px, steps)
    return Throughput(
        network=name,
        side_px=side_px,
        batch_size=config.batch_size,
        whole=whole,
        whole_share=share,
        **rates,
    )


def _rate(config: RunConfig, step: Callable[[], None], steps: int) -> float:
    seconds = [_seconds(step) for _ in range(_WARM_UP + steps)]
    return config.batch_size / statistics.median(seconds[_WARM_UP:])


def _whole(config: RunConfig, side_px: int, steps: int) -> tuple[float, float]:
    """Return the rate of the whole loop, and its share of the bare steps' rate, in turns."""
    pictures = steps * config.batch_size
    part = drawn_part(pictures, side_px)
    validation_part = drawn_part(max(len(DIAGNOSES), pictures // _VALIDATION_SHARE), side_px)
    accelerator = Accelerator()
    learner = Learner(
        config, part, accelerator, start=build_model(config.model, fresh=True).state_dict()
    )
    learner.prepare()
    lesson = None if config.distillation is None else _drawn_lesson(pictures, accelerator.device)
    is_bf16 = in_bf16(config.precision, accelerator.device)
    step = _bare_step(config, side_px, bf16=is_bf16, fast=is_bf16)  # as the loop decides

    def bare() -> None:
        for _ in range(steps):
            step()

    def epoch(number: int) -> None:
        learner.learn(lesson, number)
        validation_auroc(learner.averaged, validation_part)

    shares, rates = [], []
    for turn in range(_TURNS + 1):
        bare_s = _seconds(bare)
        whole_s = _seconds(partial(epoch, turn))
        if turn > 0:  # The first turn warms both up.
            shares.append(bare_s / whole_s)
            rates.append(pictures / whole_s)
    return statistics.median(rates), statistics.median(shares)


def _drawn_lesson(pictures: int, device: torch.device) -> CachedLesson:
    """Say something about one view of each picture, as a teacher that has looked before."""
    return CachedLesson(
        malignancy_logit_VN=torch.zeros((1, pictures), device=device),
        diagnosis_logits_VNK=torch.zeros((1, pictures, len(DIAGNOSES)), device=device),
    )


def drawn_part(pictures: int, side_px: int) -> PreparedPart:
    """Draw one picture of each diagnosis and repeat them: how they look changes no time."""
    drawn_NSSC = np.stack(
        [
            draw_lesion(seed, diagnosis=diagnosis, height_px=side_px, width_px=side_px)
            for seed, diagnosis in enumerate(DIAGNOSES)
        ]
    )
    kinds_N = np.arange(pictures) % len(DIAGNOSES)
    malignant = [diagnosis in MALIGNANT_DIAGNOSES for diagnosis in DIAGNOSES]
    cases = tuple(
        Case(
            image_id=f"drawn/{number}",
            dataset="drawn",
            path=Path("drawn"),
            malignant=malignant[kind],
            diagnosis=DIAGNOSES[kind],
        )
        for number, kind in enumerate(kinds_N)
    )
    return PreparedPart(
        cases=cases,
        pixels_VNSSC=drawn_NSSC[kinds_N][None],
        malignant_N=np.array([case.malignant for case in cases], dtype=np.float32),
        diagnosis_N=kinds_N.astype(np.int64),
    )


def _seconds(work: Callable[[], None]) -> float:
    started_s = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started_s


def _bare_step(config: RunConfig, side_px: int, *, bf16: bool, fast: bool) -> Callable[[], None]:
    """Make one forward, backward and optimizer's step on random numbers."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(config.model, fresh=True)
    if fast and device.type == "cpu":
        speed_up_depthwise(model)
    model = channels_last(model, device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    x_BCHW = torch.rand(config.batch_size, 3, side_px, side_px, device=device)
    x_BCHW = x_BCHW.to(memory_format=torch.channels_last)
    malignant_B = torch.zeros(config.batch_size, device=device)
    diagnosis_B = torch.zeros(config.batch_size, dtype=torch.int64, device=device)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            outputs = model(x_BCHW)
        terms = label_loss(
            outputs, malignant_B, diagnosis_B, label_smoothing=config.label_smoothing
        )
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()

    return step
