"""The student against others, and our way against others: all in turns in one run, one thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from bench import limits
from bench.box import Way, file_capture, frame_capture
from bench.peers import in_onnxruntime, int8, int8_where_slow_on_arm
from bench.results import BenchError, Contestant, Form, Limits
from bench.scenarios import Step, timing
from bench.turns import Work, in_turns
from device.core.ports import SelfTestingClassifier
from device.core.values import Pixels
from device.decision.policy import probability_malignant
from device.drawing import draw_lesion
from device.preprocess import prepare

STUDENT = "student"
OURS = "EdgeDerm"
PLAIN = "the plain way"
USUAL = "the usual way"
PREPROCESSING = "preprocessing alone"
RESIZE = "one area resize of the frame"
JPEG = "12-megapixel JPEG to a decision"
DECODE = "full decode of that JPEG alone"
INSTALL = "make bench brings it (locks/bench.txt)"
_AGREES = 1e-3
"""How far a translated student's outputs may be from ONNX Runtime's."""
_CALIBRATION = 64
_JUDGED = 32


def networks(
    content: bytes,
    classifier: SelfTestingClassifier,
    *,
    board: str,
    with_peers: bool,
    rounds: int,
    turn_s: float,
    step: Step,
) -> tuple[tuple[Contestant, ...], Limits, tuple[str, ...]]:
    """
    Time the student, what else is there, and the machine's own best.

    Args:
        content: Of the student's file.
        classifier: The same, loaded.
        board: Name in the catalogue.
        with_peers: Or only the student and the machine.
        rounds: How often everything has its turn.
        turn_s: How long a turn is.
        step: Told after each round.

    Returns:
        The contestants, student first; the limits; and what was left out.

    Raises:
        BenchError: Peers are asked for and cannot be written here.
    """
    manifest = classifier.manifest
    picture_HWC = draw_lesion(3, height_px=manifest.input.side_px, width_px=manifest.input.side_px)
    # As the daemon runs it: the same session, the same options, the checks of its outputs.
    work: dict[str, Work] = {STUDENT: lambda: classifier.classify(picture_HWC)}
    sizes: dict[str, tuple[str, int, int, int]] = {
        STUDENT: (
            "as the daemon runs it, ONNX Runtime",
            manifest.parameters,
            manifest.macs,
            manifest.input.side_px,
        )
    }
    left_out: list[str] = []
    product, moved = None, None
    if find_spec("onnx") is None:
        if with_peers:
            raise BenchError(f"--peers: expected the library onnx, found none; {INSTALL}")
        left_out.append(f"the product in ONNX Runtime and the student's bytes: no onnx; {INSTALL}")
    else:
        from bench.shapes import matrix_product
        from bench.student import moved_bytes

        product, moved = (
            in_onnxruntime(matrix_product(limits.SIDE), _square()),
            moved_bytes(content),
        )
    if with_peers:
        _add_peers(work, sizes)
        left_out += _add_runtimes(content, picture_HWC, classifier, work, sizes)
    with ExitStack() as stack:
        own = stack.enter_context(limits.contestants(product))
        if not any(name.startswith(f"{limits.PRODUCT}{limits.TORCH}") for name in own):
            left_out.append("the product in torch: no torch; make test brings it")
        found = in_turns({**work, **own}, rounds=rounds, turn_s=turn_s, step=step)
    contestants = tuple(
        Contestant(
            name=name,
            what=sizes[name][0] if name in sizes else "the machine's own best",
            parameters=sizes[name][1] if name in sizes else None,
            macs=sizes[name][2] if name in sizes else None,
            side_px=sizes[name][3] if name in sizes else None,
            timing=timing(samples_ms),
        )
        for name, samples_ms in found.items()
    )
    best = limits.limits(
        {each.name: each for each in contestants},
        macs=manifest.macs,
        moved_bytes=moved,
        inference_ms=contestants[0].timing.summary.p50,
        board=board,
    )
    return contestants, best, tuple(left_out)


def _square() -> NDArray[np.float32]:
    return np.random.default_rng(1).random((limits.SIDE, limits.SIDE), dtype=np.float32)


def _add_peers(work: dict[str, Work], sizes: dict[str, tuple[str, int, int, int]]) -> None:
    from bench.shapes import PEERS, SIDE_PX

    picture_1CHW = np.random.default_rng(2).normal(size=(1, 3, SIDE_PX, SIDE_PX))
    for name, write in PEERS.items():
        network = write()
        work[name] = in_onnxruntime(network.content, picture_1CHW.astype(np.float32))
        sizes[name] = ("ONNX Runtime, fp32", network.parameters, network.macs, SIDE_PX)


def _add_runtimes(
    content: bytes,
    picture_HWC: Pixels,
    classifier: SelfTestingClassifier,
    work: dict[str, Work],
    sizes: dict[str, tuple[str, int, int, int]],
) -> list[str]:
    """Add the student in other runtimes, once its outputs there are seen to be the same."""
    from bench.student import translate

    try:
        student = translate(content)
    except ValueError as error:
        return [f"the student in ncnn and LiteRT: {error}"]
    expected = classifier.classify(picture_HWC)
    heads: dict[str, NDArray[np.float32]] = {
        "activation_map": expected.activation_map_HW,
        "embedding": expected.embedding_D,
        "diagnosis_logits": expected.diagnosis_logits_K,
    }
    left_out = []
    for name, library, module in (
        ("student in ncnn", "ncnn", "ncnn"),
        ("student in LiteRT", "ai-edge-litert", "ai_edge_litert"),
    ):
        if find_spec(module) is None:
            left_out.append(f"{name}: no {library}; {INSTALL}")
            continue
        if module == "ncnn":
            from bench.ncnn_student import in_ncnn as load
        else:
            from bench.litert_student import in_litert as load
        run = load(student, picture_HWC)
        apart = largest_difference(run(), heads)
        if apart > _AGREES:
            left_out.append(f"{name}: its outputs are {apart:.3g} from ONNX Runtime's")
            continue
        work[name] = run
        sizes[name] = (f"{library}, its own options", *sizes[STUDENT][1:])
    return left_out


def largest_difference(
    found: Mapping[str, NDArray[np.float32]], expected: Mapping[str, NDArray[np.float32]]
) -> float:
    """Return by how much any number of any head differs at most."""
    return max(
        float(np.abs(np.ravel(found[head]) - np.ravel(values)).max())
        for head, values in expected.items()
    )


def forms(
    content: bytes, classifier: SelfTestingClassifier, *, rounds: int, turn_s: float, step: Step
) -> tuple[Form, ...]:
    """
    Time the student as it ships and in other forms, see :func:`stored`.

    int8 is calibrated on drawn pictures here: its speed counts, and what it costs in accuracy is
    measured on real ones by ``python -m training ablate``.

    Raises:
        BenchError: There is no ``onnx``, with which the other forms are written.
    """
    contents = stored(content, classifier.manifest.input.side_px)
    pictures = _drawn(classifier.manifest.input.side_px, _CALIBRATION, _CALIBRATION + _JUDGED)
    feed_1HWC = pictures[-1][None].copy()
    runs = {name: in_onnxruntime(file, feed_1HWC) for name, file in contents.items()}
    answers = {
        name: [_probability(run, feed_1HWC, each, classifier) for each in pictures]
        for name, run in runs.items()
    }
    shipped = answers[next(iter(answers))]
    found = in_turns(runs, rounds=rounds, turn_s=turn_s, step=step)
    return tuple(
        Form(
            name=name,
            file_bytes=len(contents[name]),
            inference=timing(samples_ms),
            largest_change=float(np.abs(np.subtract(answers[name], shipped)).max()),
        )
        for name, samples_ms in found.items()
    )


def stored(content: bytes, side_px: int) -> Mapping[str, bytes]:
    """
    Return the student as it ships, with fp32 weights, and with some convolutions in int8.

    Raises:
        BenchError: There is no ``onnx``, with which the other forms are written.
    """
    if find_spec("onnx") is None:
        raise BenchError(f"the fp32 and int8 forms: no onnx; {INSTALL}")
    from bench.student import with_fp32_weights

    pictures, fp32 = _drawn(side_px, 0, _CALIBRATION), with_fp32_weights(content)
    return {
        "fp16 weights, as it ships": content,
        "fp32 weights": fp32,
        "int8 convolutions": int8(fp32, pictures),
        "int8 where ARM is slow": int8_where_slow_on_arm(fp32, pictures),
    }


def _drawn(side_px: int, first: int, end: int) -> list[Pixels]:
    return [draw_lesion(seed, height_px=side_px, width_px=side_px) for seed in range(first, end)]


def _probability(
    run: Callable[[], Sequence[NDArray[np.float32]]],
    feed_1HWC: Pixels,
    picture_HWC: Pixels,
    classifier: SelfTestingClassifier,
) -> float:
    feed_1HWC[0] = picture_HWC
    return probability_malignant(float(run()[0].ravel()[0]), classifier.manifest.calibration)


def ways(
    classifier: SelfTestingClassifier,
    frame_HWC: Pixels,
    photo: bytes,
    *,
    rounds: int,
    turn_s: float,
    step: Step,
) -> tuple[Contestant, ...]:
    """
    Time whole ways from a picture to a decision, and what they are measured by.

    Args:
        classifier: With one thread.
        frame_HWC: As a camera gives it.
        photo: A JPEG file of 12 megapixels.
        rounds: How often everything has its turn.
        turn_s: How long a turn is.
        step: Told after each round.

    Raises:
        BenchError: There is no ``onnx``, with which the other network is written.
    """
    if find_spec("onnx") is None:
        raise BenchError(f"--peers: expected the library onnx, found none; {INSTALL}")
    from bench.shapes import mobilenet_v2
    from bench.ways import PlainWay, area_resize, at_full_size, full_decode

    spec = classifier.manifest.preprocess
    network = mobilenet_v2().content
    plain = PlainWay(lambda feed: in_onnxruntime(network, feed))
    way, frame, file = Way(classifier), frame_capture(frame_HWC), file_capture(photo)
    size = f"{frame_HWC.shape[1]}×{frame_HWC.shape[0]}"
    told: dict[str, tuple[str, Work]] = {
        OURS: (f"a frame of {size} to a decision", lambda: way.answer(frame)),
        PLAIN: ("the same frame, Pillow, MobileNetV2", lambda: plain.decide(frame_HWC)),
        USUAL: (
            "the same, behind six stages at full size",
            lambda: plain.decide(at_full_size(frame_HWC, spec)),
        ),
        PREPROCESSING: (
            "of the same frame, as the model wants it",
            lambda: prepare(frame_HWC, spec),
        ),
        RESIZE: (
            "straight to the network's side, OpenCV",
            lambda: area_resize(frame_HWC, spec.side_px),
        ),
        JPEG: ("decoded at the scale that is needed", lambda: way.answer(file)),
        DECODE: ("OpenCV", lambda: full_decode(photo)),
    }
    found = in_turns(
        {name: work for name, (_, work) in told.items()}, rounds=rounds, turn_s=turn_s, step=step
    )
    return tuple(
        Contestant(name=name, what=told[name][0], timing=timing(samples_ms))
        for name, samples_ms in found.items()
    )
