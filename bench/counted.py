"""
Do one part of the daemon's work N times: ``python -m bench.counted PART N``.

``PART`` is one of :func:`parts`, or an ONNX file, which runs by itself.

It measures nothing itself: ``bench.simulate`` runs it in an emulator that counts instructions, with
two numbers of times, and takes the difference.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from bench.peers import in_onnxruntime
from bench.pictures import under_hair
from device.compose import load_classifier
from device.core.stopwatch import Recorder
from device.core.values import Capture, Pixels
from device.drawing import draw_lesion
from device.examine import examine
from device.preprocess import model_input, working_copy
from device.settings import ModelSettings

SUFFIX = ".onnx"
FRAME_PX = (1520, 2028)
"""Height and width of what a camera delivers."""
_DRAWN_PX = (190, 254)
_NOISE_LEVELS = 4.0


def parts() -> Mapping[str, Callable[[], object]]:
    """
    Load the shipped model, and return what can be repeated by name.

    ``resize`` is what reads the whole frame: the crop, and halving it to a working copy;
    ``stages`` are the contract's stages from there to the network's input, ``all_stages`` the same
    with those switched on that the contract has switched off, at the network's side and under hair,
    ``all_stages_no_hair`` those on a picture in which there is none to remove.
    """
    classifier = load_classifier(ModelSettings())
    spec = classifier.manifest.preprocess
    frame_HWC = _frame()
    working_HWC = working_copy(frame_HWC, spec)
    input_HWC = model_input(working_HWC, spec)
    capture = Capture(source="replay", captured_at=datetime.now(timezone.utc), pixels_HWC=frame_HWC)
    all_on = spec.with_every_stage()
    hairy_HWC = under_hair(input_HWC, spec)
    return {
        "resize": lambda: working_copy(frame_HWC, spec),
        "stages": lambda: model_input(working_HWC, spec),
        "all_stages": lambda: model_input(hairy_HWC, all_on),
        "all_stages_no_hair": lambda: model_input(input_HWC, all_on),
        "inference": lambda: classifier.classify(input_HWC),
        "whole": lambda: examine(
            capture, classifier, Recorder(time.perf_counter_ns), max_pixels=frame_HWC.size
        ),
    }


def network(path: Path) -> Callable[[], object]:
    """Load the student in another form, for a drawn picture."""
    side_px = load_classifier(ModelSettings()).manifest.input.side_px
    picture_HWC = draw_lesion(3, diagnosis="MEL", height_px=side_px, width_px=side_px)
    return in_onnxruntime(path.read_bytes(), picture_HWC[None])


def _frame() -> Pixels:
    """Draw a lesion small, as drawing takes long, and enlarge it with a sensor's noise."""
    height_px, width_px = FRAME_PX
    drawn_HWC = draw_lesion(3, diagnosis="MEL", height_px=_DRAWN_PX[0], width_px=_DRAWN_PX[1])
    rows = np.arange(height_px) * _DRAWN_PX[0] // height_px
    columns = np.arange(width_px) * _DRAWN_PX[1] // width_px
    noise_HWC = np.random.default_rng(3).normal(0, _NOISE_LEVELS, (height_px, width_px, 3))
    return np.clip(drawn_HWC[rows][:, columns] + noise_HWC, 0, 255).astype(np.uint8)


def main() -> None:
    """Repeat one part."""
    part, times = sys.argv[1], int(sys.argv[2])
    work = network(Path(part)) if part.endswith(SUFFIX) else parts()[part]
    for _ in range(times):
        work()


if __name__ == "__main__":
    main()
