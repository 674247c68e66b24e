"""
How far an answer moves where fewer pixels are looked at: ``python -m bench.fewer_pixels``.

Drawn frames of 12 megapixels go to the shipped model in two ways that should be one: halved until
they are small (version 2 of the preprocessing) or resized by area (version 1), and as a JPEG file
that is unpacked at the scale that is needed or whole; each once with a sensor's noise and once
smooth.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np

from bench.board import commit
from bench.pictures import jpeg, large_picture
from device.compose import load_classifier
from device.core.ports import Classifier
from device.core.values import Pixels, as_pixels
from device.decision import probability_malignant
from device.decode import decode
from device.drawing import draw_lesion
from device.preprocess import prepare
from device.preprocess.pipeline import WORKING_FACTOR
from device.settings import ModelSettings

FRAME_PX = (3040, 4056)
SEEDS = range(6, 12)
_MAX_PIXELS = 25_000_000


def pairs(classifier: Classifier, frame_HWC: Pixels) -> Mapping[str, tuple[Pixels, Pixels]]:
    """Return the network's input with all pixels and with fewer, by what makes the difference."""
    spec = classifier.manifest.preprocess
    by_area = spec.model_copy(update={"version": 1})
    content = jpeg(frame_HWC)
    whole_HWC, reduced_HWC = (
        decode(content, max_pixels=_MAX_PIXELS, enough_px=enough_px)
        for enough_px in (max(frame_HWC.shape), WORKING_FACTOR * spec.side_px)
    )
    return {
        "a frame that is halved": (prepare(frame_HWC, by_area), prepare(frame_HWC, spec)),
        "a JPEG unpacked smaller": (prepare(whole_HWC, spec), prepare(reduced_HWC, spec)),
    }


def moved(classifier: Classifier, before_HWC: Pixels, after_HWC: Pixels) -> tuple[float, float]:
    """Return by how many levels two inputs differ on average, and how far apart the answers are."""
    before, after = (
        probability_malignant(
            classifier.classify(input_HWC).malignancy_logit, classifier.manifest.calibration
        )
        for input_HWC in (before_HWC, after_HWC)
    )
    levels = np.abs(before_HWC.astype(int) - after_HWC.astype(int)).mean()
    return float(levels), abs(after - before)


def frames() -> Iterator[tuple[str, Pixels]]:
    """Draw them one after the other, with what they are: each is 37 MB."""
    height_px, width_px = FRAME_PX
    for seed in SEEDS:
        yield "with noise", large_picture(height_px=height_px, width_px=width_px, seed=seed)
        drawn_HWC = draw_lesion(
            seed, diagnosis="MEL", height_px=height_px // 8, width_px=width_px // 8
        )
        smooth_HWC = cv2.resize(drawn_HWC, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
        yield "smooth", as_pixels(smooth_HWC)


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="also write the result here")
    options = parser.parse_args()
    classifier = load_classifier(ModelSettings())
    found: dict[str, list[tuple[float, float]]] = {}
    for grain, frame_HWC in frames():
        for what, pair in pairs(classifier, frame_HWC).items():
            found.setdefault(f"{what}, {grain}", []).append(moved(classifier, *pair))
    result: dict[str, object] = {
        "model": f"{classifier.identity.name} {classifier.identity.version}",
        "commit": commit(),
        "frames of each kind": len(SEEDS),
    }
    for what, moves in found.items():
        levels, probabilities = zip(*moves, strict=True)
        result[what] = {
            "levels, mean": round(float(np.mean(levels)), 3),
            "levels, most": round(max(levels), 3),
            "probability, mean": round(float(np.mean(probabilities)), 4),
            "probability, most": round(max(probabilities), 4),
        }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
