"""From a model file to a signed bundle that boxes take; see ``device.bundle``."""

from __future__ import annotations

from pathlib import Path

import onnx

from device.bundle import Goldens, pack
from device.bundle.bundle import SUFFIX
from device.classifier import OnnxClassifier
from device.core.manifest import DIAGNOSES, GoldenCase, ModelManifest
from device.decision import novelty, probability_malignant
from device.decision.policy import softmax
from device.drawing import draw_lesion
from training.export.contract import GOLDEN_TOLERANCE, embed
from training.export.errors import ExportError
from training.export.keys import SigningKey

GOLDEN_CASES = 14
"""Two drawn pictures of each diagnosis."""
_FIRST_SEED = 1000
"""Far from the seeds of samples and of the contract's own case."""


def bundle_model(model: Path, key: SigningKey, out: Path, *, version: str | None = None) -> Path:
    """
    Write the bundle ``NAME-VERSION.edm``.

    Args:
        model: ONNX file with its contract.
        key: Signs.
        out: Folder to write to; made if missing.
        version: Stands in the bundle's contract in place of the model file's own; that file is
            not changed.

    Raises:
        ExportError: Name or version have no form that a box could put in order.
        ModelError: The model is none, or does not answer its own golden case.
        BundleError: It would be too large.
    """
    content, classifier = _with_version(model, version)
    manifest = classifier.manifest
    try:
        bundle = pack(
            content,
            name=manifest.name,
            version=manifest.version,
            goldens=golden_cases(classifier),
            key_id=key.public.name,
            sign=key.sign,
        )
    except ValueError as error:
        raise ExportError(
            f"{model}: expected a name of small letters, digits and dashes and a version like "
            f"1.2.0, found {manifest.name!r} and {manifest.version!r}; export it under another "
            "name, or give --version"
        ) from error
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{manifest.name}-{manifest.version}{SUFFIX}"
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.write_bytes(bundle)
    fresh.replace(path)
    return path


def golden_cases(classifier: OnnxClassifier) -> Goldens:
    """Let *classifier* answer drawn pictures, and write down what it says."""
    return Goldens(cases=tuple(_case(classifier, number) for number in range(GOLDEN_CASES)))


def _case(classifier: OnnxClassifier, number: int) -> GoldenCase:
    manifest = classifier.manifest
    side = manifest.input.side_px
    seed, diagnosis = _FIRST_SEED + number, DIAGNOSES[number % len(DIAGNOSES)]
    prediction = classifier.classify(
        draw_lesion(seed, diagnosis=diagnosis, height_px=side, width_px=side)
    )
    return GoldenCase(
        seed=seed,
        diagnosis=diagnosis,
        probability_malignant=probability_malignant(
            prediction.malignancy_logit, manifest.calibration
        ),
        diagnosis_probabilities=tuple(map(float, softmax(prediction.diagnosis_logits_K))),
        tolerance=GOLDEN_TOLERANCE,
        novelty=novelty(prediction.embedding_D, manifest.out_of_distribution),
    )


def _with_version(model: Path, version: str | None) -> tuple[bytes, OnnxClassifier]:
    """Return the content of *model* under *version*, and see that the device takes it."""
    classifier = OnnxClassifier(model)
    content = model.read_bytes()
    if version is None or version == classifier.manifest.version:
        classifier.self_test()
        return content, classifier
    contract: ModelManifest = classifier.manifest.model_copy(update={"version": version})
    content = embed(onnx.load_from_string(content), contract)
    classifier = OnnxClassifier(model, content=content)
    classifier.self_test()
    return content, classifier
