"""The tables of docs/out-of-distribution.md, made from one model file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from device.classifier import OnnxClassifier
from device.core.manifest import DIAGNOSES, Metric
from training.data.provenance import require_split
from training.data.readers import read_dataset
from training.data.splits import CALIBRATION, TEST, TRAIN, VALIDATION
from training.evaluate.out_of_distribution.photographs import load_photographs
from training.evaluate.out_of_distribution.scores import Outputs, fitted_scores
from training.evaluate.out_of_distribution.study import (
    Looks,
    broken_frames,
    figures,
    look,
    look_at_cases,
    look_at_strangers,
)
from training.evaluate.tables import limits
from training.runs import DataConfig
from training.source import Source

_FROM_ELSEWHERE = 1000
"""Pictures of each other set, evenly spread."""
_NAMES = {
    "photographs": "natural photographs",
    "scenes": "drawn scenes without a lesion",
    "plain_skin": "drawn skin without a lesion",
    "broken_frames": "broken frames",
}


def measure(model: Path, source: Source, *, photographs: Path, elsewhere: Sequence[Path]) -> str:
    """
    Measure what *model* refuses, and compare its score with others.

    Args:
        model: File with its contract.
        source: Set of record and split.
        photographs: Folder of gathered photographs.
        elsewhere: Sets of dermoscopic pictures from elsewhere.

    Returns:
        The tables.

    Raises:
        DataError: Pictures are missing, or do not fit the split.
        ModelError: The device refuses the file.
        RunError: The model was trained by another split.
    """
    classifier = OnnxClassifier(model)
    manifest = classifier.manifest
    pictures = source.read()
    require_split(
        DataConfig(
            fingerprint=manifest.training.fingerprint, split_sha256=manifest.training.split_sha256
        ),
        pictures.record,
        pictures.split,
    )
    cases = {part: pictures.chosen(part) for part in (VALIDATION, CALIBRATION, TEST)}
    looks = {part: look_at_cases(classifier, cases[part]) for part in cases}
    strangers, kinds = look_at_strangers(classifier, cases[TEST], load_photographs(photographs))
    # Scores are compared on the validation part alone, so that the test part chooses nothing.
    broken = look(classifier, broken_frames(cases[VALIDATION])[0])
    lesions = np.array([pictures.split.group_of[case.image_id] for case in cases[TEST]])
    found = figures(looks[TEST], cases[TEST], lesions, strangers)
    part = pictures.prepared(pictures.chosen(TRAIN), manifest.preprocess)
    training = Outputs.of([classifier.classify(pixels) for pixels in part.pixels_VNSSC[0]])
    others = {}
    for root in elsewhere:
        found_cases = read_dataset(root)
        places = np.linspace(0, len(found_cases) - 1, min(_FROM_ELSEWHERE, len(found_cases)))
        others[root.name] = look_at_cases(
            classifier, [found_cases[place] for place in places.astype(int)]
        )
    return "\n\n".join(
        [
            f"`{manifest.name} {manifest.version}`, SHA-256 `{classifier.identity.sha256}`.",
            _strangers(found, strangers),
            _real(found, looks, others),
            _kinds(kinds),
            _scores(training, part.diagnosis_N, looks, strangers | {"broken_frames": broken}),
        ]
    )


def _strangers(found: Mapping[str, Metric], strangers: Mapping[str, Looks]) -> str:
    rows = [
        f"| {_NAMES[name]} | {len(looks.novelty_N)} | {_figure(found[f'novelty_auroc_{name}'])} | "
        f"{_share(np.mean(looks.novelty_N > 1))} | {_share(np.mean(looks.gate_N))} | "
        f"{_figure(found[f'refused_{name}'], percent=True)} |"
        for name, looks in strangers.items()
    ]
    head = (
        "| what is shown | pictures | AUROC of the novelty against the test part | novelty above 1 "
        "| refused by the quality gate | `retake` in all |\n| --- | --- | --- | --- | --- | --- |"
    )
    return "\n".join([head, *rows])


def _real(
    found: Mapping[str, Metric], looks: Mapping[str, Looks], others: Mapping[str, Looks]
) -> str:
    rows = [
        f"| {part} part | {len(seen.novelty_N)} | {_share(np.mean(seen.refused_N))} |"
        for part, seen in looks.items()
        if part != TEST
    ]
    rows.append(
        f"| test part | {len(looks[TEST].novelty_N)} | {_figure(found['refused'], percent=True)} |"
    )
    rows += [
        f"| test part, {code} | | {_figure(found[f'refused_{code}'], percent=True)} |"
        for code in DIAGNOSES
        if f"refused_{code}" in found
    ]
    rows += [
        f"| {name}, from elsewhere | {len(seen.novelty_N)} | {_share(np.mean(seen.refused_N))} |"
        for name, seen in others.items()
    ]
    return "\n".join(["| real pictures | number | `retake` in all |", "| --- | --- | --- |", *rows])


def _kinds(kinds: Mapping[str, Looks]) -> str:
    rows = [
        f"| {name} | {len(seen.novelty_N)} | {_share(np.mean(seen.novelty_N > 1))} | "
        f"{_share(np.mean(seen.gate_N))} | {_share(np.mean(seen.refused_N))} |"
        for name, seen in kinds.items()
    ]
    head = (
        "| drawn or broken | pictures | novelty above 1 | refused by the quality gate | `retake` "
        "in all |\n| --- | --- | --- | --- | --- |"
    )
    return "\n".join([head, *rows])


def _scores(
    training: Outputs,
    diagnosis_N: np.ndarray,
    looks: Mapping[str, Looks],
    strangers: Mapping[str, Looks],
) -> str:
    """Compare scores of the validation part with those of *strangers*, broken from it too."""
    known, limit_from = (Outputs.of(looks[part].predictions) for part in (VALIDATION, CALIBRATION))
    rows = []
    for name, score in fitted_scores(training, diagnosis_N).items():
        real_N = score(known)
        limit = np.quantile(score(limit_from), 0.99)
        cells = [name]
        for seen in (strangers["photographs"], strangers["scenes"], strangers["broken_frames"]):
            strange_N = score(Outputs.of(seen.predictions))
            truth_N = np.arange(len(real_N) + len(strange_N)) >= len(real_N)
            cells.append(f"{roc_auc_score(truth_N, np.concatenate([real_N, strange_N])):.3f}")
            cells.append(_share(np.mean(strange_N > limit)))
        rows.append("| " + " | ".join(cells) + " |")
    head = (
        "| score | photographs: AUROC | found | scenes: AUROC | found | broken frames: AUROC "
        "| found |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    return "\n".join([head, *rows])


def _figure(metric: Metric, *, percent: bool = False) -> str:
    form = ".1%" if percent else ".3f"
    return f"{metric.value:{form}} ({limits(metric, form)})"


def _share(value: float | np.floating) -> str:
    return f"{value:.1%}"
