"""
What the device answers to a picture that is disturbed, sharper, or without its lesion.

The same steps as in ``device/examine.py``: crop and shrink, quality gate, stages, network,
decision.

Legend: ``N`` pictures, ``V`` variants of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from device.classifier import OnnxClassifier
from device.core.values import Pixels, Result
from device.decision import decide
from device.preprocess import model_input, working_copy
from device.quality import assess
from training.data.case import Case, load_pixels
from training.data.readers.ham10000 import sharper_copy
from training.evaluate.disturbances import DISTURBANCES, LEVELS, disturb
from training.evaluate.surroundings import central_disc, hidden, lesion_mask, skin_color

CLEAN = "as it is"
LESION_HIDDEN = "lesion hidden"
MIDDLE_HIDDEN = "middle hidden, the same disc in every picture"
SKIN_HIDDEN = "surroundings hidden"
SHARPER = "sharper copy"
MASK_SIZE = "size of the hidden area alone"
_BATCH = 16
_RESULTS = tuple(Result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the device said to one variant of every picture."""

    probability_N: NDArray[np.float64]
    """Of malignancy, also where the result is ``retake``."""
    result_N: NDArray[np.int64]
    """Position in ``Result``."""

    def called(self, result: Result) -> NDArray[np.bool_]:
        """Tell which pictures were answered so, ``[N]``."""
        called_N: NDArray[np.bool_] = self.result_N == _RESULTS.index(result)
        return called_N


def disturbed_answers(
    model: Path, cases: Sequence[Case], *, workers: int
) -> dict[tuple[str, int], Answers]:
    """
    Let the device answer every picture under every disturbance and level, and as it is.

    Args:
        model: File with its contract.
        cases: Pictures.
        workers: Processes.

    Returns:
        Answers by disturbance and level; those to the untouched pictures by
        ``(CLEAN, 0)``.
    """
    keys = [(CLEAN, 0), *((name, level) for name in DISTURBANCES for level in LEVELS)]
    rows = _in_processes(_answer_disturbed, model, cases, workers, "disturbing")
    return dict(zip(keys, _columns(rows, len(keys)), strict=True))


def masked_answers(model: Path, cases: Sequence[Case], *, workers: int) -> dict[str, Answers]:
    """
    Let the device answer with the lesion hidden, with the middle hidden, and with the skin hidden.

    What is hidden gets the colour of the surrounding skin.  The outline of what was hidden can
    still be seen, so the size of the mask is scored by itself too: what AUROC that alone gives is
    no merit of the network.  The disc in the middle has one size in all pictures.

    Returns:
        Answers by what was hidden; the size of the mask stands as the probability.
    """
    names = (CLEAN, LESION_HIDDEN, MIDDLE_HIDDEN, SKIN_HIDDEN, MASK_SIZE)
    rows = _in_processes(_answer_masked, model, cases, workers, "hiding")
    return dict(zip(names, _columns(rows, len(names)), strict=True))


def sharper_answers(
    model: Path, cases: Sequence[Case], *, workers: int
) -> tuple[NDArray[np.int64], dict[str, Answers]] | None:
    """
    Let the device answer the pictures that have a sharper copy, and the copies.

    A network that answers otherwise has learned what sharpness says about the label, or needs the
    blur of the pictures that it was trained on.

    Returns:
        Positions of these pictures among *cases*, and answers by what was shown; None if no
        picture has a sharper copy.
    """
    copies = {place: copy for place, case in enumerate(cases) if (copy := sharper_copy(case))}
    if not copies:
        return None
    pairs = [(cases[place], replace(cases[place], path=copy)) for place, copy in copies.items()]
    rows = _in_processes(_answer_pair, model, pairs, workers, "comparing")
    answers = dict(zip((CLEAN, SHARPER), _columns(rows, 2), strict=True))
    return np.array(list(copies)), answers


_Row = list[tuple[float, int]]
"""Probability and position of the result, for each variant of a picture."""


@cache
def _classifier(model: Path) -> OnnxClassifier:
    """Load a model once in each process."""
    return OnnxClassifier(model)


def _answer(model: Path, working_HWC: Pixels) -> tuple[float, int]:
    """Answer for a working copy, as ``device/examine.py`` goes on from there."""
    classifier = _classifier(model)
    quality = assess(working_HWC, classifier.manifest.quality)
    prediction = classifier.classify(model_input(working_HWC, classifier.manifest.preprocess))
    decision = decide(prediction, quality, classifier.manifest)
    return decision.probability_malignant, _RESULTS.index(decision.result)


def _answer_disturbed(case: Case, model: Path) -> _Row:
    image_HWC = load_pixels(case)
    spec = _classifier(model).manifest.preprocess
    shown = [
        image_HWC,
        *(
            disturb(image_HWC, name, level, key=case.image_id)
            for name in DISTURBANCES
            for level in LEVELS
        ),
    ]
    return [_answer(model, working_copy(each_HWC, spec)) for each_HWC in shown]


def _answer_pair(pair: tuple[Case, Case], model: Path) -> _Row:
    spec = _classifier(model).manifest.preprocess
    return [_answer(model, working_copy(load_pixels(case), spec)) for case in pair]


def _answer_masked(case: Case, model: Path) -> _Row:
    working_HWC = working_copy(load_pixels(case), _classifier(model).manifest.preprocess)
    lesion_HW, middle_HW = lesion_mask(working_HWC), central_disc(working_HWC)
    color_C = skin_color(working_HWC, lesion_HW)
    return [
        _answer(model, working_HWC),
        _answer(model, hidden(working_HWC, lesion_HW, color_C)),
        _answer(model, hidden(working_HWC, middle_HW, color_C)),
        _answer(model, hidden(working_HWC, ~lesion_HW, color_C)),
        (float(lesion_HW.mean()), 0),
    ]


def _in_processes(
    answer: Callable[..., _Row],
    model: Path,
    cases: Sequence[Case] | Sequence[tuple[Case, Case]],
    workers: int,
    doing: str,
) -> list[_Row]:
    """Answer every case, in order."""
    console = Console(stderr=True)
    with ExitStack() as stack:
        run: Callable[..., Iterable[_Row]] = map
        if workers > 1:
            # Spawned, not forked: OpenCV's and torch's threads do not survive a fork.
            pool = ProcessPoolExecutor(
                workers,
                mp_context=get_context("spawn"),
                # The processes share the cores already.
                initializer=cv2.setNumThreads,
                initargs=(1,),
            )
            run = partial(stack.enter_context(pool).map, chunksize=_BATCH)
        return list(
            track(
                run(partial(answer, model=model), cases),
                total=len(cases),
                description=f"{doing} {len(cases)} pictures",
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
        )


def _columns(rows: Sequence[_Row], variants: int) -> list[Answers]:
    """Turn answers by picture and variant into answers by variant."""
    array_NV2 = np.array(rows, dtype=np.float64).reshape(len(rows), variants, 2)
    return [
        Answers(
            probability_N=array_NV2[:, variant, 0],
            result_N=array_NV2[:, variant, 1].astype(np.int64),
        )
        for variant in range(variants)
    ]
