"""Judge a run or a model file on one part of the set of record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from device.classifier import OnnxClassifier
from device.core.manifest import Calibration, OperatingPoint
from training.data.dataset import PreparedPart
from training.data.provenance import require_split
from training.data.splits import CALIBRATION, TEST, VALIDATION, Split
from training.errors import RunError
from training.evaluate.calibration import calibrate, choose_operating_point, fit_calibration
from training.evaluate.from_files import probabilities_from_files
from training.evaluate.metrics import evaluate_predictions, score
from training.evaluate.model_file import predict_with_file
from training.evaluate.predictions import predict
from training.evaluate.report import Evaluation, write_report
from training.models import load_best
from training.runs import CURVES_NAME, DataConfig, load_config, require_run
from training.source import Source


def evaluate_model(
    model: Path, source: Source, *, part: str = TEST, out: Path | None = None
) -> Evaluation:
    """Evaluate a run's folder or an ONNX file, whichever *model* is."""
    if model.is_dir():
        return evaluate_run(model, source, part=part, out=out or _default_out(model, part))
    return evaluate_file(model, source, part=part, out=out)


def evaluate_run(run: Path, source: Source, *, part: str, out: Path) -> Evaluation:
    """
    Judge the best network of *run* with torch and write the report into *out*.

    Calibration and thresholds are fitted on the calibration part first, as the export does.

    Raises:
        DataError: Data set and split do not fit, or a part lacks a label.
        RunError: *run* is no finished run.
    """
    require_run(run)
    config, model = load_config(run), load_best(run)
    pictures = source.read()
    if config.data is not None:
        require_split(config.data, pictures.record, pictures.split)
    calibration_part = pictures.prepared(pictures.chosen(CALIBRATION), config.preprocess)
    judged = pictures.prepared(pictures.chosen(part), config.preprocess)
    fitted_N = predict(model, calibration_part).malignancy_logit_N
    calibration = fit_calibration(fitted_N, calibration_part.malignant_N)
    point = choose_operating_point(calibrate(calibration, fitted_N), calibration_part.malignant_N)
    answers = predict(model, judged)
    evaluation = _evaluation(
        f"{config.recipe}, seed {config.seed},",
        _Judged(part=part, pictures=judged, split=pictures.split),
        (answers.malignancy_logit_N, answers.diagnosis_logits_NK),
        (calibration, point),
    )
    curves = [json.loads(line) for line in (run / CURVES_NAME).read_text().splitlines()]
    write_report(evaluation, out, curves=curves)
    return evaluation


def evaluate_file(model: Path, source: Source, *, part: str, out: Path | None) -> Evaluation:
    """
    Judge a model file with the device's classifier, its own calibration and its own thresholds.

    Args:
        model: ONNX file with a contract.
        source: Pictures and split.
        part: Of the split.
        out: Folder for the report; None writes none.

    Raises:
        DataError: Data set and split do not fit, or the part has one label only.
        ModelError: The device refuses the file.
    """
    classifier = OnnxClassifier(model)
    manifest = classifier.manifest
    pictures = source.read()
    record = manifest.training
    trained_on = DataConfig(fingerprint=record.fingerprint, split_sha256=record.split_sha256)
    require_split(trained_on, pictures.record, pictures.split)
    judged = pictures.prepared(pictures.chosen(part), manifest.preprocess)
    evaluation = _evaluation(
        f"{manifest.name} {manifest.version}",
        _Judged(part=part, pictures=judged, split=pictures.split),
        predict_with_file(classifier, judged),
        (manifest.calibration, manifest.operating_point),
    )
    if out is not None:
        write_report(evaluation, out)
    return evaluation


def auroc_from_files(model: Path, source: Source, *, part: str) -> float:
    """
    Area under the curve of the answers that ``python -m device classify`` gives for a part.

    Raises:
        DataError: Data set and split do not fit.
        RunError: *model* is no file, or the device refuses it or a picture.
    """
    if not model.is_file():
        raise RunError(f"{model}: expected an ONNX file; export the run first")
    chosen = source.read().chosen(part)
    probability_N = probabilities_from_files(model, [case.path for case in chosen])
    return float(roc_auc_score([case.malignant for case in chosen], probability_N))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """The pictures that a model is judged on."""

    part: str
    pictures: PreparedPart
    split: Split


def _evaluation(
    model: str,
    judged: _Judged,
    logits: tuple[NDArray[np.float64], NDArray[np.float64]],
    decision: tuple[Calibration, OperatingPoint],
) -> Evaluation:
    """Put the answers (malignancy ``[N]``, diagnoses ``[N, K]``) beside the truth."""
    malignancy_logit_N, diagnosis_logits_NK = logits
    calibration, point = decision
    pictures = judged.pictures
    groups = [judged.split.group_of[case.image_id] for case in pictures.cases]
    scored = score(
        malignancy_logit_N=malignancy_logit_N,
        diagnosis_logits_NK=diagnosis_logits_NK,
        malignant_N=pictures.malignant_N,
        diagnosis_N=pictures.diagnosis_N,
        group_N=np.array(groups),
        calibration=calibration,
    )
    return Evaluation(
        model=model,
        part=judged.part,
        split_sha256=judged.split.sha256,
        cases=pictures.cases,
        groups=groups,
        malignancy_logit_N=malignancy_logit_N,
        scored=scored,
        pixels_NSSC=pictures.pixels_VNSSC[0],
        calibration=calibration,
        operating_point=point,
        metrics=evaluate_predictions(scored, point),
    )


def _default_out(run: Path, part: str) -> Path:
    """The validation report lies in the run's folder itself, those of other parts below it."""
    return run if part == VALIDATION else run / part
