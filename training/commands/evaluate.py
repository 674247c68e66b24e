"""Judge a run or a model file on one part of the set of record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from device.classifier import OnnxClassifier
from device.core.manifest import Calibration, OperatingPoint, PreprocessSpec
from training.data.dataset import PreparedPart
from training.data.protocols import siblings_trained_on
from training.data.provenance import require_split
from training.data.splits import (
    AUDIT_NAME,
    CALIBRATION,
    GROUPED,
    SPLIT_NAME,
    TEST,
    VALIDATION,
)
from training.errors import RunError
from training.evaluate.calibration import calibrate, choose_operating_point, fit_calibration
from training.evaluate.from_files import probabilities_from_files
from training.evaluate.metrics import evaluate_predictions, score
from training.evaluate.model_file import predict_with_file
from training.evaluate.predictions import Predictions, mean_of, predict
from training.evaluate.probes import disturbed_answers, masked_answers, sharper_answers
from training.evaluate.report import Evaluation, write_report
from training.evaluate.robustness import robustness
from training.evaluate.selective import selective_risk
from training.evaluate.subgroups import skin_tones, subgroups
from training.models import load_best
from training.runs import (
    CONFIG_NAME,
    CURVES_NAME,
    MEMBERS_NAME,
    DataConfig,
    RunConfig,
    load_config,
    require_run,
)
from training.source import HAM10000_SPLIT, Pictures, Source


def evaluate_model(
    model: Path,
    source: Source,
    *,
    part: str = TEST,
    out: Path | None = None,
    probes: bool = False,
    tta: int = 1,
    beside: Sequence[Path] = (),
) -> Evaluation:
    """
    Evaluate a run's folder or an ONNX file, whichever *model* is.

    Args:
        model: Folder or file.
        source: Pictures and split.
        part: Of the split.
        out: Folder for the report; None: below the run, and for a file nowhere.
        probes: Of a file: disturbed pictures, hidden lesions and sharper copies too.
        tta: Of a run: views of each picture.
        beside: Further runs that answer with the run *model*, by the mean of what all say.

    Raises:
        RunError: Probes were asked for, which show what a device answers, and *model* is a run;
            or several views or runs, for which a device has no time, and it is a file; or several
            runs were given no place for their report.
    """
    if not model.is_dir():
        if tta > 1 or beside:
            raise RunError(
                f"{model}: expected a run for several views or networks, found a file, which "
                "answers as on a device, alone and by one view"
            )
        return evaluate_file(model, source, part=part, out=out, probes=probes)
    if probes:
        raise RunError(f"{model}: expected an ONNX file to probe, found a run; export it first")
    if beside and out is None:
        raise RunError("several runs have no folder of their own; name one for the report: --out")
    out = out or _default_out(model, part, tta)
    return evaluate_run(model, source, part=part, out=out, tta=tta, beside=beside)


def evaluate_run(
    run: Path,
    source: Source,
    *,
    part: str,
    out: Path,
    tta: int = 1,
    beside: Sequence[Path] = (),
) -> Evaluation:
    """
    Judge the best network of *run* with torch and write the report into *out*.

    Calibration and thresholds are fitted on the calibration part first, as the export does.
    The networks of the runs *beside* it look too, each at its own side, and all answer by their
    mean.

    Raises:
        DataError: Data set and split do not fit, or a part lacks a label.
        RunError: *run* is no finished run.
    """
    runs = (run, *beside)
    if len({each.resolve() for each in runs}) < len(runs):
        raise RunError("--beside: expected each run once, found one of them twice")
    for each in runs:
        require_run(each)
    configs = [load_config(each) for each in runs]
    config, pictures = configs[0], source.read()
    calibration_part = pictures.prepared(pictures.chosen(CALIBRATION), config.preprocess)
    judged = pictures.prepared(pictures.chosen(part), config.preprocess)
    fitted_N = _ask(runs, pictures, CALIBRATION, tta=tta).malignancy_logit_N
    calibration = fit_calibration(fitted_N, calibration_part.malignant_N)
    point = choose_operating_point(
        calibrate(calibration, fitted_N),
        calibration_part.malignant_N,
        np.array([pictures.split.group_of[case.image_id] for case in calibration_part.cases]),
    )
    answers = _ask(runs, pictures, part, tta=tta)
    evaluation = _evaluation(
        " and ".join(f"{each.recipe}, seed {each.seed}," for each in configs)
        + (" by their mean," if beside else "")
        + (f" the mean of {tta} views (TTA)," if tta > 1 else ""),
        _Judged(part=part, prepared=judged, pictures=pictures, spec=config.preprocess),
        (answers.malignancy_logit_N, answers.diagnosis_logits_NK),
        (calibration, point),
        command="\n".join(
            (
                *dict.fromkeys(line for each in runs for line in _train_commands(each, source)),
                _command(run, source, part, tta=tta, out=out, beside=beside),
            )
        ),
    )
    # Of one training; several have no epochs in common.
    lines = [] if beside else (run / CURVES_NAME).read_text().splitlines()
    curves = [json.loads(line) for line in lines]
    write_report(evaluation, out, curves=curves)
    return evaluation


def _ask(runs: Sequence[Path], pictures: Pictures, part: str, *, tta: int) -> Predictions:
    """Return the mean of what the networks of *runs* say, each about its own prepared pictures."""
    answers = []
    for run in runs:
        config = load_config(run)
        if config.data is not None:
            require_split(config.data, pictures.record, pictures.split)
        judged = pictures.prepared(pictures.chosen(part), config.preprocess)
        answers.append(predict(load_best(run), judged, tta=tta))
    return mean_of(answers)


def evaluate_file(
    model: Path, source: Source, *, part: str, out: Path | None, probes: bool = False
) -> Evaluation:
    """
    Judge a model file with the device's classifier, its own calibration and its own thresholds.

    Args:
        model: ONNX file with a contract.
        source: Pictures and split.
        part: Of the split.
        out: Folder for the report; None writes none.
        probes: Let the device answer disturbed pictures, hidden lesions and sharper copies too,
            which takes 50 times as long.

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
        _Judged(part=part, prepared=judged, pictures=pictures, spec=manifest.preprocess),
        predict_with_file(classifier, judged),
        (manifest.calibration, manifest.operating_point),
        command=_command(model, source, part, probes=probes, out=out),
    )
    evaluation = replace(evaluation, promise=manifest.guarantee)
    if probes:
        found = robustness(
            disturbed_answers(model, judged.cases, workers=source.workers),
            masked_answers(model, judged.cases, workers=source.workers),
            evaluation.scored.malignant_N,
            evaluation.scored.group_N,
            sharper=sharper_answers(model, judged.cases, workers=source.workers),
        )
        evaluation = replace(evaluation, robustness=found)
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
    prepared: PreparedPart
    pictures: Pictures
    spec: PreprocessSpec


def _evaluation(
    model: str,
    judged: _Judged,
    logits: tuple[NDArray[np.float64], NDArray[np.float64]],
    decision: tuple[Calibration, OperatingPoint],
    *,
    command: str,
) -> Evaluation:
    """Put the answers (malignancy ``[N]``, diagnoses ``[N, K]``) beside the truth."""
    malignancy_logit_N, diagnosis_logits_NK = logits
    calibration, point = decision
    prepared, pictures = judged.prepared, judged.pictures
    # The same with and without further sets in the file, as the card has it.
    split = pictures.split.restricted(pictures.record)
    groups = [split.group_of[case.image_id] for case in prepared.cases]
    scored = score(
        malignancy_logit_N=malignancy_logit_N,
        diagnosis_logits_NK=diagnosis_logits_NK,
        malignant_N=prepared.malignant_N,
        diagnosis_N=prepared.diagnosis_N,
        group_N=np.array(groups),
        calibration=calibration,
    )
    metrics = evaluate_predictions(scored, point, complete=True)
    # For whom a leak works well says nothing about anybody.
    by_group = (
        subgroups(prepared.cases, scored, point, tones=skin_tones(prepared.cases, judged.spec))
        if split.protocol == GROUPED
        else []
    )
    return Evaluation(
        model=model,
        part=judged.part,
        protocol=split.protocol,
        split_sha256=split.sha256,
        cases=prepared.cases,
        groups=groups,
        has_sibling_N=siblings_trained_on(split, [case.image_id for case in prepared.cases]),
        malignancy_logit_N=malignancy_logit_N,
        scored=scored,
        pixels_NSSC=prepared.pixels_VNSSC[0],
        calibration=calibration,
        operating_point=point,
        metrics=metrics,
        subgroups=by_group,
        selective=selective_risk(scored, point),
        command=command,
    )


def _command(
    model: Path,
    source: Source,
    part: str,
    *,
    out: Path | None,
    probes: bool = False,
    tta: int = 1,
    beside: Sequence[Path] = (),
) -> str:
    """Return the command that makes the report again, without the names of this machine."""
    words = [f"python -m training evaluate --model {shown(model, 'RUNS')}", *_source_words(source)]
    words += [f"--beside {shown(run, 'RUNS')}" for run in beside]
    words += [f"--part {part}", *(["--probes"] if probes else [])]
    words += [f"--tta {tta}"] if tta > 1 else []
    if out is not None and (beside or out != _default_out(model, part, tta)):
        words.append(f"--out {shown(out, 'RUNS')}")
    return " ".join(words)


def _train_commands(run: Path, source: Source) -> list[str]:
    """Return the commands that trained the run, those of its teachers first."""
    config = load_config(run)
    lines = []
    for teacher in () if config.distillation is None else config.distillation.teacher_runs:
        try:
            lines += _train_commands(teacher, source)
        except (OSError, ValidationError):
            # The student can be judged all the same.
            lines.append(f"# {shown(teacher, 'RUNS')}: how it was trained is not known here")
    return [*lines, _train_command(config, run, source)]


def _train_command(config: RunConfig, run: Path, source: Source) -> str:
    """Return the command that trained the run; its recipe may hold options already."""
    words = [f"python -m training train {config.recipe} --seed {config.seed}"]
    words += _source_words(source)
    if config.data is not None and config.data.extra_fingerprint is not None:
        words.append("--also FURTHER")
    if config.distillation is not None:
        words += [f"--teacher {shown(run, 'RUNS')}" for run in config.distillation.teacher_runs]
    # A member is trained below its teacher.
    whole = run.parents[1] if run.parent.name == MEMBERS_NAME else run
    return " ".join([*words, f"--out {shown(whole, 'RUNS')}"])


def _source_words(source: Source) -> list[str]:
    """Return the options that name pictures, split and protocol."""
    words = [f"--data {shown(source.data, 'DATA')}"]
    if source.split != HAM10000_SPLIT:
        words.append(f"--split {shown(source.split, 'RUNS')}")
    if source.protocol != GROUPED:
        words.append(f"--protocol {source.protocol}")
    return words


def shown(path: Path, below: str) -> str:
    """Name a path as it is below the working directory; others by their :func:`own_name`."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return "/".join([below, *own_name(path)])


def own_name(path: Path) -> tuple[str, ...]:
    """
    Return the last part of a path, and no folder of a machine before it.

    A report of a run and the split of an audit are named with its folder: all have the same names.
    So is a member with its teacher.
    """
    path = path.resolve()
    if path.parent.name == MEMBERS_NAME:
        return path.parts[-3:]
    beside = AUDIT_NAME if path.name == SPLIT_NAME else CONFIG_NAME
    return path.parts[-2 if (path.parent / beside).is_file() else -1 :]


def _default_out(run: Path, part: str, tta: int) -> Path:
    """The validation report lies in the run's folder itself, others below it."""
    if tta > 1:
        return run / f"{part}-tta-{tta}"
    return run if part == VALIDATION else run / part
