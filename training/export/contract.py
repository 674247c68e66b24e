"""
The contract of one model file: what was fitted, measured and recorded, in the device's words.

Calibration, thresholds, metrics and the golden case come from the graph that ships, not from
the network in torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from device.core.manifest import (
    DIAGNOSES,
    MALIGNANT_DIAGNOSES,
    METADATA_KEY,
    Calibration,
    Diagnosis,
    GoldenCase,
    Guarantee,
    InputSpec,
    Metric,
    ModelManifest,
    OperatingPoint,
    OutOfDistribution,
    QualityLimits,
    TrainingRecord,
)
from device.decision import novelty
from device.drawing import draw_lesion
from training.data.case import Case
from training.data.dataset import PreparedPart
from training.data.fingerprint import fingerprint
from training.data.splits import CALIBRATION, RULE, TEST, TRAIN, VALIDATION, Split
from training.evaluate.calibration import calibrate, choose_operating_point, fit_calibration
from training.evaluate.guarantee import (
    REFUTED_BELOW,
    chance_of,
    guarantee,
    lowest_of_lesions,
)
from training.evaluate.metrics import Scored, evaluate_predictions, score
from training.evaluate.out_of_distribution import fit_out_of_distribution
from training.export.count import count_macs, count_parameters
from training.export.errors import ExportError
from training.export.graph import Exported
from training.export.parity import probabilities, run_graph
from training.models.outputs import COMBINATION
from training.runs import RunConfig

INTENDED_USE = (
    "Research and education: sorts dermoscopic pictures of single pigmented skin lesions. "
    "Not a medical device, gives no diagnosis, and replaces no examination."
)
LICENSES: Mapping[str, str] = {
    "ham10000": "HAM10000: CC BY-NC 4.0",
    "kaggle": "Kaggle set of ISIC-archive pictures: CC BY-NC and CC-0",
    "isic-extra": "ISIC-archive pictures: CC BY-NC and CC-0",
}
"""Of the training pictures, by data set."""
OWN_PICTURES = "drawn"
"""Data set that the project draws itself; nobody else has a right in it."""
QUALITY_LIMITS = QualityLimits(
    darkest_brightness=0.15,
    brightest_saturated_share=0.25,
    lowest_contrast=0.015,
    lowest_sharpness=0.0005,
)
"""
Measured on the 1,208 pictures of HAM10000's calibration part at 200×150, smallest or largest of
all of them: brightness 0.28, saturated share 0.036, contrast 0.029, sharpness 0.0073.  The first
three leave about a factor of two to pictures of other cameras.  Sharpness depends on the size at
which it is measured: the same pictures stretched to 800×600, as a 600-pixel frame with the
detail of 150 pixels, come down to 0.00054, and they too can be scored.
"""
GOLDEN_SEED, GOLDEN_TOLERANCE = 8, 1e-4
GOLDEN_DIAGNOSIS: Diagnosis = "MEL"
FURTHER = "further training"
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the contract's figures rest on."""

    split: Split
    """Groups and parts."""
    cases: Sequence[Case]
    """All pictures of the set of record, whatever their part."""
    extra: Sequence[Case] = ()
    """Pictures of further sets that were trained on."""
    training_part: PreparedPart
    """What pictures of a lesion look like to the network."""
    calibration_part: PreparedPart
    """Calibration, both thresholds and the limit of novelty are fitted on it."""
    test_part: PreparedPart
    """The metrics are measured on it."""

    def lesions(self, part: PreparedPart) -> NDArray[np.str_]:
        """Return the group of each picture of *part*, ``[N]``."""
        return np.array([self.split.group_of[case.image_id] for case in part.cases])


def build_contract(
    exported: Exported,
    config: RunConfig,
    evidence: Evidence,
    *,
    name: str,
    version: str,
    commit: str,
    quality: QualityLimits = QUALITY_LIMITS,
) -> ModelManifest:
    """
    Fit, measure and write down everything that the device must know.

    Args:
        exported: The graph, still without its contract.
        config: Of the run.
        evidence: The parts that it is fitted to and measured on.
        name: Of the model.
        version: Of the model.
        commit: That trained it.
        quality: Where the gate asks for another picture.

    Raises:
        DataError: A part lacks benign or malignant pictures.
        ExportError: The test part refutes the promise on missed lesions.
    """
    calibration_part = evidence.calibration_part
    content = exported.model.SerializeToString()
    fitted = run_graph(content, calibration_part.pixels_VNSSC[0])
    logit_N = fitted["malignancy_logit"][:, 0].astype(np.float64)
    calibration = fit_calibration(logit_N, calibration_part.malignant_N)
    probability_N = calibrate(calibration, logit_N)
    lesion_N = evidence.lesions(calibration_part)
    point = choose_operating_point(probability_N, calibration_part.malignant_N, lesion_N)
    malignant_lesions = len(set(lesion_N[calibration_part.malignant_N > 0]))
    training_part = evidence.training_part
    strangeness = fit_out_of_distribution(
        run_graph(content, training_part.pixels_VNSSC[0])["embedding"],
        training_part.diagnosis_N,
        fitted["embedding"],
    )
    promise = guarantee(malignant_lesions)
    judged = judge(content, evidence, calibration)
    check_promise(promise, point, judged)
    metrics = evaluate_predictions(judged, point)
    record = training_record(config, evidence)
    return ModelManifest(
        schema_version=1,
        compatible="edgederm-contract-1",
        name=name,
        version=version,
        intended_use=INTENDED_USE,
        input=InputSpec(
            name="image", dtype="uint8", layout="NHWC", color="RGB", side_px=config.side_px
        ),
        preprocess=config.preprocess,
        diagnoses=DIAGNOSES,
        malignant=MALIGNANT_DIAGNOSES,
        combination=COMBINATION,
        calibration=calibration,
        operating_point=point,
        guarantee=promise,
        uncertain_share=_rounded(
            np.mean((probability_N >= point.benign_below) & (probability_N < point.malignant_from))
        ),
        out_of_distribution=strangeness,
        quality=quality,
        golden=golden_case(content, config.side_px, calibration, strangeness),
        training=record,
        metrics=rounded_metrics(metrics),
        parameters=count_parameters(exported.model),
        macs=count_macs(exported.model),
        license=license_sentence(record.datasets),
        commit=commit,
    )


def check_promise(promise: Guarantee, point: OperatingPoint, scored: Scored) -> None:
    """
    Hold the promise on missed lesions against the test part, once.

    A promise of 95 % confidence is broken by one calibration part in twenty, and nothing about the
    calibration part shows it.

    Raises:
        ExportError: So many malignant lesions of the test part are called benign on one of their
            pictures that chance explains it badly.
    """
    lowest_L = lowest_of_lesions(scored.probability_N, scored.malignant_N, scored.group_N)
    missed = int((lowest_L < point.benign_below).sum())
    chance = chance_of(missed, len(lowest_L), promise)
    if chance < REFUTED_BELOW:
        raise ExportError(
            f"the promise on missed lesions is refuted: expected at most {promise.miss_rate:.1%} "
            f"of malignant lesions called benign, found {missed} of the {len(lowest_L)} in the "
            f"test part, which chance explains with {chance:.2g}; this model does not ship, and "
            "trying seeds until one passes would be choosing on the test part"
        )


def judge(content: bytes, evidence: Evidence, calibration: Calibration) -> Scored:
    """Let the model file *content* answer the test part, and put the truth beside."""
    part = evidence.test_part
    outputs = run_graph(content, part.pixels_VNSSC[0])
    return score(
        malignancy_logit_N=outputs["malignancy_logit"][:, 0].astype(np.float64),
        diagnosis_logits_NK=outputs["diagnosis_logits"].astype(np.float64),
        malignant_N=part.malignant_N,
        diagnosis_N=part.diagnosis_N,
        group_N=evidence.lesions(part),
        calibration=calibration,
    )


def training_record(config: RunConfig, evidence: Evidence) -> TrainingRecord:
    """Say what the model has seen: recipe, pictures and parts."""
    split, cases, extra = evidence.split, evidence.cases, evidence.extra
    sizes = Counter(split.part_of[case.image_id] for case in cases)
    further = {FURTHER: len(extra)} if extra else {}
    return TrainingRecord(
        recipe=config.recipe,
        seed=config.seed,
        datasets=tuple(sorted({case.dataset for case in (*cases, *extra)})),
        fingerprint=fingerprint(cases),
        extra_fingerprint=fingerprint(extra) if extra else None,
        split=RULE,
        split_sha256=split.restricted(cases).sha256,
        images={part: sizes[part] for part in (TRAIN, VALIDATION, CALIBRATION, TEST)} | further,
    )


def rounded_metrics(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Cut figures to the digits that mean something; the rest would cost the file a kilobyte."""
    return {
        name: Metric(
            value=_rounded(metric.value), low=_rounded(metric.low), high=_rounded(metric.high)
        )
        for name, metric in metrics.items()
    }


def _rounded(value: float | np.floating) -> float:
    return round(float(value), _DIGITS)


def golden_case(
    content: bytes, side_px: int, calibration: Calibration, strangeness: OutOfDistribution
) -> GoldenCase:
    """Return the drawn picture's seed with what the model file *content* says about it."""
    outputs = run_graph(content, _golden_picture(side_px)[None])
    malignant, *diagnoses = map(float, probabilities(outputs, calibration)[0])
    return GoldenCase(
        seed=GOLDEN_SEED,
        diagnosis=GOLDEN_DIAGNOSIS,
        probability_malignant=malignant,
        diagnosis_probabilities=tuple(diagnoses),
        tolerance=GOLDEN_TOLERANCE,
        novelty=novelty(outputs["embedding"][0], strangeness),
    )


def license_sentence(datasets: Sequence[str]) -> str:
    """Say what may be done with weights trained on *datasets*."""
    # A set that came in parts names them behind a slash.
    sources = {name.split("/")[0] for name in datasets}
    if sources == {OWN_PICTURES}:
        return "Trained on drawn pictures alone; Apache-2.0 as the code."
    unknown = sorted(sources - LICENSES.keys() - {OWN_PICTURES})
    known = [LICENSES[name] for name in sorted(sources & LICENSES.keys())]
    sentences = []
    if known:
        sentences.append(
            "Weights for non-commercial research and education only, after the licences of their "
            f"training pictures ({'; '.join(known)}). The code is Apache-2.0."
        )
    if unknown:
        sentences.append(f"Trained on {', '.join(unknown)}; the licence of those pictures applies.")
    return " ".join(sentences)


def embed(model: onnx.ModelProto, manifest: ModelManifest) -> bytes:
    """Return *model* as a file's content, with *manifest* as its only metadata."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    onnx.helper.set_model_props(whole, {METADATA_KEY: manifest.model_dump_json()})
    return whole.SerializeToString()


def _golden_picture(side_px: int) -> NDArray[np.uint8]:
    return draw_lesion(GOLDEN_SEED, diagnosis=GOLDEN_DIAGNOSIS, height_px=side_px, width_px=side_px)
