"""
The model contract: everything the device must know about a model, stored in the model file.

It travels as one JSON document under :data:`METADATA_KEY` in the ONNX file's
``metadata_props``.  Nothing here has a silent default that the model depends on: a contract
that leaves a field out is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

METADATA_KEY = "edgederm"
SCHEMA_VERSION = 1
COMPATIBLE = "edgederm-contract-1"
Diagnosis = Literal["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
DIAGNOSES: tuple[Diagnosis, ...] = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
MALIGNANT_DIAGNOSES: tuple[Diagnosis, ...] = ("MEL", "BCC", "AKIEC")
DIAGNOSIS_NAMES: Mapping[str, str] = {
    "MEL": "melanoma",
    "NV": "melanocytic naevus",
    "BCC": "basal cell carcinoma",
    "AKIEC": "actinic keratosis or intraepithelial carcinoma",
    "BKL": "benign keratosis",
    "DF": "dermatofibroma",
    "VASC": "vascular lesion",
}
"""For people; a code of a later software may be missing."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class Record(BaseModel):
    """Frozen, complete, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FieldOfView(Record):
    """Square crop that also cuts away a dark round vignette; see ``preprocess.field_of_view``."""

    stage: Literal["field_of_view"] = "field_of_view"
    enabled: bool
    dark_share: Share
    """A pixel is dark below this share of the picture's median brightness."""
    smallest_side_share: Annotated[float, Field(gt=0.0, le=1.0)]
    """The crop never gets smaller than this share of the central square."""


class Resize(Record):
    """Area resize to the model's side; always on."""

    stage: Literal["resize"] = "resize"
    side_px: Annotated[int, Field(ge=32, le=512)]


class HairRemoval(Record):
    """Dark hair found by its shape and painted over; see ``preprocess.hair_removal``."""

    stage: Literal["hair_removal"] = "hair_removal"
    enabled: bool
    kernel_px: Annotated[int, Field(ge=3, le=63)]
    threshold_levels: Annotated[int, Field(ge=1, le=254)]
    shortest_px: Annotated[int, Field(ge=1, le=512)]
    """A mark that spans less is a dot or a piece of the lesion's network."""
    thickest_px: Annotated[float, Field(gt=0.0, le=32.0)]
    """Most area that a single hair may have for each pixel that it spans."""
    densest_share: Share
    """Most area that crossing hairs may have in the box around them."""
    inpaint_radius_px: Annotated[int, Field(ge=1, le=15)]


class Denoise(Record):
    """Bilateral filter; see ``preprocess.denoise``."""

    stage: Literal["denoise"] = "denoise"
    enabled: bool
    diameter_px: Annotated[int, Field(ge=3, le=15)]
    sigma_color_levels: Annotated[float, Field(gt=0.0, le=255.0)]
    sigma_space_px: Annotated[float, Field(gt=0.0, le=15.0)]


class ColorConstancy(Record):
    """Shades of gray; see ``preprocess.color_constancy``."""

    stage: Literal["color_constancy"] = "color_constancy"
    enabled: bool
    norm_order: Annotated[int, Field(ge=1, le=32)]


class LocalContrast(Record):
    """CLAHE on the lightness of Lab; see ``preprocess.local_contrast``."""

    stage: Literal["local_contrast"] = "local_contrast"
    enabled: bool
    clip_limit: Annotated[float, Field(gt=0.0, le=40.0)]
    tiles: Annotated[int, Field(ge=1, le=16)]
    """Tiles along each side."""


StageSpec = Annotated[
    FieldOfView | Resize | HairRemoval | Denoise | ColorConstancy | LocalContrast,
    Field(discriminator="stage"),
]


class PreprocessSpec(Record):
    """
    The stages in the order in which they run, with all their parameters.

    *version* changes when the same parameters would give other pixels: 1 shrinks a large picture
    to the working copy by one area resize, 2 by halving it.
    """

    version: Literal[1, 2]
    stages: tuple[StageSpec, ...]

    @model_validator(mode="after")
    def _one_of_each(self) -> PreprocessSpec:
        names = [stage.stage for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError(f"expected each stage at most once, found {names}")
        if names[:1] == ["field_of_view"]:
            names = names[1:]
        if names[:1] != ["resize"]:
            # After the resize every stage costs the same, whatever the camera's resolution is.
            raise ValueError("expected field_of_view (if at all) and then resize before all others")
        return self

    @property
    def side_px(self) -> int:
        """Side of the model's square input."""
        return next(stage.side_px for stage in self.stages if isinstance(stage, Resize))

    def with_every_stage(self) -> PreprocessSpec:
        """Return the same with every stage switched on."""
        stages = tuple(
            stage if isinstance(stage, Resize) else stage.model_copy(update={"enabled": True})
            for stage in self.stages
        )
        return self.model_copy(update={"stages": stages})


class InputSpec(Record):
    """The graph's input; normalisation is part of the graph."""

    name: Literal["image"]
    dtype: Literal["uint8"]
    layout: Literal["NHWC"]
    color: Literal["RGB"]
    side_px: int


class Calibration(Record):
    """``probability_malignant = sigmoid(scale * malignancy_logit + offset)``."""

    method: Literal["none", "temperature", "platt"]
    scale: Annotated[float, Field(ge=0.01, le=100.0)]
    offset: Annotated[float, Field(ge=-100.0, le=100.0)]

    @model_validator(mode="after")
    def _says_what_it_does(self) -> Calibration:
        if self.method == "none" and self.scale != 1.0:
            raise ValueError(f"method none: expected scale 1, found {self.scale}")
        if self.method != "platt" and self.offset != 0.0:
            raise ValueError(f"method {self.method}: expected offset 0, found {self.offset}")
        return self


class OperatingPoint(Record):
    """Below the first threshold benign, from the second on malignant, between them uncertain."""

    benign_below: Share
    malignant_from: Share

    @model_validator(mode="after")
    def _ordered(self) -> OperatingPoint:
        if self.benign_below > self.malignant_from:
            raise ValueError(
                f"expected benign_below <= malignant_from, found {self.benign_below} > "
                f"{self.malignant_from}"
            )
        return self


class Guarantee(Record):
    """
    What the benign threshold promises about malignant lesions, whatever their distribution.

    It holds for lesions like those of the calibration part, drawn as independently as those
    were.  A lesion counts as missed if even one of its pictures is called benign.
    """

    method: Literal["order_statistic"]
    """The threshold is one of the lesions' own scores, its rank fixed beforehand; see
    ``training.evaluate.guarantee``."""
    miss_rate: Share
    """At most this share of malignant lesions is called benign."""
    confidence: Share
    """Probability, over the choice of the calibration lesions, that this is so."""
    lesions: Annotated[int, Field(ge=1)]
    """Malignant lesions that it rests on."""
    missed: Annotated[int, Field(ge=0)]
    """Those of them that the threshold misses."""

    @model_validator(mode="after")
    def _possible(self) -> Guarantee:
        if self.missed >= self.lesions:
            raise ValueError(
                f"expected fewer missed lesions than lesions, found {self.missed} of {self.lesions}"
            )
        return self

    @property
    def in_words(self) -> str:
        """One sentence for people."""
        return (
            f"Of malignant lesions like those of the calibration part, at most "
            f"{self.miss_rate:.1%} are called benign on any of their pictures, with a confidence "
            f"of {self.confidence:.1%} ({self.missed} of its {self.lesions} malignant lesions are)."
        )


class OutOfDistribution(Record):
    """
    How far from the training pictures an embedding may lie; see ``decision.novelty``.

    Unit embeddings of the training pictures are described by a mean, a few factors that move
    several entries together, and the noise of each entry.  Arrays are base64 of little-endian
    numbers.  Legend: ``F`` factors, ``D`` embedding.
    """

    method: Literal["factor_analysis"]
    limit: Annotated[float, Field(gt=0.0)]
    """Distance from which on a picture is not like them; typical ones lie near 1."""
    factors: Annotated[int, Field(ge=1, le=128)]
    mean: str
    """fp32 ``[D]``."""
    noise: str
    """fp32 ``[D]``, variance, above 0."""
    loadings: str
    """int8 ``[F, D]``."""
    scales: str
    """fp32 ``[F]``; each row of the loadings times its scale."""

    @model_validator(mode="after")
    def _fits(self) -> OutOfDistribution:
        size = self.mean_D.size
        for name, found, expected in (
            ("noise", self.noise_D.size, size),
            ("scales", _numbers(self.scales, "<f4").size, self.factors),
            ("loadings", _numbers(self.loadings, "<i1").size, self.factors * size),
        ):
            if found != expected:
                raise ValueError(f"{name}: expected {expected} numbers, found {found}")
        arrays = (self.mean_D, self.noise_D, self.loadings_FD)
        if not all(np.isfinite(array).all() for array in arrays) or not (self.noise_D > 0).all():
            raise ValueError("expected finite numbers, and noise above 0")
        return self

    @property
    def mean_D(self) -> NDArray[np.float64]:  # noqa: N802 - the suffix names the axis
        """Mean of the unit embeddings, float64 ``[D]``."""
        return _numbers(self.mean, "<f4")

    @property
    def noise_D(self) -> NDArray[np.float64]:  # noqa: N802 - the suffix names the axis
        """Variance that the factors leave unexplained, float64 ``[D]``."""
        return _numbers(self.noise, "<f4")

    @property
    def loadings_FD(self) -> NDArray[np.float64]:  # noqa: N802 - the suffix names the axes
        """What one standard deviation of each factor adds, float64 ``[F, D]``."""
        rows_FD = _numbers(self.loadings, "<i1").reshape(self.factors, -1)
        return rows_FD * _numbers(self.scales, "<f4")[:, None]


def _numbers(text: str, dtype: str) -> NDArray[np.float64]:
    """Decode base64 to float64; raises ValueError for anything else."""
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype).astype(np.float64)
    except ValueError as error:  # Not base64, or not a whole number of numbers.
        raise ValueError(
            f"expected base64 of {np.dtype(dtype).name}, found {text[:20]!r} ({error})"
        ) from error


class QualityLimits(Record):
    """Where the gate asks for another picture; measured, see the model card."""

    darkest_brightness: Share
    brightest_saturated_share: Share
    lowest_contrast: Share
    lowest_sharpness: Annotated[float, Field(ge=0.0)]


class GoldenCase(Record):
    """
    A drawn picture and what the model must say about it.

    The picture is ``device.drawing.draw_lesion(seed)`` at the model's side and goes into the
    graph as it is, so that the case proves the model and the runtime, not the stages.
    """

    seed: Annotated[int, Field(ge=0)]
    diagnosis: Diagnosis
    probability_malignant: Share
    diagnosis_probabilities: tuple[float, ...]
    tolerance: Annotated[float, Field(gt=0.0, le=0.01)]
    """Of the probabilities."""
    novelty: Annotated[float, Field(ge=0.0)]
    """Within a hundredth: it amplifies what probabilities do not show."""


class TrainingRecord(Record):
    """What the model has seen."""

    recipe: str
    seed: int
    datasets: tuple[str, ...]
    fingerprint: str
    """SHA-256 over the sorted names and content digests of all pictures of the set of record."""
    extra_fingerprint: str | None
    """The same over the pictures of further sets that it was trained on."""
    split: str
    """How the pictures were parted, in words."""
    split_sha256: str
    images: dict[str, int]
    """Number of pictures in each part."""


class Metric(Record):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class ModelManifest(Record):
    """The whole contract of one model file."""

    schema_version: Literal[1]
    compatible: Literal["edgederm-contract-1"]
    name: Name
    version: Name
    intended_use: str
    input: InputSpec
    preprocess: PreprocessSpec
    diagnoses: tuple[Diagnosis, ...]
    malignant: tuple[Diagnosis, ...]
    combination: str
    """How ``malignancy_logit`` is made from the two heads."""
    calibration: Calibration
    operating_point: OperatingPoint
    guarantee: Guarantee
    uncertain_share: Share
    """Of the calibration pictures: those between the two thresholds."""
    out_of_distribution: OutOfDistribution
    quality: QualityLimits
    golden: GoldenCase
    training: TrainingRecord
    metrics: dict[str, Metric]
    """Measured once on the test part."""
    parameters: Annotated[int, Field(ge=1)]
    """Floating-point elements of the graph's initializers, counted when the file was made."""
    macs: Annotated[int, Field(ge=1)]
    """Multiply-adds of all convolutions and matrix products for one picture."""
    license: str
    commit: str
    """Commit of the source that trained it; ends in ``-dirty`` if that was not the whole truth."""

    @model_validator(mode="after")
    def _consistent(self) -> ModelManifest:
        if len(set(self.diagnoses)) != len(self.diagnoses):
            raise ValueError(f"diagnoses: expected each code once, found {self.diagnoses}")
        expected = sorted(set(MALIGNANT_DIAGNOSES) & set(self.diagnoses))
        if sorted(self.malignant) != expected:
            raise ValueError(f"malignant: expected {expected}, found {sorted(self.malignant)}")
        if self.input.side_px != self.preprocess.side_px:
            raise ValueError(
                f"input.side_px is {self.input.side_px}, but the resize stage gives "
                f"{self.preprocess.side_px}"
            )
        if len(self.golden.diagnosis_probabilities) != len(self.diagnoses):
            raise ValueError(
                f"golden: expected {len(self.diagnoses)} probabilities, found "
                f"{len(self.golden.diagnosis_probabilities)}"
            )
        return self
