"""A model that is not what its contract says is refused, with field, expected, found, remedy."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from device.classifier import OnnxClassifier
from device.core.errors import ModelError
from device.core.manifest import METADATA_KEY
from tests.builders import SIDE_PX, a_manifest, a_model_file, an_out_of_distribution


def refused(path):
    with pytest.raises(ModelError) as caught:
        OnnxClassifier(path)
    text = str(caught.value)
    assert "expected" in text
    assert "found" in text
    assert caught.value.remedy in text
    return caught.value


def document(**changes):
    return {METADATA_KEY: json.dumps({**a_manifest().model_dump(mode="json"), **changes})}


def test_a_good_model_answers(tmp_path):
    classifier = OnnxClassifier(a_model_file(tmp_path / "m.onnx", value=0.25))
    prediction = classifier.classify(np.zeros((SIDE_PX, SIDE_PX, 3), dtype=np.uint8))
    assert prediction.malignancy_logit == 0.25
    assert prediction.diagnosis_logits_K.shape == (7,)
    assert prediction.activation_map_HW.shape == (2, 2)
    assert len(classifier.identity.sha256) == 64


def test_the_golden_case_passes_and_fails(tmp_path):
    good = OnnxClassifier(a_model_file(tmp_path / "good.onnx", value=0.0))
    assert good.self_test() < 1e-6
    bad = OnnxClassifier(a_model_file(tmp_path / "bad.onnx", value=0.1))
    with pytest.raises(ModelError, match="golden"):
        bad.self_test()


def test_a_missing_file_is_refused(tmp_path):
    assert refused(tmp_path / "none.onnx").field == "file"


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not a model")
    assert refused(path).field == "file"


def test_a_truncated_model_is_refused(tmp_path):
    path = a_model_file(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:-200])
    assert refused(path).field


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({}, "metadata_props"),
        ({METADATA_KEY: "{"}, "metadata_props"),
        ({METADATA_KEY: "[]"}, "schema_version"),
        (document(schema_version=2), "schema_version"),
        (document(compatible="edgederm-contract-2"), "compatible"),
        (document(surprise=1), "surprise"),
        (document(schema_version=True), "schema_version"),
        (document(malignant=["XYZ"]), "malignant"),
        (document(input={"side_px": SIDE_PX}), "input"),
        (document(parameters="many"), "parameters"),
        ({METADATA_KEY: "[" * 100_000}, "metadata_props"),
    ],
)
def test_a_bad_contract_is_refused(tmp_path, metadata, field):
    assert refused(a_model_file(tmp_path / "m.onnx", metadata=metadata)).field.startswith(field)


@pytest.mark.parametrize("key", sorted(a_manifest().model_dump()))
def test_a_contract_without_any_of_its_fields_is_refused(tmp_path, key):
    """Nothing that the model depends on has a silent default."""
    contract = a_manifest().model_dump(mode="json")
    del contract[key]
    path = a_model_file(tmp_path / "m.onnx", metadata={METADATA_KEY: json.dumps(contract)})
    assert key in refused(path).field


@pytest.mark.parametrize(
    ("graph", "field"),
    [
        ({"side_px": 96}, "graph input image"),
        ({"batch": 2}, "graph input image"),
        ({"input_type": "FLOAT"}, "graph input image"),
        ({"outputs": ("malignancy_logit", "diagnosis_logits")}, "graph outputs"),
        (
            {
                "outputs": (
                    "diagnosis_logits",
                    "malignancy_logit",
                    "activation_map",
                    "embedding",
                )
            },
            "graph outputs",
        ),
    ],
)
def test_a_graph_that_differs_from_its_contract_is_refused(tmp_path, graph, field):
    assert refused(a_model_file(tmp_path / "m.onnx", **graph)).field == field


def test_statistics_of_another_embedding_are_refused(tmp_path):
    """Five entries in the contract, four in the graph."""
    manifest = a_manifest(out_of_distribution=an_out_of_distribution((0.0,) * 5))
    refusal = refused(a_model_file(tmp_path / "m.onnx", manifest=manifest))
    assert refusal.field == "graph output embedding"


def test_an_embedding_that_is_not_the_recorded_one_fails_the_self_test(tmp_path):
    """The probabilities are those of the golden case, the novelty is not."""
    golden = a_manifest().golden.model_copy(update={"novelty": 0.5})
    path = a_model_file(tmp_path / "m.onnx", manifest=a_manifest(golden=golden))
    with pytest.raises(ModelError, match=r"golden.*a novelty of 0\.5000, found 0\.0000"):
        OnnxClassifier(path).self_test()


def test_an_answer_that_is_not_finite_is_no_answer(tmp_path):
    classifier = OnnxClassifier(a_model_file(tmp_path / "m.onnx", value=float("nan")))
    with pytest.raises(ModelError, match="finite"):
        classifier.classify(np.zeros((SIDE_PX, SIDE_PX, 3), dtype=np.uint8))


@pytest.mark.parametrize("shape", [(SIDE_PX, SIDE_PX), (SIDE_PX + 1, SIDE_PX, 3)])
def test_a_picture_that_was_not_prepared_is_refused(tmp_path, shape):
    classifier = OnnxClassifier(a_model_file(tmp_path / "m.onnx"))
    with pytest.raises(ValueError, match="prepare the picture"):
        classifier.classify(np.zeros(shape, dtype=np.uint8))


def test_no_telemetry_appears(tmp_path):
    """
    Importing the device and answering once leaves no file, no thread and no socket behind.

    Some releases of the runtime spool events below the user's cache and send them from a
    thread; ours must not, whatever version is installed.
    """
    model = a_model_file(tmp_path / "m.onnx")
    home = tmp_path / "home"
    home.mkdir()
    program = f"""
import os, threading
import numpy as np
from pathlib import Path
from device.classifier import OnnxClassifier
before = set(os.listdir("/proc/self/task"))
classifier = OnnxClassifier(Path({str(model)!r}), threads=1)
classifier.classify(np.zeros(({SIDE_PX}, {SIDE_PX}, 3), dtype=np.uint8))
links = [os.readlink(f"/proc/self/fd/{{fd}}") for fd in os.listdir("/proc/self/fd")
         if os.path.islink(f"/proc/self/fd/{{fd}}")]
print(len(os.listdir("/proc/self/task")) - len(before),
      sum(link.startswith("socket:") for link in links),
      os.environ.get("ORT_DISABLE_TELEMETRY"))
"""
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=60,
    )
    threads, sockets, switch = done.stdout.split()
    assert (threads, sockets, switch) == ("0", "0", "1")
    assert list(home.rglob("*")) == []
