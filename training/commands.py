"""
What the verbs do, without a command line: readers, split, cache, loop and report composed.

The command line and the demo call the same functions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from accelerate import Accelerator, InitProcessGroupKwargs
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from device.classifier import OnnxClassifier
from device.core.manifest import Calibration, OperatingPoint, PreprocessSpec
from training.data.case import Case
from training.data.dataset import PreparedPart, prepare_part
from training.data.provenance import describe_data, require_split
from training.data.readers import read_dataset
from training.data.splits import (
    CALIBRATION,
    TEST,
    TRAIN,
    VALIDATION,
    Split,
    read_split,
)
from training.errors import DataError, RunError
from training.evaluate.calibration import calibrate, choose_operating_point, fit_calibration
from training.evaluate.from_files import probabilities_from_files
from training.evaluate.metrics import evaluate_predictions, score
from training.evaluate.model_file import predict_with_file
from training.evaluate.predictions import predict
from training.evaluate.report import Evaluation, write_report
from training.loop import train
from training.models import load_best
from training.recipes import RECIPES
from training.runs import (
    BEST_NAME,
    CONFIG_NAME,
    CURVES_NAME,
    DataConfig,
    DistillationConfig,
    RunConfig,
    load_config,
)

HAM10000_SPLIT = Path(__file__).parent / "splits" / "ham10000.csv"
DEFAULT_CACHE = Path("var/cache")
KD_TEMPERATURE, KD_SHARE = 1.0, 0.5
"""As in arXiv 2406.17051, from which the idea of the fused teacher comes."""
_PATIENCE = timedelta(hours=12)
"""How long the other processes wait while the first one prepares all pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where pictures come from, who is in which part, and where prepared ones are kept."""

    data: Path
    split: Path = HAM10000_SPLIT
    cache: Path = DEFAULT_CACHE
    workers: int = 2

    def read(self) -> tuple[list[Case], Split]:
        """Read data set and split; raises DataError."""
        return read_dataset(self.data), read_split(self.split)


def configure(
    recipe: str,
    *,
    seed: int | None = None,
    teacher: Path | None = None,
    epochs: int | None = None,
) -> RunConfig:
    """
    Return the configuration of *recipe* with what the command line changed.

    Args:
        recipe: Name in ``training.recipes.RECIPES``.
        seed: Instead of the recipe's.
        teacher: Run whose network teaches this one.
        epochs: Instead of the recipe's.

    Raises:
        RunError: There is no such recipe, or no such finished teacher.
    """
    if recipe not in RECIPES:
        raise RunError(f"recipe {recipe!r}: expected one of {', '.join(sorted(RECIPES))}")
    changes: dict[str, object] = {}
    if seed is not None:
        changes["seed"] = seed
    if epochs is not None:
        changes |= {"epochs": epochs, "recipe": f"{recipe} --epochs {epochs}"}
    if teacher is not None:
        _require_run(teacher)
        changes["distillation"] = DistillationConfig(
            teacher_run=teacher.resolve(), kd_temperature=KD_TEMPERATURE, kd_share=KD_SHARE
        )
    return RECIPES[recipe]().model_copy(update=changes)


def train_run(config: RunConfig, source: Source, run: Path) -> Evaluation | None:
    """
    Train *config* in the folder *run*, or go on where it stopped, and report on validation.

    Works in one process and in several, started by accelerate or torch: the first one prepares the
    pictures and writes, the others wait and find them prepared.

    Returns:
        The report's content; None in all processes but the first.

    Raises:
        DataError: Data set and split do not fit, or a part is too small.
        RunError: *run* holds another configuration, or one of other pictures or another split.
    """
    accelerator = Accelerator(kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)])
    cases, split = source.read()
    config = config.model_copy(update={"data": describe_data(cases, split)})
    chosen = {
        part: _chosen(cases, split, part, source) for part in (TRAIN, VALIDATION, CALIBRATION)
    }
    with accelerator.main_process_first():
        train_part = _prepared(chosen[TRAIN], config.preprocess, source, variants=config.variants)
        validation_part = _prepared(chosen[VALIDATION], config.preprocess, source)
        # Needed at the end only; what is wrong with it is said before hours pass.
        _prepared(chosen[CALIBRATION], config.preprocess, source)
    is_first = accelerator.is_main_process
    train(config, train_part, validation_part, run)
    return evaluate_run(run, source, part=VALIDATION, out=run) if is_first else None


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
    _require_run(run)
    config, model = load_config(run), load_best(run)
    cases, split = source.read()
    if config.data is not None:
        require_split(config.data, cases, split)
    calibration_part = _prepared(
        _chosen(cases, split, CALIBRATION, source), config.preprocess, source
    )
    judged = _prepared(_chosen(cases, split, part, source), config.preprocess, source)
    fitted_N = predict(model, calibration_part).malignancy_logit_N
    calibration = fit_calibration(fitted_N, calibration_part.malignant_N)
    point = choose_operating_point(calibrate(calibration, fitted_N), calibration_part.malignant_N)
    answers = predict(model, judged)
    evaluation = _evaluation(
        f"{config.recipe}, seed {config.seed},",
        _Judged(part=part, pictures=judged, split=split),
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
    cases, split = source.read()
    record = manifest.training
    trained_on = DataConfig(fingerprint=record.fingerprint, split_sha256=record.split_sha256)
    require_split(trained_on, cases, split)
    judged = _prepared(_chosen(cases, split, part, source), manifest.preprocess, source)
    evaluation = _evaluation(
        f"{manifest.name} {manifest.version}",
        _Judged(part=part, pictures=judged, split=split),
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
    cases, split = source.read()
    chosen = split.cases(cases, part)
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


def _chosen(cases: list[Case], split: Split, part: str, source: Source) -> list[Case]:
    """The cases of *part*; DataError if there are none."""
    chosen = split.cases(cases, part)
    if not chosen:
        raise DataError(
            f"part {part!r} of {source.split}",
            [f"no picture of {source.data} is in it"],
            "name one of train, validation, calibration, test, and the split of this data set",
        )
    return chosen


def _prepared(
    cases: list[Case], spec: PreprocessSpec, source: Source, *, variants: int = 1
) -> PreparedPart:
    return prepare_part(cases, spec, cache=source.cache, variants=variants, workers=source.workers)


def _require_run(run: Path) -> None:
    """Raise RunError if *run* holds no network."""
    absent = [name for name in (CONFIG_NAME, BEST_NAME) if not (run / name).is_file()]
    if absent:
        raise RunError(
            f"{run}: expected a finished run, found no {' and no '.join(absent)}; "
            "train it first with `python -m training train`"
        )


def _default_out(run: Path, part: str) -> Path:
    """The validation report lies in the run's folder itself, those of other parts below it."""
    return run if part == VALIDATION else run / part
