"""
How few bits a finished student can be stored in: fp32, fp16 as it ships, and int8.

The int8 form is static: activations are measured on training pictures, one scale a tensor,
weights have one scale a channel.  The heads stay in fp32, because logits decide.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from scipy.special import expit  # type: ignore[import-untyped] # scipy brings no types
from sklearn.metrics import roc_auc_score

from training.export.graph import export_graph
from training.export.parity import run_graph
from training.models import Student
from training.runs import Config

CALIBRATION_PICTURES = 256
REPEATS = 60
_BATCH = 16


class StoredForm(Config):
    """A student as a file, without its contract."""

    form: str
    size_bytes: int
    ms: float
    """For one prepared picture, one thread; the median."""
    auroc: float
    """On the validation part."""
    largest_change: float
    """Of a probability of malignancy, from fp32's."""


def compare_forms(
    student: Student,
    *,
    side_px: int,
    calibration_NHWC: NDArray[np.uint8],
    judged_NHWC: NDArray[np.uint8],
    malignant_N: NDArray,
) -> list[StoredForm]:
    """
    Judge and time *student* in all three forms, the timing in turns in one run.

    Args:
        student: Trained.
        side_px: Of the pictures.
        calibration_NHWC: Prepared training pictures for the scales of int8, uint8.
        judged_NHWC: Prepared pictures of the validation part, uint8.
        malignant_N: What is true of them.
    """
    exact = export_graph(student, side_px, rounds=False).model
    contents = {
        "fp32": exact.SerializeToString(),
        "fp16": export_graph(student, side_px).model.SerializeToString(),
        "int8": quantize(exact, calibration_NHWC),
    }
    logits = {
        form: run_graph(content, judged_NHWC)["malignancy_logit"][:, 0].astype(np.float64)
        for form, content in contents.items()
    }
    ms = _times(contents, judged_NHWC[:1])
    reference_N = expit(logits["fp32"])
    return [
        StoredForm(
            form=form,
            size_bytes=len(content),
            ms=round(ms[form], 3),
            auroc=float(roc_auc_score(malignant_N, logits[form])),
            largest_change=float(np.abs(expit(logits[form]) - reference_N).max()),
        )
        for form, content in contents.items()
    ]


def quantize(model: onnx.ModelProto, calibration_NHWC: NDArray[np.uint8]) -> bytes:
    """
    Return *model* with its convolutions in int8, as a file's content.

    Activations are unsigned, which is the form that ONNX Runtime has fast code for.

    Args:
        model: With weights in fp32.
        calibration_NHWC: Prepared pictures, uint8.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, folded, small = (folder / file for file in ("plain", "folded", "small"))
        onnx.save(model, plain)
        quant_pre_process(str(plain), str(folded), skip_symbolic_shape=True)
        named = onnx.load(folded)
        for number, node in enumerate(named.graph.node):
            node.name = f"n{number}"
        onnx.save(named, folded)
        convolutions = [node.name for node in named.graph.node if node.op_type == "Conv"]
        quantize_static(
            str(folded),
            str(small),
            _Reader(calibration_NHWC),
            quant_format=QuantFormat.QOperator,
            op_types_to_quantize=["Conv"],
            # The first one takes pixels, which are not normalised, and would round their mean; the
            # last one is the malignancy head.
            nodes_to_exclude=[convolutions[0], convolutions[-1]],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return small.read_bytes()


class _Reader(CalibrationDataReader):
    def __init__(self, pixels_NHWC: NDArray[np.uint8]) -> None:
        self._batches: Iterator[dict[str, NDArray[np.uint8]]] = iter(
            [
                {"image": pixels_NHWC[start : start + _BATCH]}
                for start in range(0, len(pixels_NHWC), _BATCH)
            ]
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._batches, None)


def _times(contents: Mapping[str, bytes], picture_1HWC: NDArray[np.uint8]) -> dict[str, float]:
    """Return the median of each form in milliseconds; they take turns, so that all wait alike."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = {
        form: onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        for form, content in contents.items()
    }
    times: dict[str, list[float]] = {form: [] for form in sessions}
    for _ in range(REPEATS):
        for form, session in sessions.items():
            started_ns = time.perf_counter_ns()
            session.run(None, {"image": picture_1HWC})
            times[form].append((time.perf_counter_ns() - started_ns) / 1e6)
    return {form: statistics.median(values) for form, values in times.items()}
