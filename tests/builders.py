"""Small valid values for tests; each takes what the test is about and fills in the rest."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from device.core.manifest import (
    COMPATIBLE,
    DIAGNOSES,
    MALIGNANT_DIAGNOSES,
    METADATA_KEY,
    Calibration,
    ColorConstancy,
    Denoise,
    FieldOfView,
    GoldenCase,
    Guarantee,
    HairRemoval,
    InputSpec,
    LocalContrast,
    ModelManifest,
    OperatingPoint,
    OutOfDistribution,
    PreprocessSpec,
    QualityLimits,
    Resize,
    TrainingRecord,
)
from device.core.ports import HistoryUse
from device.core.values import (
    Answer,
    Capture,
    Decision,
    ModelIdentity,
    Pixels,
    Prediction,
    QualityReport,
    Reason,
    Result,
)
from device.drawing import draw_lesion
from device.history import Archive
from device.service.queue_thread import QueueThread

SIDE_PX = 64
EMBEDDING_D = 4
"""Entries of an embedding here."""


def a_spec(side_px: int = SIDE_PX, *, enabled: bool = True) -> PreprocessSpec:
    """All six stages, all on or all off but the resize."""
    return PreprocessSpec(
        version=1,
        stages=(
            FieldOfView(enabled=enabled, dark_share=0.3, smallest_side_share=0.5),
            Resize(side_px=side_px),
            HairRemoval(
                enabled=enabled,
                kernel_px=7,
                threshold_levels=14,
                shortest_px=24,
                thickest_px=4.0,
                densest_share=0.15,
                inpaint_radius_px=2,
            ),
            Denoise(enabled=enabled, diameter_px=3, sigma_color_levels=12.0, sigma_space_px=1.5),
            ColorConstancy(enabled=enabled, norm_order=6),
            LocalContrast(enabled=enabled, clip_limit=1.0, tiles=4),
        ),
    )


def a_manifest(**changes: Any) -> ModelManifest:
    """A complete contract of a model that knows nothing."""
    fields: dict[str, Any] = {
        "schema_version": 1,
        "compatible": COMPATIBLE,
        "name": "test",
        "version": "0.0.1",
        "intended_use": "tests",
        "input": InputSpec(
            name="image", dtype="uint8", layout="NHWC", color="RGB", side_px=SIDE_PX
        ),
        "preprocess": a_spec(),
        "diagnoses": DIAGNOSES,
        "malignant": MALIGNANT_DIAGNOSES,
        "combination": "none",
        "calibration": Calibration(method="none", scale=1.0, offset=0.0),
        "operating_point": OperatingPoint(benign_below=0.3, malignant_from=0.7),
        "guarantee": Guarantee(
            method="order_statistic", miss_rate=0.1, confidence=0.95, lesions=100, missed=4
        ),
        "uncertain_share": 0.2,
        "out_of_distribution": an_out_of_distribution(),
        "quality": QualityLimits(
            darkest_brightness=0.15,
            brightest_saturated_share=0.3,
            lowest_contrast=0.012,
            lowest_sharpness=0.004,
        ),
        "golden": GoldenCase(
            seed=7,
            diagnosis="NV",
            probability_malignant=0.5,
            diagnosis_probabilities=(1 / 7,) * 7,
            tolerance=1e-4,
            novelty=0.0,
        ),
        "training": TrainingRecord(
            recipe="none",
            seed=0,
            datasets=("none",),
            fingerprint="0" * 64,
            extra_fingerprint=None,
            split="none",
            split_sha256="0" * 64,
            images={"train": 1},
        ),
        "metrics": {},
        "parameters": 1,
        "macs": 1,
        "license": "none",
        "commit": "unknown",
    }
    return ModelManifest(**{**fields, **changes})


def an_out_of_distribution(mean_D: Any = (0.0,) * EMBEDDING_D, **changes: Any) -> OutOfDistribution:
    """Unit noise and one factor that adds nothing, around *mean_D*."""
    mean_D = np.asarray(mean_D, dtype="<f4")
    fields: dict[str, Any] = {
        "method": "factor_analysis",
        "limit": 1.0,
        "factors": 1,
        "mean": in_base64(mean_D),
        "noise": in_base64(np.ones(mean_D.size, dtype="<f4")),
        "loadings": in_base64(np.zeros(mean_D.size, dtype="<i1")),
        "scales": in_base64(np.ones(1, dtype="<f4")),
    }
    return OutOfDistribution(**{**fields, **changes})


def in_base64(array: Any) -> str:
    """An array as the contract stores it."""
    return base64.b64encode(array.tobytes()).decode()


def a_picture(
    seed: int = 1, *, height_px: int = 150, width_px: int = 200, diagnosis: str = "NV"
) -> Pixels:
    """A drawn lesion, uint8 ``[H, W, 3]``."""
    return draw_lesion(seed, diagnosis=diagnosis, height_px=height_px, width_px=width_px)


def a_capture(pixels_HWC: Pixels | None = None, **changes: Any) -> Capture:
    """Pixels as a camera gives them, or whatever *changes* say."""
    fields: dict[str, Any] = {"source": "test", "captured_at": datetime.now(UTC)}
    if "encoded" not in changes:
        fields["pixels_HWC"] = a_picture() if pixels_HWC is None else pixels_HWC
    return Capture(**{**fields, **changes})


def a_prediction(malignancy_logit: float = 0.0, *, embedding_D: Any = None) -> Prediction:
    """All diagnoses alike; the embedding is nothing, if not given."""
    return Prediction(
        malignancy_logit=malignancy_logit,
        diagnosis_logits_K=np.zeros(7, dtype=np.float32),
        activation_map_HW=np.zeros((2, 2), dtype=np.float32),
        embedding_D=np.zeros(EMBEDDING_D, dtype=np.float32) if embedding_D is None else embedding_D,
    )


def a_quality(**changes: Any) -> QualityReport:
    """What the gate says of a usable picture."""
    fields: dict[str, Any] = {
        "brightness": 0.6,
        "saturated_share": 0.0,
        "contrast": 0.1,
        "sharpness": 0.02,
        "softness": 0.7,
        "line_share": 0.01,
        "glare_share": 0.0,
        "middle_contrast": 8.0,
        "outline_outside": 0.0,
    }
    return QualityReport(**(fields | changes))


def an_answer(**changes: Any) -> Answer:
    """An answer as ``examine`` gives it, or whatever *changes* say."""
    fields: dict[str, Any] = {
        "decision": Decision(
            result=Result.UNCERTAIN,
            probability_malignant=0.5,
            diagnoses=dict.fromkeys(DIAGNOSES, 1 / 7),
            reasons=(Reason(code="between_thresholds", text="between the two thresholds"),),
            novelty=0.6,
        ),
        "quality": a_quality(),
        "model": ModelIdentity(name="test", version="0.0.1", sha256="0" * 64),
        "source": "upload",
        "captured_at": datetime.now(UTC),
        "activation_map_HW": np.zeros((2, 2), dtype=np.float32),
        "stage_ns": {"inference": 1_000_000, "total": 2_000_000},
    }
    return Answer(**{**fields, **changes})


def a_history(folder: Path, **changes: Any) -> Archive:
    """A history in *folder* as the box has it, to be entered; it trusts its clock."""
    fields: dict[str, Any] = {
        "make_thread": QueueThread,
        "is_clock_trusted": lambda: True,
        "software_version": "0.1.0",
        "keep_days": 365,
        "keep_bytes": 2**30,
        "use": HistoryUse.BOX,
    }
    return Archive(folder, **{**fields, **changes})


class ScriptedClassifier:
    """Fills the role of a classifier: says what the test wants and keeps what it was shown."""

    def __init__(
        self, malignancy_logit: float = 0.0, *, manifest: ModelManifest | None = None
    ) -> None:
        self.manifest = manifest or a_manifest()
        self.identity = ModelIdentity(name="test", version="0.0.1", sha256="0" * 64)
        self.malignancy_logit = malignancy_logit
        self.error: Exception | None = None
        self.seen: list[Pixels] = []

    def classify(self, image_HWC: Pixels) -> Prediction:
        self.seen.append(image_HWC)
        if self.error is not None:
            raise self.error
        return a_prediction(self.malignancy_logit)

    def self_test(self) -> float:
        if self.error is not None:
            raise self.error
        return 0.0


def a_model_file(
    path: Path,
    *,
    manifest: ModelManifest | None = None,
    metadata: dict[str, str] | None = None,
    outputs: tuple[str, ...] = (
        "malignancy_logit",
        "diagnosis_logits",
        "activation_map",
        "embedding",
    ),
    input_type: str = "UINT8",
    side_px: int = SIDE_PX,
    value: float = 0.0,
    batch: int | str = "N",
) -> Path:
    """
    Write an ONNX file whose every output is *value*, with a contract.

    Args:
        path: Where to.
        manifest: The contract; that of :func:`a_manifest` if None.
        metadata: In place of the contract, as it is.
        outputs: Names, in order.
        input_type: Of the tensor ``image``.
        side_px: Of the input.
        value: What the network says.
        batch: First axis of input and outputs; a name leaves it free.
    """
    import onnx
    from onnx import TensorProto, helper

    shapes = {"malignancy_logit": (1,), "diagnosis_logits": (7,), "activation_map": (2, 2)}
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants = [helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])]
    ends = []
    for name in outputs:
        shape = shapes.get(name, (EMBEDDING_D,))
        axes = 1 + len(shape)
        constants.append(
            helper.make_tensor(f"{name}_shape", TensorProto.INT64, [axes], [-1, *[1] * len(shape)])
        )
        constants.append(
            helper.make_tensor(
                f"{name}_value", TensorProto.FLOAT, [1, *shape], [value] * int(np.prod(shape))
            )
        )
        nodes.append(helper.make_node("Reshape", ["nothing", f"{name}_shape"], [f"{name}_0"]))
        nodes.append(helper.make_node("Add", [f"{name}_0", f"{name}_value"], [name]))
        ends.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *shape]))
    graph = helper.make_graph(
        nodes,
        "test",
        [
            helper.make_tensor_value_info(
                "image", getattr(TensorProto, input_type), [batch, side_px, side_px, 3]
            )
        ],
        ends,
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    text = (manifest or a_manifest()).model_dump_json()
    helper.set_model_props(model, {METADATA_KEY: text} if metadata is None else metadata)
    onnx.save(model, path)
    return path
