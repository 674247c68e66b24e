"""What a person must be told: whom the model serves badly, and what it refuses or lets pass."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from device.classifier import OnnxClassifier
from device.core.manifest import Metric, ModelManifest
from training.evaluate.metrics import Scored
from training.evaluate.out_of_distribution.photographs import load_photographs
from training.evaluate.out_of_distribution.study import (
    Looks,
    figures,
    look_at_cases,
    look_at_strangers,
)
from training.evaluate.subgroups import skin_tones, subgroups
from training.export.contract import Evidence, embed, judge, rounded_metrics

SUBGROUP = "subgroup_"
"""Begins the name of a metric: the AUROC of a group of test lesions that must be named."""


def with_failures(
    model: onnx.ModelProto, manifest: ModelManifest, evidence: Evidence, photographs: Path | None
) -> ModelManifest:
    """
    Add to the contract's metrics what is refused, and the groups that are served badly.

    Args:
        model: The graph.
        manifest: Its contract so far.
        evidence: With the test part's files.
        photographs: Folder of gathered photographs; with it pictures without a lesion are
            measured too.

    Raises:
        DataError: Photographs are missing.
    """
    scored = judge(model.SerializeToString(), evidence, manifest.calibration)
    found = _refusals(model, manifest, evidence, photographs) | _weak(manifest, evidence, scored)
    return manifest.model_copy(update={"metrics": manifest.metrics | rounded_metrics(found)})


def _refusals(
    model: onnx.ModelProto, manifest: ModelManifest, evidence: Evidence, photographs: Path | None
) -> dict[str, Metric]:
    part = evidence.test_part
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(embed(model, manifest))
        classifier = OnnxClassifier(path)
    real = look_at_cases(classifier, part.cases)
    strangers: dict[str, Looks] = {}
    if photographs is not None:
        strangers, _ = look_at_strangers(classifier, part.cases, load_photographs(photographs))
    return figures(real, part.cases, evidence.lesions(part), strangers)


def _weak(manifest: ModelManifest, evidence: Evidence, scored: Scored) -> dict[str, Metric]:
    cases = evidence.test_part.cases
    tones = skin_tones(cases, manifest.preprocess)
    return {
        f"{SUBGROUP}{group.title}": group.metrics["auroc"]
        for group in subgroups(cases, scored, manifest.operating_point, tones=tones)
        if group.is_weak
    }
