"""
An accelerator is used when it has answered as the CPU does, and only then.

No accelerator is at hand, so a session on the CPU says that it is one.  What it answers is
computed, and the comparison is the one that ships.
"""

import numpy as np
import onnxruntime
import pytest

from device.classifier import OnnxClassifier
from device.classifier.providers import CHOICES, CPU, PROBES, make_session
from device.core.errors import ModelError
from device.drawing import draw_lesion
from device.settings import SHIPPED_MODEL

pytestmark = pytest.mark.portable

NAMES = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


class Accelerator:
    """The CPU under another name; *wrong* is added to the malignancy logit."""

    def __init__(self, session, name, wrong):
        self._session, self._name, self._wrong = session, name, wrong
        self.runs = 0

    def run(self, names, feed):
        self.runs += 1
        first, *others = self._session.run(names, feed)
        return [first + np.float32(self._wrong), *others]

    def get_providers(self):
        return [self._name, CPU]

    def __getattr__(self, name):
        return getattr(self._session, name)


class Runtime:
    """Loads models; has the accelerators that it is told to have."""

    def __init__(self, *accelerators, wrong=0.0, error=None):
        self.accelerators, self.wrong, self.error = accelerators, wrong, error
        self.made = []

    def __call__(self, content, choices, threads):
        session = make_session(content, [CPU], threads)
        wanted = choices[0] if isinstance(choices[0], str) else choices[0][0]
        if wanted != CPU and self.error is not None:
            raise self.error
        if wanted in self.accelerators:
            session = Accelerator(session, wanted, self.wrong)
        self.made.append((wanted, session))
        return session


def load(provider, runtime, *, falls_back=False):
    return OnnxClassifier(SHIPPED_MODEL, provider=provider, falls_back=falls_back, make=runtime)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_one_that_answers_as_the_cpu_does_is_used(provider):
    runtime = Runtime(*NAMES.values())
    classifier = load(provider, runtime)
    assert classifier.provider == provider
    accelerator = runtime.made[-1][1]
    assert accelerator.runs == 1 + PROBES
    classifier.self_test()
    assert accelerator.runs == 2 + PROBES


@pytest.mark.parametrize("wrong", [0.01, -0.3, float("nan")])
def test_one_that_answers_otherwise_is_refused(wrong):
    with pytest.raises(ModelError, match=r"provider cuda.*expected the CPU's probabilities within"):
        load("cuda", Runtime(NAMES["cuda"], wrong=wrong))


def test_rounding_is_no_other_answer():
    assert load("cuda", Runtime(NAMES["cuda"], wrong=1e-5)).provider == "cuda"


def test_a_runtime_that_quietly_takes_the_cpu_is_found_out():
    """As ONNX Runtime does when the accelerator's library is missing."""
    with pytest.raises(
        ModelError, match=r"expected a runtime with CUDAExecutionProvider, found CPU"
    ):
        load("cuda", Runtime())


def test_one_that_does_not_start_is_refused():
    error = onnxruntime.capi.onnxruntime_pybind11_state.EPFail("no device")
    with pytest.raises(ModelError, match=r"expected a provider that starts, found .*no device"):
        load("cuda", Runtime(error=error))


@pytest.mark.parametrize(
    "runtime", [Runtime(), Runtime(NAMES["cuda"], wrong=0.5), Runtime(error=ValueError("unknown"))]
)
def test_where_it_may_the_cpu_takes_over_and_the_log_says_why(runtime, caplog):
    classifier = load("cuda", runtime, falls_back=True)
    assert classifier.provider == "cpu"
    assert "event=model.provider_refused provider=cuda" in caplog.text
    expected = OnnxClassifier(SHIPPED_MODEL)
    picture = draw_lesion(3, height_px=128, width_px=128)
    assert (
        classifier.classify(picture).malignancy_logit == expected.classify(picture).malignancy_logit
    )


def test_this_runtime_has_the_cpu_alone_and_says_so():
    """No seam: the real runtime is asked for an accelerator that it does not have."""
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this runtime has CUDA")
    with pytest.raises(ModelError, match="found CPUExecutionProvider"):
        OnnxClassifier(SHIPPED_MODEL, provider="cuda", falls_back=False)


def test_whatever_is_chosen_the_cpu_stands_behind_it():
    assert all(choices[-1] == CPU for choices in CHOICES.values())
