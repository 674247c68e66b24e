"""One ONNX Runtime model: loaded, held against its contract, warm."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device.classifier.contract import Tensor, check_graph, read_contract
from device.classifier.providers import (
    CHOICES,
    RUNTIME_ERRORS,
    MakeSession,
    Provider,
    make_session,
    proven_session,
)
from device.core.errors import ModelError
from device.core.manifest import GoldenCase, ModelManifest
from device.core.values import ModelIdentity, Pixels, Prediction
from device.decision.novelty import novelty
from device.decision.policy import probability_malignant, softmax
from device.drawing import draw_lesion

_NOVELTY_TOLERANCE = 0.01
_log = logging.getLogger(__name__)


class OnnxClassifier:
    """
    Fills the role ``Classifier``.

    Args:
        path: Model file; read once, so that the digest is that of what runs.
        content: What to take in place of the file, which then is a name for people.
        threads: Threads for one inference; stated, because the runtime's own guess pins
            threads to cores that a container may not have.
        provider: What computes; another than ``cpu`` is proved first.
        falls_back: Whether the CPU takes over from a provider that fails its proof.
        make: Loads a model; see ``providers``.

    Attributes:
        provider: What computes now.

    Raises:
        ModelError: The file is missing or no model, or its contract is missing, of another
            generation, or does not match the graph; or the provider failed its proof and the CPU
            may not take over.

    Threads: one at a time.
    """

    def __init__(
        self,
        path: Path,
        *,
        content: bytes | None = None,
        threads: int = 1,
        provider: Provider = "cpu",
        falls_back: bool = True,
        make: MakeSession = make_session,
    ) -> None:
        try:
            content = path.read_bytes() if content is None else content
        except OSError as error:
            raise ModelError(
                field="file",
                expected="a readable model file",
                found=f"{path} ({error.strerror})",
                remedy="check the setting model.path",
            ) from error
        try:
            self._session = make(content, CHOICES["cpu"], threads)
        except RUNTIME_ERRORS as error:
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
        self.provider: str = "cpu"
        if provider != "cpu":
            try:
                self._session = proven_session(
                    content,
                    self._session,
                    self.manifest,
                    provider=provider,
                    threads=threads,
                    make=make,
                )
                self.provider = provider
            except ModelError as error:
                if not falls_back:
                    raise
                _log.error("event=model.provider_refused provider=%s detail=%r", provider, error)
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
            outputs = self._session.run(
                None, {self.manifest.input.name: np.ascontiguousarray(image_HWC)[None]}
            )
        except RUNTIME_ERRORS as error:
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
        return self.check_case(self.manifest.golden)

    def check_case(self, golden: GoldenCase) -> float:
        """Answer *golden* in place of the contract's own case; as :meth:`self_test`."""
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


def _ends(nodes: Sequence[Any]) -> list[Tensor]:
    return [
        Tensor(
            name=node.name,
            dtype=node.type,
            shape=tuple(size if isinstance(size, int) else None for size in node.shape),
        )
        for node in nodes
    ]
