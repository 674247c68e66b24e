"""How many pictures a second a recipe's networks learn from, and what made them that many."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from training.losses import label_loss
from training.models import build_model
from training.models.depthwise import speed_up_depthwise
from training.recipes import RECIPES
from training.runs import RunConfig, TeacherConfig
from training.teacher_stages import member_config

_WARM_UP = 2


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
    """At the recipe's precision, as the loop trains."""


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
        )
    console.print(table)


def _measure(name: str, config: RunConfig, side_px: int, steps: int) -> Throughput:
    return Throughput(
        network=name,
        side_px=side_px,
        batch_size=config.batch_size,
        plain_fp32=_pictures_a_second(config, side_px, steps, bf16=False, fast=False),
        plain=_pictures_a_second(
            config, side_px, steps, bf16=config.precision == "bf16", fast=False
        ),
        fast=_pictures_a_second(config, side_px, steps, bf16=config.precision == "bf16", fast=True),
    )


def _pictures_a_second(
    config: RunConfig, side_px: int, steps: int, *, bf16: bool, fast: bool
) -> float:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(config.model, fresh=True)
    if fast and device.type == "cpu":
        speed_up_depthwise(model)
    model = model.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    x_BCHW = torch.rand(config.batch_size, 3, side_px, side_px, device=device)
    x_BCHW = x_BCHW.to(memory_format=torch.channels_last)
    malignant_B = torch.zeros(config.batch_size, device=device)
    diagnosis_B = torch.zeros(config.batch_size, dtype=torch.int64, device=device)
    seconds = []
    for _ in range(_WARM_UP + steps):
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            outputs = model(x_BCHW)
        terms = label_loss(
            outputs, malignant_B, diagnosis_B, label_smoothing=config.label_smoothing
        )
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return config.batch_size / statistics.median(seconds[_WARM_UP:])
