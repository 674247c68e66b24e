"""The model card: what a person must know before using the file, with the file's own figures."""

from __future__ import annotations

from pathlib import Path

from device.classifier import OnnxClassifier
from device.core.manifest import Metric, ModelManifest, StageSpec
from training.export.errors import ExportError

CARD_NAME = "README.md"
_MARK = "This page is written from the contract inside the file"
_DIAGNOSES = {
    "MEL": "melanoma",
    "NV": "melanocytic nevus",
    "BCC": "basal cell carcinoma",
    "AKIEC": "actinic keratosis or intraepithelial carcinoma",
    "BKL": "benign keratosis",
    "DF": "dermatofibroma",
    "VASC": "vascular lesion",
}
_ABOUT_DATA = {
    "ham10000": (
        "HAM10000 (Tschandl, Rosendahl & Kittler, Scientific Data 5, 180161, 2018) comes from two "
        "clinics, in Austria and Australia. Nearly all of its skin is light, its lesions are "
        "centred, and melanomas were sought out, so that malignant lesions are far more common "
        "in it than in any practice. Benign pictures were in part confirmed by follow-up or "
        "consensus, not by histology."
    ),
}


def write_card(model: Path) -> Path:
    """
    Write the card of *model* beside it.

    Every figure comes from the file: its contract, its size and its digest.

    Raises:
        ModelError: The file is no model that the device accepts.
        ExportError: Another README lies there.
    """
    loaded = OnnxClassifier(model)
    path = model.with_name(CARD_NAME)
    if path.is_file() and _MARK not in path.read_text():
        raise ExportError(
            f"{path} is no model card and would be replaced; name a folder for the model alone"
        )
    path.write_text(
        card(
            loaded.manifest,
            file_name=model.name,
            sha256=loaded.identity.sha256,
            size_bytes=model.stat().st_size,
        )
    )
    return path


def card(manifest: ModelManifest, *, file_name: str, sha256: str, size_bytes: int) -> str:
    """Return the card as Markdown."""
    training, point = manifest.training, manifest.operating_point
    about = " ".join(_ABOUT_DATA[name] for name in training.datasets if name in _ABOUT_DATA)
    parts = ", ".join(f"{count:,} {part}" for part, count in training.images.items())
    return f"""# {manifest.name} {manifest.version}

`{file_name}`: {size_bytes:,} bytes, {manifest.parameters:,} parameters, \
{manifest.macs / 1e6:.1f} million multiply-adds for one picture of \
{manifest.input.side_px}×{manifest.input.side_px} px.

SHA-256 `{sha256}`

{_MARK} (`python -m device inspect {file_name}`).

## Use

{manifest.intended_use}

It knows the diagnoses below and nothing else: healthy skin, other diseases, nails, mucosa and
pictures without a dermatoscope get an answer too, and it means nothing. A `benign` is no
all-clear. Whoever worries about a lesion shows it to a physician.

## Labels

{_labels(manifest)}

Malignancy and diagnosis are two heads on one trunk; {manifest.combination}.

## Data

{parts} pictures of {", ".join(training.datasets)}. {about}

Split: {training.split}. SHA-256 of the split `{training.split_sha256}`, of the pictures
`{training.fingerprint}`.

Licence: {manifest.license}

## Preparation

{_stages(manifest)}

Normalisation is part of the graph, which takes uint8 RGB.

## Figures

Measured on the {training.images["test"]:,} test pictures with the file itself, with 95 %
intervals from a bootstrap over lesions. Names that begin with `lesion_` count lesions, all
others pictures. `..._at_95_sensitivity` takes its threshold from the test part and describes the
ranking; `..._at_benign_below` and `..._at_malignant_from` use the thresholds below.

{_metrics(manifest.metrics)}

## Calibration and thresholds

`probability_malignant = sigmoid({manifest.calibration.scale:.4f} · malignancy_logit \
{manifest.calibration.offset:+.4f})` ({manifest.calibration.method}), fitted on the calibration
part. It holds where malignant lesions are as common as there; where they are rarer, it says too
much.

| probability | result |
| --- | --- |
| below {point.benign_below:.4f} | `benign` |
| from {point.benign_below:.4f} to {point.malignant_from:.4f} | `uncertain` |
| from {point.malignant_from:.4f} | `malignant` |

A picture is refused (`retake`) with a mean brightness below \
{manifest.quality.darkest_brightness:g}, more than {manifest.quality.brightest_saturated_share:g}
of its pixels saturated, a contrast below {manifest.quality.lowest_contrast:g} or a sharpness
below {manifest.quality.lowest_sharpness:g}.

## Known failures

- Malignant lesions are missed: one minus `sensitivity_at_benign_below` of them are called
  `benign`, melanomas as `melanoma_sensitivity_at_benign_below` says.
- It was not measured on dark skin, on children, on other clinics or on other cameras; expect it
  to be worse there.
- Rare diagnoses rest on few pictures, and their figures are loose.
- Squamous cell carcinoma is not among the diagnoses, and melanomas without pigment
  are rare in the pictures.
- No test for lesions unlike all training pictures is made.

## How it was made

Recipe `{training.recipe}`, seed {training.seed}, source `{manifest.commit}`.

```
python -m training audit DATA --duplicates PAIRS.csv --out AUDIT
python -m training train {training.recipe} --seed {training.seed} --data DATA --out RUN
python -m training evaluate --model RUN --data DATA --part test
python -m training export RUN --data DATA --out FOLDER/{file_name} \\
    --name {manifest.name} --version {manifest.version}
```
"""


def _labels(manifest: ModelManifest) -> str:
    rows = [
        f"| {code} | {_DIAGNOSES.get(code, code)} | "
        f"{'malignant' if code in manifest.malignant else 'benign'} |"
        for code in manifest.diagnoses
    ]
    return "\n".join(["| code | diagnosis | counted as |", "| --- | --- | --- |", *rows])


def _stages(manifest: ModelManifest) -> str:
    return "\n".join(
        f"{number}. {_stage(stage)}"
        for number, stage in enumerate(manifest.preprocess.stages, start=1)
    )


def _stage(stage: StageSpec) -> str:
    values = stage.model_dump(exclude={"stage", "enabled"})
    if not getattr(stage, "enabled", True):
        return f"`{stage.stage}`: off"
    return f"`{stage.stage}`: " + ", ".join(f"{name} {value:g}" for name, value in values.items())


def _metrics(metrics: dict[str, Metric]) -> str:
    rows = [
        f"| {name} | {metric.value:.3f} | {metric.low:.3f} to {metric.high:.3f} |"
        for name, metric in metrics.items()
    ]
    return "\n".join(["| figure | value | 95 % interval |", "| --- | --- | --- |", *rows])
