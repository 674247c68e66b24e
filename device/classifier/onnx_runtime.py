"""One ONNX Runtime model: loaded, held against its contract, warm."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from device.classifier.contract import Tensor, check_graph, read_contract
from device.core.errors import ModelError
from device.core.manifest import ModelManifest
from device.core.values import ModelIdentity, Pixels, Prediction
from device.decision.novelty import novelty
from device.decision.policy import probability_malignant, softmax
from device.drawing import draw_lesion

PROVIDERS = ("CPUExecutionProvider",)
_RUNTIME_ERRORS = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NotImplemented,
    state.RuntimeException,
)
_ERRORS_ONLY = 3
_NOVELTY_TOLERANCE = 0.01


class OnnxClassifier:
    """
    Fills the role ``Classifier``.

    Args:
        path: Model file; read once, so that the digest is that of what runs.
        threads: Threads for one inference; stated, because the runtime's own guess pins
            threads to cores that a container may not have.

    Raises:
        ModelError: The file is missing or no model, or its contract is missing, of another
            generation, or does not match the graph.

    Threads: one at a time.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(
                field="file",
                expected="a readable model file",
                found=f"{path} ({error.strerror})",
                remedy="check the setting model.path",
            ) from error
        try:
            self._session = onnxruntime.InferenceSession(
                content, sess_options=_options(threads), providers=list(PROVIDERS)
            )
        except _RUNTIME_ERRORS as error:
            raise ModelError(
                field="file",
                expected="an ONNX graph that this runtime can run",
                found=f"{path} ({str(error)[:200]})",
                remedy="export the model again, or update the device's software",
            ) from error
        self.manifest: ModelManifest = read_contract(
            self._session.get_modelmeta().custom_metadata_map
        )
        check_graph(
            self.manifest,
            _ends(self._session.get_inputs()),
            _ends(self._session.get_outputs()),
        )
        self.identity = ModelIdentity(
            name=self.manifest.name,
            version=self.manifest.version,
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def classify(self, image_HWC: Pixels) -> Prediction:
        """
        Run the network on one prepared picture.

        Args:
            image_HWC: uint8 ``[side, side, 3]``, from ``preprocess.model_input``.

        Raises:
            ValueError: Another dtype or shape.
            ModelError: An output is not finite; no answer may be made of it.
        """
        side = self.manifest.input.side_px
        if image_HWC.shape != (side, side, 3) or image_HWC.dtype != np.uint8:
            raise ValueError(
                f"classify: expected uint8 [{side}, {side}, 3], found {image_HWC.dtype} "
                f"{list(image_HWC.shape)}; prepare the picture with device.preprocess first"
            )
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(
                None, {self.manifest.input.name: np.ascontiguousarray(image_HWC)[None]}
            )
        except _RUNTIME_ERRORS as error:
            raise ModelError(
                field="graph",
                expected="a graph that runs",
                found=str(error)[:200],
                remedy="install the model again",
            ) from error
        malignancy_N1, diagnosis_NK, map_NHW, embedding_ND = outputs
        if not all(np.isfinite(output).all() for output in outputs):
            raise ModelError(
                field="outputs",
                expected="finite numbers",
                found="NaN or infinity",
                remedy="run `python -m device inspect`; if its self-test fails, install the "
                "model again",
            )
        return Prediction(
            malignancy_logit=float(malignancy_N1[0, 0]),
            diagnosis_logits_K=diagnosis_NK[0],
            activation_map_HW=map_NHW[0],
            embedding_D=embedding_ND[0],
        )

    def self_test(self) -> float:
        """
        Answer the contract's golden case, and compare.

        Returns:
            The largest difference of any probability, at most the contract's tolerance.

        Raises:
            ModelError: It is larger, or the novelty is off by more than a hundredth.
        """
        golden = self.manifest.golden
        side = self.manifest.input.side_px
        picture_HWC = draw_lesion(
            golden.seed, diagnosis=golden.diagnosis, height_px=side, width_px=side
        )
        prediction = self.classify(picture_HWC)
        found = [
            probability_malignant(prediction.malignancy_logit, self.manifest.calibration),
            *softmax(prediction.diagnosis_logits_K),
        ]
        expected = [golden.probability_malignant, *golden.diagnosis_probabilities]
        difference = float(np.abs(np.subtract(found, expected)).max())
        if not difference <= golden.tolerance:
            raise ModelError(
                field="golden",
                expected=f"the recorded probabilities within {golden.tolerance}",
                found=f"a difference of {difference:.6f}",
                remedy="the model or its runtime is damaged: install both again",
            )
        found_novelty = novelty(prediction.embedding_D, self.manifest.out_of_distribution)
        if not abs(found_novelty - golden.novelty) <= _NOVELTY_TOLERANCE * max(1.0, golden.novelty):
            raise ModelError(
                field="golden",
                expected=f"a novelty of {golden.novelty:.4f}",
                found=f"{found_novelty:.4f}",
                remedy="the model or its runtime is damaged: install both again",
            )
        return difference


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait cost twenty times the inference itself on a box that
    # answers a few times a minute.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The shape is fixed and small: the pattern saves nothing and costs 2 MB.
    options.enable_mem_pattern = False
    options.log_severity_level = _ERRORS_ONLY
    return options


def _ends(nodes: Sequence[Any]) -> list[Tensor]:
    return [
        Tensor(
            name=node.name,
            dtype=node.type,
            shape=tuple(size if isinstance(size, int) else None for size in node.shape),
        )
        for node in nodes
    ]
