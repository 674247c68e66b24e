"""
The story on one screen: a capture becomes an answer.

decode → crop and shrink → quality → stages → network → decision.  No hardware, no threads and
no HTTP here: whoever has a capture and a classifier can examine.
"""

from __future__ import annotations

from device.core.errors import DecodeError, DecodeFault
from device.core.ports import Classifier
from device.core.stopwatch import Recorder
from device.core.values import Answer, Capture, Pixels
from device.decision import decide
from device.decode import check_size, decode
from device.preprocess import model_input, working_copy
from device.preprocess.pipeline import WORKING_FACTOR
from device.quality import assess


def examine(
    capture: Capture,
    classifier: Classifier,
    stopwatch: Recorder,
    *,
    max_pixels: int,
) -> Answer:
    """
    Answer for one picture.

    Args:
        capture: From a camera or a client.
        classifier: Loaded and warm; its contract says all that is done to the picture.
        stopwatch: Fresh, or one that has timed what came before.
        max_pixels: Largest encoded picture that is unpacked.

    Returns:
        The answer, ``retake`` included; times are in ``stage_ns``.

    Raises:
        DecodeError: The capture is no picture that can be scored.
        ModelError: The network gave no finite answer.

    Threads: one at a time per classifier.
    """
    manifest = classifier.manifest
    with stopwatch.stage("decode"):
        image_HWC = _pixels(capture, max_pixels=max_pixels, side_px=manifest.preprocess.side_px)
    working_HWC = working_copy(image_HWC, manifest.preprocess, stopwatch)
    with stopwatch.stage("quality"):
        quality = assess(working_HWC, manifest.quality)
    input_HWC = model_input(working_HWC, manifest.preprocess, stopwatch)
    with stopwatch.stage("inference"):
        prediction = classifier.classify(input_HWC)
    with stopwatch.stage("decision"):
        decision = decide(prediction, quality, manifest)
    return Answer(
        decision=decision,
        quality=quality,
        model=classifier.identity,
        source=capture.source,
        captured_at=capture.captured_at,
        activation_map_HW=prediction.activation_map_HW,
        stage_ns=stopwatch.stages(),
    )


def _pixels(capture: Capture, *, max_pixels: int, side_px: int) -> Pixels:
    if capture.encoded is not None:
        return decode(capture.encoded, max_pixels=max_pixels, enough_px=WORKING_FACTOR * side_px)
    if capture.pixels_HWC is None:
        raise DecodeError(DecodeFault.EMPTY, "capture holds neither bytes nor pixels")
    height_px, width_px = capture.pixels_HWC.shape[:2]
    check_size(width_px, height_px)
    return capture.pixels_HWC
