"""
What the device refuses: real pictures, photographs, drawn scenes, broken frames.

Every picture goes the device's own way; a figure on strangers is set against the real pictures
of one part, redrawn by lesion, the strangers one by one.

Legend: ``N`` pictures, real ones first where both are meant, ``D`` embedding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from device.classifier import OnnxClassifier
from device.core.manifest import DIAGNOSES, Metric
from device.core.values import Pixels, Prediction, QualityReport, Result
from device.decision import decide
from device.preprocess import model_input, working_copy
from device.quality import assess
from training.data.case import Case, load_pixels
from training.evaluate.bootstrap import draw_groups, with_intervals
from training.evaluate.out_of_distribution.broken_frames import BREAKS, break_frame
from training.evaluate.out_of_distribution.scenes import PLAIN_SKIN, SCENES, draw_scene
from training.evaluate.ranking import Ranking, Row, share

OF_EACH = 20
"""Drawn scenes and broken frames of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What the device made of some pictures."""

    novelty_N: NDArray[np.float64]
    gate_N: NDArray[np.bool_]
    """Refused by the quality gate."""
    refused_N: NDArray[np.bool_]
    """Refused by the gate or for its novelty."""
    predictions: tuple[Prediction, ...]
    """For other scores."""

    def of(self, chosen_N: NDArray[np.bool_]) -> Looks:
        """Return those of some pictures."""
        places = np.flatnonzero(chosen_N)
        return Looks(
            novelty_N=self.novelty_N[places],
            gate_N=self.gate_N[places],
            refused_N=self.refused_N[places],
            predictions=tuple(self.predictions[place] for place in places),
        )


def look(classifier: OnnxClassifier, pictures: Iterable[Pixels]) -> Looks:
    """Show decoded pictures to the device, as ``device/examine.py`` goes on from there."""
    rows = [_look(classifier, image_HWC) for image_HWC in pictures]
    manifest = classifier.manifest
    decisions = [decide(prediction, quality, manifest) for prediction, quality in rows]
    return Looks(
        novelty_N=np.array([decision.novelty for decision in decisions]),
        gate_N=np.array([bool(quality.reasons) for _, quality in rows], dtype=np.bool_),
        refused_N=np.array([decision.result is Result.RETAKE for decision in decisions]),
        predictions=tuple(prediction for prediction, _ in rows),
    )


def look_at_cases(classifier: OnnxClassifier, cases: Sequence[Case]) -> Looks:
    """Show real pictures to the device."""
    return look(classifier, (load_pixels(case) for case in cases))


def scenes() -> tuple[list[Pixels], NDArray[np.str_]]:
    """Draw :data:`OF_EACH` of every kind of scene; return them with their kinds ``[N]``."""
    kinds = [name for name in SCENES for _ in range(OF_EACH)]
    return [draw_scene(name, place % OF_EACH) for place, name in enumerate(kinds)], np.array(kinds)


def broken_frames(cases: Sequence[Case]) -> tuple[list[Pixels], NDArray[np.str_]]:
    """Break real pictures, each once, :data:`OF_EACH` in every way; return them with the ways."""
    kinds = [name for name in BREAKS for _ in range(OF_EACH)]
    places = np.linspace(0, len(cases) - 1, len(kinds)).astype(int)
    frames = [
        break_frame(load_pixels(cases[place]), name, seed)
        for seed, (place, name) in enumerate(zip(places, kinds, strict=True))
    ]
    return frames, np.array(kinds)


def figures(
    real: Looks, cases: Sequence[Case], lesion_N: NDArray, strangers: Mapping[str, Looks]
) -> dict[str, Metric]:
    """
    Work out what is refused, with 95 % intervals.

    Args:
        real: What the device made of *cases*.
        cases: Real pictures of one part.
        lesion_N: Group of each.
        strangers: Looks at pictures that are none of a lesion, by name.

    Returns:
        ``refused`` and ``refused_<code>`` of the real pictures; for each kind of strangers
        ``novelty_auroc_<name>`` and ``refused_<name>``.
    """
    _, group_N = np.unique(lesion_N, return_inverse=True)
    counts_WG = draw_groups(int(group_N.max()) + 1)
    codes = np.array([case.diagnosis for case in cases])
    chosen = {"refused": np.ones(len(cases), dtype=np.bool_)}
    chosen |= {f"refused_{code}": codes == code for code in DIAGNOSES if (codes == code).any()}
    found = with_intervals(
        lambda weight_WN: {
            name: share(weight_WN, real.refused_N, among_N) for name, among_N in chosen.items()
        },
        group_N,
        counts_WG,
    )
    for name, looks in strangers.items():
        count = len(looks.novelty_N)
        is_stranger_N = np.arange(len(cases) + count) >= len(cases)
        ranking = Ranking(np.concatenate([real.novelty_N, looks.novelty_N]), is_stranger_N)
        answered_N = np.concatenate([real.refused_N, looks.refused_N])
        # A stranger is a group of its own.
        joined_N = np.concatenate([group_N, group_N.max() + 1 + np.arange(count)])
        found |= with_intervals(
            partial(_stranger_figures, name, ranking, answered_N, is_stranger_N),
            joined_N,
            draw_groups(int(joined_N.max()) + 1),
        )
    return found


def look_at_strangers(
    classifier: OnnxClassifier, cases: Sequence[Case], photographs: Iterable[Pixels]
) -> tuple[dict[str, Looks], dict[str, Looks]]:
    """
    Show the device everything that is no lesion.

    Returns:
        Looks by name (``photographs``, ``scenes`` without plain skin, ``plain_skin``,
        ``broken_frames``), and the drawn and broken ones once more by kind.
    """
    drawn, scene_N = scenes()
    frames, break_N = broken_frames(cases)
    seen, broken = look(classifier, drawn), look(classifier, frames)
    by_name = {
        "photographs": look(classifier, photographs),
        "scenes": seen.of(scene_N != PLAIN_SKIN),
        "plain_skin": seen.of(scene_N == PLAIN_SKIN),
        "broken_frames": broken,
    }
    by_kind = {name: seen.of(scene_N == name) for name in SCENES}
    return by_name, by_kind | {name: broken.of(break_N == name) for name in BREAKS}


def _stranger_figures(
    name: str,
    ranking: Ranking,
    refused_N: NDArray[np.bool_],
    is_stranger_N: NDArray[np.bool_],
    weight_WN: NDArray[np.float64],
) -> dict[str, Row]:
    return {
        f"novelty_auroc_{name}": ranking.auroc(weight_WN),
        f"refused_{name}": share(weight_WN, refused_N, is_stranger_N),
    }


def _look(classifier: OnnxClassifier, image_HWC: Pixels) -> tuple[Prediction, QualityReport]:
    manifest = classifier.manifest
    working_HWC = working_copy(image_HWC, manifest.preprocess)
    quality = assess(working_HWC, manifest.quality)
    return classifier.classify(model_input(working_HWC, manifest.preprocess)), quality
