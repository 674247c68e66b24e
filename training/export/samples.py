"""
Choose the seeds of the shipped samples, so that a box without a camera shows all four answers.

Drawings say nothing about skin.  What a network says to one of them is chance, so with every new
student the seeds are looked for again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

import device.drawing.samples
from device.classifier import OnnxClassifier
from device.core.values import Prediction, Result
from device.decision import probability_malignant
from device.drawing import SAMPLES, Sample
from device.drawing.sample_files import file_name, sample_jpeg
from training.evaluate.out_of_distribution.study import Looks, look
from training.export.errors import ExportError

SHIPPED = Path(device.drawing.samples.__file__).parents[1] / "samples"
SOURCE = Path(device.drawing.samples.__file__)
MOST_SEEDS = 200
"""Looked at for each sample."""
_MARGIN = 0.02
"""Of a probability from a threshold, and of the novelty from its limit: another decoder or board
must not turn the answer over."""


def choose_samples(
    model: Path,
    *,
    samples: Sequence[Sample] = SAMPLES,
    folder: Path = SHIPPED,
    source: Path = SOURCE,
    seeds: int = MOST_SEEDS,
) -> tuple[Sample, ...]:
    """
    Find the lowest seeds with which *model* gives the answers that the samples are meant to get.

    Args:
        model: File with its contract.
        samples: With the answers that are wanted.
        folder: Where their files go.
        source: Python file in which they stand; their seeds are written there.
        seeds: How many of them are tried.

    Returns:
        The samples with their new seeds.

    Raises:
        ExportError: No seed gives an answer that is wanted; nothing is written.
        ModelError: The device refuses the model.
    """
    classifier = OnnxClassifier(model)
    found = [_found(classifier, sample, seeds) for sample in samples]
    text = source.read_text()
    for sample, content in found:
        text = re.sub(rf'(name="{sample.name}",\s+seed=)\d+', rf"\g<1>{sample.seed}", text)
        (folder / file_name(sample)).write_bytes(content)
    source.write_text(text)
    return tuple(sample for sample, _ in found)


def _found(classifier: OnnxClassifier, sample: Sample, seeds: int) -> tuple[Sample, bytes]:
    """Return the sample with the first seed that is answered as wanted, and its file."""
    for seed in range(1, seeds + 1):
        tried = replace(sample, seed=seed)
        content = sample_jpeg(tried)
        bgr_HWC = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR)
        # Just encoded, so never None.
        rgb_HWC = np.ascontiguousarray(bgr_HWC[:, :, ::-1], dtype=np.uint8)  # type: ignore[index]
        if _is_sure(classifier, look(classifier, [rgb_HWC]), sample.answer):
            return tried, content
    raise ExportError(
        f"{sample.name}: expected a seed below {seeds + 1} with which the model answers "
        f"{sample.answer.value}, found none; give the sample another diagnosis or answer"
    )


def _is_sure(classifier: OnnxClassifier, seen: Looks, answer: Result) -> bool:
    """Tell whether the one picture *seen* gets *answer*, and would on another board."""
    if answer is Result.RETAKE:
        return bool(seen.gate_N[0]) or seen.novelty_N[0] > 1 + _MARGIN
    (prediction,) = seen.predictions
    low, high = _range(classifier, answer)
    probability = _probability(classifier, prediction)
    return (
        not seen.gate_N[0]
        and seen.novelty_N[0] < 1 - _MARGIN
        and low + _MARGIN <= probability < high - _MARGIN
    )


def _range(classifier: OnnxClassifier, answer: Result) -> tuple[float, float]:
    point = classifier.manifest.operating_point
    return {
        Result.BENIGN: (-1.0, point.benign_below),
        Result.UNCERTAIN: (point.benign_below, point.malignant_from),
        Result.MALIGNANT: (point.malignant_from, 2.0),
    }[answer]


def _probability(classifier: OnnxClassifier, prediction: Prediction) -> float:
    return probability_malignant(prediction.malignancy_logit, classifier.manifest.calibration)
