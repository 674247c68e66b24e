"""The model card: what a person must know before using the file, with the file's own figures."""

from __future__ import annotations

from pathlib import Path

from device.classifier import OnnxClassifier
from device.core.manifest import DIAGNOSIS_NAMES, Metric, ModelManifest, StageSpec
from training.evaluate.disturbances import LEVELS
from training.evaluate.guarantee import SENSITIVITY, held_against
from training.evaluate.probes import CLEAN, LESION_HIDDEN, MASK_SIZE, MIDDLE_HIDDEN
from training.evaluate.tables import limits
from training.export.errors import ExportError
from training.export.failures import SUBGROUP
from training.export.shown import Shown, read_shown

CARD_NAME = "README.md"
_MARK = "This page is written from the contract inside the file"
_CHECKLIST = (
    ("Data: image types, devices, artefacts", ("docs/data.md",)),
    ("Data: processing before use", ("docs/stages.md", "device/preprocess/pipeline.py")),
    ("Data: origin, patients, skin tones, body sites", ("docs/data.md",)),
    ("Data: labels, how they were confirmed", ("docs/data.md",)),
    ("Data: parts, leaks, test data apart", ("docs/data.md", "training/data/splits.py")),
    ("Technique: model, training, code", ("training/models", "training/recipes")),
    ("Technique: the file and its contract", ("device/core/manifest.py", "training/export")),
    ("Assessment: metrics, intervals, thresholds", ("docs/evaluation.md",)),
    ("Assessment: comparison, ablation", ("docs/evaluation.md", "docs/ablation.md")),
    ("Assessment: subgroups, skin tones", ("docs/evaluation.md",)),
    ("Assessment: disturbed pictures", ("docs/evaluation.md",)),
    ("Assessment: pictures of something else", ("docs/out-of-distribution.md",)),
    ("Assessment: calibration, uncertainty", ("training/evaluate/calibration.py",)),
    ("Assessment: promise on missed lesions", ("training/evaluate/guarantee.py",)),
    ("Application: intended use, users, setting", ("README.md",)),
    ("Application: how an answer is shown", ("docs/rest.md", "docs/panel.md")),
    ("Application: cost and speed", ("docs/performance.md",)),
    ("Availability: code and its licence", ("LICENSE",)),
)
"""Items, and where in the repository each is answered beyond the card itself."""
_ABOUT_DATA = {
    "ham10000": (
        "HAM10000 (Tschandl, Rosendahl & Kittler, Scientific Data 5, 180161, 2018) comes from two "
        "clinics, in Austria and Australia. Nearly all of its skin is light, its lesions are "
        "centred, and melanomas were sought out, so that malignant lesions are far more common "
        "in it than in any practice. Benign pictures were in part confirmed by follow-up or "
        "consensus, not by histology."
    ),
}
_ABOUT_TEST = {
    "ham10000": (
        "No epoch, seed or threshold was chosen on the test part. But which teachers the recipes "
        "gave up was decided with its figures in view too, so these may be optimistic "
        "([docs/training.md](../../docs/training.md))."
    ),
}
"""What must be said of the test part of a set on which the recipes were found."""
_WORST = (("white balance", 3), ("noise", 2))
"""Disturbances and levels, none of them extreme, under which malignant pictures are lost."""
_TEACHERS = (
    " `--teacher TEACHER` stands once for each of its teachers, which "
    "[docs/training.md](../../docs/training.md) names."
)
"""Behind the command of a student that was taught: the contract does not name them."""


def write_card(model: Path, *, taught: bool, report: Path | None = None) -> Path:
    """
    Write the card of *model* beside it.

    Every figure comes from the file (its contract, its size and its digest) or from its report.

    Args:
        model: ONNX file with its contract.
        taught: Whether it had teachers, which the contract does not say.
        report: Folder of its report on the test part; without it the card only points to what
            the contract does not hold.

    Raises:
        ModelError: The file is no model that the device accepts.
        ExportError: Another README lies there, or the report is not of this file.
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
            taught=taught,
            shown=None if report is None else read_shown(report, loaded.manifest),
        )
    )
    return path


def card(
    manifest: ModelManifest,
    *,
    file_name: str,
    sha256: str,
    size_bytes: int,
    taught: bool = False,
    shown: Shown | None = None,
) -> str:
    """Return the card as Markdown."""
    training, point = manifest.training, manifest.operating_point
    about = " ".join(_ABOUT_DATA[name] for name in training.datasets if name in _ABOUT_DATA)
    chosen = "".join(
        f"{_ABOUT_TEST[name]}\n\n" for name in training.datasets if name in _ABOUT_TEST
    )
    parts = ", ".join(f"{count:,} {part}" for part, count in training.images.items())
    return f"""# {manifest.name} {manifest.version}

`{file_name}`: {size_bytes:,} bytes, {manifest.parameters:,} parameters, \
{manifest.macs / 1e6:.1f} million multiply-adds for one picture of \
{manifest.input.side_px}×{manifest.input.side_px} px.

SHA-256 `{sha256}`

{_MARK} (`python -m device inspect {file_name}`)\
{"" if shown is None else " and from its report on the test part"}.

## Use

{manifest.intended_use}

It knows the diagnoses below and nothing else: healthy skin, other diseases, nails, mucosa and
pictures without a dermatoscope may get an answer too, and it means nothing. A `benign` is no
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

{chosen}{_metrics(manifest.metrics)}

Names that begin with `refused` are shares of pictures that are answered `retake`, over all real
test pictures or those of one diagnosis; {_strangers(manifest)}

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

{manifest.guarantee.in_words} The first threshold stands at the score of one malignant lesion of
the calibration part, its rank chosen for {SENSITIVITY:.0%} of them before any score was seen, so
the promise needs no assumption on the network; it holds for lesions drawn as those were, and for
nothing else. {_held_against(manifest, shown)}

{manifest.uncertain_share:.1%} of the calibration pictures lie between the two thresholds.

A picture is refused (`retake`) with a mean brightness below \
{manifest.quality.darkest_brightness:g}, more than {manifest.quality.brightest_saturated_share:g}
of its pixels saturated, a contrast below {manifest.quality.lowest_contrast:g} or a sharpness
below {manifest.quality.lowest_sharpness:g}; and if it is too unlike the training pictures to the
network itself (novelty above 1; [how](../../docs/out-of-distribution.md)).

## Known failures

- Malignant lesions are missed: one minus `sensitivity_at_benign_below` of them are called
  `benign`, melanomas as `melanoma_sensitivity_at_benign_below` says.
- It was not measured on dark skin, on children, on other clinics or on other cameras; expect it
  to be worse there.
- Rare diagnoses rest on few pictures, and their figures are loose.
- Squamous cell carcinoma is not among the diagnoses, and melanomas without pigment
  are rare in the pictures.
- What is no lesion is not always refused: see the figures that begin with `refused`. Healthy skin
  under the dermatoscope was drawn only, never photographed.
{_probed(shown)}\
- Pictures that came another way from camera to file are refused more often than those it knows
  ([by how much](../../docs/out-of-distribution.md)).
{_weak_groups(manifest.metrics)}
## What the checklists ask for

The items of CLEAR Derm (Daneshjou et al., JAMA Dermatology 2022) and of a model card (Mitchell et
al., FAT* 2019), and where each is answered, beside what is said above.

{_checklist()}

## How it was made

Recipe `{training.recipe}`, seed {training.seed}, source `{manifest.commit}`.\
{_TEACHERS if taught else ""}

```
{_commands(manifest, file_name, taught=taught, shown=shown)}
```
"""


def _held_against(manifest: ModelManifest, shown: Shown | None) -> str:
    """Hold the promise against what the test part shows, or say where that stands."""
    if shown is None:
        return "What the test part shows of it: [docs/evaluation.md](../../docs/evaluation.md)."
    return (
        f"On the test part {shown.missed} of {shown.lesions} malignant lesions "
        f"({shown.missed / shown.lesions:.1%}) have a picture that is called `benign`. "
        f"{held_against(shown.missed, shown.lesions, manifest.guarantee)}"
    )


def _probed(shown: Shown | None) -> str:
    """List what hidden lesions and disturbances do to the answers, or say where that stands."""
    if shown is None or not shown.masked or not shown.called_benign:
        return """- How much it goes by what surrounds a lesion, and how many malignant pictures are
  called `benign` under other light or noise, was measured for the model of this repository
  ([what came of it](../../docs/evaluation.md)).
"""
    hidden = shown.masked
    benign = shown.called_benign
    disturbed = " and ".join(
        f"{benign[name, level].value:.1%} under {name} at level {level} of {len(LEVELS)} "
        f"({limits(benign[name, level], '.1%')})"
        for name, level in _WORST
    )
    return f"""- It goes by more than the lesion. Painted over, the lesion still leaves an AUROC of
  {_figure(hidden[LESION_HIDDEN])}, and the same disc in the middle of every picture one of
  {_figure(hidden[MIDDLE_HIDDEN])}; the size of what was hidden alone gives
  {_figure(hidden[MASK_SIZE])}. The rest comes from the skin around it, from light and
  equipment, or from the outline ([more](../../docs/evaluation.md)).
- Disturbances hide malignant pictures. As they are {benign[CLEAN, 0].value:.1%} of these are called
  `benign`; {disturbed} ([all levels](../../docs/evaluation.md)).
"""


def _figure(metric: Metric) -> str:
    return f"{metric.value:.3f} ({limits(metric, '.3f')})"


def _commands(manifest: ModelManifest, file_name: str, *, taught: bool, shown: Shown | None) -> str:
    training = manifest.training
    also = " --also EXTRA" if training.extra_fingerprint else ""
    pictures = f"--data DATA{also} --split AUDIT/split.csv"
    photographs = " --photographs PHOTOGRAPHS" if _knows_strangers(manifest) else ""
    teacher = " --teacher TEACHER" if taught else ""
    model = f"--model FOLDER/{file_name}"
    reported = (
        ""
        if shown is None
        else f"""
python -m training evaluate {model} --data DATA --split AUDIT/split.csv --part test \\
    --probes --out REPORT
python -m training card {model} --report REPORT"""
    )
    return f"""python -m training audit DATA{also} --duplicates PAIRS.csv --out AUDIT
python -m training train {training.recipe} --seed {training.seed} {pictures}{teacher} --out RUN
python -m training evaluate --model RUN --data DATA --split AUDIT/split.csv --part test
python -m training export RUN {pictures} --out FOLDER/{file_name} \\
    --name {manifest.name} --version {manifest.version}{photographs}{reported}"""


def _strangers(manifest: ModelManifest) -> str:
    """Say what the figures on pictures without a lesion mean, if there are any."""
    if not _knows_strangers(manifest):
        return "pictures without a lesion were not shown to it."
    return (
        "the other ones are of natural photographs, drawn scenes, drawn skin without a lesion and "
        "broken frames, and `novelty_auroc_...` tells how well the novelty parts these from the "
        "test pictures ([docs/out-of-distribution.md](../../docs/out-of-distribution.md))."
    )


def _knows_strangers(manifest: ModelManifest) -> bool:
    return any(name.startswith("novelty_auroc_") for name in manifest.metrics)


def _weak_groups(metrics: dict[str, Metric]) -> str:
    return "".join(
        f"- Group of test lesions with a low AUROC: {name.removeprefix(SUBGROUP)}, "
        f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}).\n"
        for name, metric in metrics.items()
        if name.startswith(SUBGROUP)
    )


def _checklist() -> str:
    rows = [
        f"| {item} | {', '.join(f'[{place}](../../{place})' for place in places)} |"
        for item, places in _CHECKLIST
    ]
    return "\n".join(["| item | beyond this card |", "| --- | --- |", *rows])


def _labels(manifest: ModelManifest) -> str:
    rows = [
        f"| {code} | {DIAGNOSIS_NAMES.get(code, code)} | "
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
        # As the contract has them: to round once more would print other figures than a report.
        f"| {name} | {metric.value:.4f} | {limits(metric, '.4f')} |"
        for name, metric in metrics.items()
    ]
    return "\n".join(["| figure | value | 95 % interval |", "| --- | --- | --- |", *rows])
