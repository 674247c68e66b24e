"""A model proves itself in a process of its own, within limits, or is refused."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from device.core.errors import BundleError, BundleFault
from device.settings import SHIPPED_MODEL
from device.updates.proof import Limits, prove
from tests.builders import a_manifest, a_model_file
from tests.bundles import (
    Signer,
    a_bundle,
    a_key_folder,
    a_real_bundle,
    newer,
    shipped,
    some_goldens,
)

GIB = 2**30
NEWEST = newer(2)


@pytest.fixture
def keys(tmp_path):
    return a_key_folder(tmp_path / "keys", Signer(1))


def refusal(content, keys, **limits):
    with pytest.raises(BundleError) as caught:
        prove(content, keys, limits=Limits(**limits))
    assert caught.value.fault is BundleFault.PROOF
    assert "the model in use stays" in str(caught.value)
    return str(caught.value)


@pytest.mark.portable
def test_a_good_model_says_who_it_is(keys, monkeypatch):
    monkeypatch.setenv("EDGEDERM_CAMERA__KIND", "crystal ball")  # Not the other process's affair.
    identity = prove(a_real_bundle(NEWEST), keys)
    assert (identity.name, identity.version) == (shipped().manifest.name, NEWEST)


@pytest.mark.portable
def test_a_wrong_golden_is_refused(keys):
    golden = shipped().manifest.golden
    wrong = golden.model_copy(update={"probability_malignant": 0.5})
    content = a_bundle(
        SHIPPED_MODEL.read_bytes(),
        version=shipped().manifest.version,
        name=shipped().manifest.name,
        goldens=some_goldens(wrong),
    )
    assert "a difference of" in refusal(content, keys)


@pytest.mark.portable
def test_what_is_no_graph_is_refused(keys):
    assert "expected an ONNX graph" in refusal(a_bundle(b"\x08\x09 junk"), keys)


@pytest.mark.portable
def test_the_other_process_trusts_nobody_either(tmp_path):
    assert "model bundle refused (key)" in refusal(
        a_real_bundle(NEWEST), a_key_folder(tmp_path / "keys", Signer(5))
    )


def from_graph(tmp_path, change=lambda model: None, **options):
    """A signed bundle of a small graph that *change* spoils."""
    onnx = pytest.importorskip("onnx", reason="the model is made on the spot")
    path = a_model_file(tmp_path / "model.onnx", **options)
    model = onnx.load(path)
    change(model)
    return a_bundle(model.SerializeToString(), version="0.0.1")


def test_the_small_graph_itself_is_fine(tmp_path, keys):
    """So what the next tests refuse is refused for what they changed."""
    assert prove(from_graph(tmp_path), keys).version == "0.0.1"


def test_a_model_of_another_contract_is_refused(tmp_path, keys):
    text = a_manifest().model_dump_json().replace("edgederm-contract-1", "edgederm-contract-2")
    content = from_graph(tmp_path, metadata={"edgederm": text})
    assert "expected edgederm-contract-1, found edgederm-contract-2" in refusal(content, keys)


def test_a_model_without_a_contract_is_refused(tmp_path, keys):
    content = from_graph(tmp_path, metadata={})
    assert "expected the model contract, found nothing" in refusal(content, keys)


def test_a_model_whose_graph_is_not_that_of_its_contract_is_refused(tmp_path, keys):
    content = from_graph(tmp_path, outputs=("diagnosis_logits", "malignancy_logit"))
    assert "graph outputs" in refusal(content, keys)


def test_a_model_that_says_nothing_sensible_is_refused(tmp_path, keys):
    assert "finite numbers" in refusal(from_graph(tmp_path, value=float("nan")), keys)


def behind_the_mean(model, nodes, constants, value):
    """Put *nodes* where every output depends on their *value*, which must be a scalar."""
    from onnx import helper

    mul = next(node for node in model.graph.node if node.op_type == "Mul")
    place = list(model.graph.node).index(mul)
    extra = [*nodes, helper.make_node("Add", ["mean", value], ["burdened"])]
    mul.input[0] = "burdened"
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*rest[:place], *extra, *rest[place:]])
    model.graph.initializer.extend(constants)


def hungry(model):
    """Ask for half a GiB that depends on the picture, so that no optimiser works it out before."""
    from onnx import TensorProto, helper

    behind_the_mean(
        model,
        [
            helper.make_node("Cast", ["mean"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Mul", ["whole", "none"], ["zero_whole"]),
            helper.make_node("Add", ["zero_whole", "many"], ["size_4d"]),
            helper.make_node("Reshape", ["size_4d", "flat"], ["size"]),
            helper.make_node("ConstantOfShape", ["size"], ["room"]),
            helper.make_node("ReduceMax", ["room"], ["burden"], keepdims=0),
        ],
        [
            helper.make_tensor("none", TensorProto.INT64, [], [0]),
            helper.make_tensor("many", TensorProto.INT64, [], [GIB // 8]),
            helper.make_tensor("flat", TensorProto.INT64, [1], [1]),
        ],
        "burden",
    )


def endless(model):
    """Count to a number that nobody will see."""
    from onnx import TensorProto, helper

    def scalar(name, kind):
        return helper.make_tensor_value_info(name, kind, [])

    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["goes_on"]),
            helper.make_node("Add", ["sum", "one"], ["next_sum"]),
        ],
        "body",
        [
            scalar("turn", TensorProto.INT64),
            scalar("go_on", TensorProto.BOOL),
            scalar("sum", TensorProto.FLOAT),
        ],
        [scalar("goes_on", TensorProto.BOOL), scalar("next_sum", TensorProto.FLOAT)],
        [helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])],
    )
    behind_the_mean(
        model,
        [helper.make_node("Loop", ["turns", "yes", "start"], ["burden"], body=body)],
        [
            helper.make_tensor("turns", TensorProto.INT64, [], [2**40]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
            helper.make_tensor("start", TensorProto.FLOAT, [], [0.0]),
        ],
        "burden",
    )


def test_a_model_that_asks_for_much_memory_is_refused(tmp_path, keys):
    """And for nothing else: with more room it passes."""
    content = from_graph(tmp_path, hungry)
    refusal(content, keys)
    assert prove(content, keys, limits=Limits(memory_bytes=2 * GIB)).version == "0.0.1"


def test_a_model_that_never_comes_to_an_end_is_refused(tmp_path, keys):
    """By the processor's time, so that a busy box refuses no good model."""
    assert "processor time" in refusal(from_graph(tmp_path, endless), keys, cpu_s=3)


def test_a_model_that_makes_one_wait_is_refused(tmp_path, keys):
    began_s = time.monotonic()
    assert "no answer within 2 s" in refusal(from_graph(tmp_path, endless), keys, wall_s=2)
    assert time.monotonic() - began_s < 30


@pytest.mark.portable
def test_the_limits_hold_in_the_process_itself():
    """Also where nobody is left who would wait for it."""
    import subprocess

    program = (
        "import resource, signal, sys\n"
        "from device.updates.proof import Limits, limit_this_process\n"
        "limit_this_process(Limits(memory_bytes=2**28, cpu_s=7, wall_s=6))\n"
        "print(*(resource.getrlimit(what)[1] for what in "
        "(resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)))\n"
        "bytearray(2**24)\n"
        "print(open('/proc/self/oom_score_adj').read().strip(), flush=True)\n"
        # Well above the limit: what the interpreter gives back meanwhile makes room too.
        "try:\n    bytearray(2**29)\nexcept MemoryError: print('no room', flush=True)\n"
        "signal.pause()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
    )
    assert done.stdout.splitlines() == ["7 0", "1000", "no room"]
    assert -done.returncode == signal.SIGALRM
