"""
What computes: the CPU, or an accelerator that has proved that it answers as the CPU does.

ONNX Runtime takes the CPU without a word where an accelerator does not start, and an accelerator
may round in its own way.  So what a session says that it uses is read back, and its answers to
drawn pictures are compared with the CPU's before it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from device.core.errors import ModelError
from device.core.manifest import ModelManifest
from device.core.values import Pixels
from device.decision.policy import probability_malignant, softmax
from device.drawing import draw_lesion

Provider = Literal["cpu", "cuda", "tensorrt"]
Choice: TypeAlias = "str | tuple[str, Mapping[str, str]]"
"""A provider by its name in ONNX Runtime, with options if it has any."""

CPU = "CPUExecutionProvider"
CHOICES: Mapping[Provider, tuple[Choice, ...]] = {
    "cpu": (CPU,),
    # TF32 keeps ten bits of a number: more than the contract's tolerance is lost.
    "cuda": (("CUDAExecutionProvider", {"use_tf32": "0"}), CPU),
    "tensorrt": (
        ("TensorrtExecutionProvider", {"trt_fp16_enable": "0", "trt_int8_enable": "0"}),
        ("CUDAExecutionProvider", {"use_tf32": "0"}),
        CPU,
    ),
}
"""In the order in which the runtime takes them; what the first cannot do, the next one does."""
PROBES = 4
"""Drawn pictures whose answers are compared, the golden case besides."""
RUNTIME_ERRORS = (
    state.EPFail,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NotImplemented,
    state.RuntimeException,
)
_ERRORS_ONLY = 3

_log = logging.getLogger(__name__)


class Session(Protocol):
    """What we need of ``onnxruntime.InferenceSession``."""

    def run(self, output_names: None, feed: dict[str, Any]) -> Sequence[NDArray[np.float32]]:
        """Compute all outputs."""
        ...

    def get_providers(self) -> Sequence[str]:
        """Name what is used, the most wanted first."""
        ...

    def get_modelmeta(self) -> Any:
        """Return what the model file says of itself."""
        ...

    def get_inputs(self) -> Sequence[Any]:
        """Describe the inputs."""
        ...

    def get_outputs(self) -> Sequence[Any]:
        """Describe the outputs."""
        ...


MakeSession: TypeAlias = Callable[[bytes, Sequence[Choice], int], Session]
"""From a model file's content, providers and number of threads."""


def make_session(content: bytes, choices: Sequence[Choice], threads: int) -> Session:
    """Load a model into ONNX Runtime; raises one of :data:`RUNTIME_ERRORS`."""
    # Of what it does not have it would only warn.
    available = set(onnxruntime.get_available_providers())
    session: Session = onnxruntime.InferenceSession(
        content,
        sess_options=_options(threads),
        providers=[choice for choice in choices if _name(choice) in available],
    )
    return session


def proven_session(
    content: bytes,
    cpu: Session,
    manifest: ModelManifest,
    *,
    provider: Provider,
    threads: int,
    make: MakeSession = make_session,
) -> Session:
    """
    Return a session on *provider* that answers as *cpu* does.

    Args:
        content: Of the model file.
        cpu: The same model on the CPU.
        manifest: Its contract; the golden case's tolerance is how far answers may be apart.
        provider: Which accelerator.
        threads: For what the accelerator leaves to the CPU.
        make: Loads a model.

    Raises:
        ModelError: This runtime does not have it, it does not start, or its answers differ.
    """
    choices = CHOICES[provider]
    wanted = _name(choices[0])
    try:
        session = make(content, choices, threads)
    # The runtime raises ValueError for options that it does not know.
    except (*RUNTIME_ERRORS, ValueError) as error:
        raise _refused(provider, "a provider that starts", str(error)[:200]) from error
    found = list(session.get_providers())
    if not found or found[0] != wanted:
        raise _refused(provider, f"a runtime with {wanted}", ", ".join(found) or "none")
    difference = largest_difference(session, cpu, manifest)
    if not difference <= manifest.golden.tolerance:
        raise _refused(
            provider,
            f"the CPU's probabilities within {manifest.golden.tolerance:g}",
            f"a difference of {difference:.6f}",
        )
    _log.info("event=model.provider_proved provider=%s difference=%.2g", provider, difference)
    return session


def largest_difference(session: Session, cpu: Session, manifest: ModelManifest) -> float:
    """
    Let both answer drawn pictures; return by how much any probability differs at most.

    Raises:
        ModelError: One of them does not run.
    """
    return max(
        float(
            np.abs(
                _probabilities(session, manifest, picture_HWC)
                - _probabilities(cpu, manifest, picture_HWC)
            ).max()
        )
        for picture_HWC in _pictures(manifest)
    )


def _pictures(manifest: ModelManifest) -> list[Pixels]:
    golden, side = manifest.golden, manifest.input.side_px
    cases = [(golden.seed, golden.diagnosis)]
    cases += [(golden.seed + 1 + number, manifest.diagnoses[number]) for number in range(PROBES)]
    return [
        draw_lesion(seed, diagnosis=diagnosis, height_px=side, width_px=side)
        for seed, diagnosis in cases
    ]


def _probabilities(
    session: Session, manifest: ModelManifest, picture_HWC: Pixels
) -> NDArray[np.float64]:
    try:
        outputs = session.run(None, {manifest.input.name: picture_HWC[None]})
    except RUNTIME_ERRORS as error:
        raise ModelError(
            field="provider",
            expected="a provider that runs the graph",
            found=str(error)[:200],
            remedy="set model.provider to cpu",
        ) from error
    malignancy_N1, diagnosis_NK = outputs[0], outputs[1]
    malignant = probability_malignant(float(malignancy_N1[0, 0]), manifest.calibration)
    return np.array([malignant, *softmax(diagnosis_NK[0])])


def _refused(provider: Provider, expected: str, found: str) -> ModelError:
    return ModelError(
        field=f"provider {provider}",
        expected=expected,
        found=found,
        remedy="install the runtime that was built for this board, or set model.provider to cpu",
    )


def _name(choice: Choice) -> str:
    return choice if isinstance(choice, str) else choice[0]


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
