"""
The file says what the network says, or it is not written.

Two bounds, both on probabilities and on real pictures: against the trained network the rounding
of the weights must not matter to anybody who reads an answer; against the network with the same
rounded weights only the order of additions differs, so a wrong node shows at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from device.core.manifest import Calibration
from training.export.errors import ExportError
from training.export.graph import OUTPUTS

AGAINST_TRAINED = 2e-3
"""Largest difference of a probability from the network as it was trained."""
AGAINST_ROUNDED = 1e-4
"""Largest difference of a probability from the network with fp16 weights; also of map and
embedding, there as a share of their largest value."""
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Largest differences found."""

    pictures: int
    against_trained: float
    against_rounded: float


def run_graph(content: bytes, pixels_NHWC: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return all outputs of the model file *content* for prepared pictures, by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    batches = [
        session.run(OUTPUTS, {"image": np.ascontiguousarray(pixels_NHWC[start : start + _BATCH])})
        for start in range(0, len(pixels_NHWC), _BATCH)
    ]
    return {
        name: np.concatenate([batch[index] for batch in batches])
        for index, name in enumerate(OUTPUTS)
    }


def check_parity(
    content: bytes,
    *,
    trained: nn.Module,
    rounded: nn.Module,
    pixels_NHWC: NDArray[np.uint8],
    calibration: Calibration,
) -> Parity:
    """
    Compare the model file with torch on prepared pictures.

    Args:
        content: The whole model file.
        trained: The network as it was trained.
        rounded: The same with its weights rounded to fp16.
        pixels_NHWC: Real pictures after the stages, uint8.
        calibration: Of the contract, so that the bound holds for what a user reads.

    Raises:
        ExportError: Saying which figure of which output is how far off.
    """
    graph = run_graph(content, pixels_NHWC)
    kept, exact = (run_torch(network, pixels_NHWC) for network in (rounded, trained))
    found = Parity(
        pictures=len(pixels_NHWC),
        against_trained=_largest_difference(graph, exact, calibration),
        against_rounded=_largest_difference(graph, kept, calibration),
    )
    figures = {
        "probability, trained weights": (found.against_trained, AGAINST_TRAINED),
        "probability, rounded weights": (found.against_rounded, AGAINST_ROUNDED),
    } | {
        f"{name}, rounded weights": (
            float(np.abs(graph[name] - kept[name]).max() / max(1.0, np.abs(kept[name]).max())),
            AGAINST_ROUNDED,
        )
        for name in ("activation_map", "embedding")
    }
    # Written so that a NaN is beyond the bound too.
    broken = [
        f"{name}: {difference:.2g} >= {bound:g}"
        for name, (difference, bound) in figures.items()
        if not difference < bound
    ]
    if broken:
        raise ExportError(
            f"model file and torch differ on {len(pixels_NHWC)} pictures: {'; '.join(broken)}; "
            "nothing was written, look at the graph or at weights that fp16 cannot hold"
        )
    return found


def run_torch(network: nn.Module, pixels_NHWC: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return what :func:`run_graph` returns, from *network*."""
    network.eval()
    batches = []
    with torch.no_grad():
        for start in range(0, len(pixels_NHWC), _BATCH):
            x_NHWC = torch.from_numpy(pixels_NHWC[start : start + _BATCH].copy())
            outputs = network(x_NHWC.permute(0, 3, 1, 2).float().div_(255))
            batches.append([value.numpy() for value in outputs])
    return {
        name: np.concatenate([batch[index] for batch in batches])
        for index, name in enumerate(OUTPUTS)
    }


def probabilities(
    outputs: Mapping[str, NDArray[np.float32]], calibration: Calibration
) -> NDArray[np.float64]:
    """Return calibrated malignancy and the diagnoses, float64 ``[N, 1 + K]``."""
    logit_N1 = outputs["malignancy_logit"].astype(np.float64)
    score_N1 = np.clip(calibration.scale * logit_N1 + calibration.offset, -700, 700)
    logits_NK = outputs["diagnosis_logits"].astype(np.float64)
    exponents_NK = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
    return np.hstack(
        [1 / (1 + np.exp(-score_N1)), exponents_NK / exponents_NK.sum(axis=1, keepdims=True)]
    )


def _largest_difference(
    graph: Mapping[str, NDArray[np.float32]],
    network: Mapping[str, NDArray[np.float32]],
    calibration: Calibration,
) -> float:
    difference = np.abs(probabilities(graph, calibration) - probabilities(network, calibration))
    return float(difference.max())
