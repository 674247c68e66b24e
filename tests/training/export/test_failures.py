"""What a person must be told is measured with the file itself."""

import pytest

from device.classifier import OnnxClassifier
from device.core.manifest import Metric
from tests.training.sets import a_ham10000
from tests.training.small import SIDE_PX, a_run_config, a_split_of, a_student
from training.data.dataset import prepare_part
from training.data.readers import read_dataset
from training.data.splits import CALIBRATION, TEST, TRAIN, read_split
from training.evaluate import subgroups
from training.evaluate.out_of_distribution.study import look_at_cases
from training.export.contract import Evidence, build_contract, embed
from training.export.failures import with_failures
from training.export.graph import export_graph


@pytest.fixture(scope="module")
def exported():
    return export_graph(a_student(), SIDE_PX)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """Twelve nevi and twelve melanomas in each part, of files."""
    root = tmp_path_factory.mktemp("failures")
    rows = [(f"L{i}", f"I{i}", ("nv", "mel")[i // 4 % 2]) for i in range(96)]
    cases = read_dataset(a_ham10000(root / "ham10000", rows))
    split = read_split(a_split_of(root / "split.csv", cases))
    spec = a_run_config().preprocess
    parts = {
        f"{name}_part": prepare_part(split.cases(cases, part), spec, cache=root / "cache")
        for name, part in (("training", TRAIN), ("calibration", CALIBRATION), ("test", TEST))
    }
    return Evidence(split=split, cases=cases, **parts)


@pytest.fixture(scope="module")
def manifest(exported, evidence):
    return build_contract(
        exported, a_run_config(), evidence, name="drawn", version="0.0.1", commit="c" * 40
    )


def test_refusals_are_those_of_the_device(exported, evidence, manifest, tmp_path):
    found = with_failures(exported.model, manifest, evidence, None)
    path = tmp_path / "m.onnx"
    path.write_bytes(embed(exported.model, manifest))
    looks = look_at_cases(OnnxClassifier(path), evidence.test_part.cases)
    assert found.metrics["refused"].value == pytest.approx(looks.refused_N.mean(), abs=1e-4)
    assert {"refused_NV", "refused_MEL"} <= found.metrics.keys()
    assert not [name for name in found.metrics if name.startswith("novelty_auroc")]
    assert manifest.metrics.items() <= found.metrics.items()


def test_weak_groups_are_named_in_the_contract(exported, evidence, manifest, monkeypatch):
    """Here every group is called weak: of the diagnoses there are two."""
    none = with_failures(exported.model, manifest, evidence, None)
    assert not [name for name in none.metrics if name.startswith("subgroup_")]
    monkeypatch.setattr(subgroups, "ENOUGH_LESIONS", 5)
    monkeypatch.setattr(subgroups, "LOWEST_AUROC", 1.1)
    found = with_failures(exported.model, manifest, evidence, None).metrics
    named = {name for name in found if name.startswith("subgroup_diagnosis")}
    assert named == {
        "subgroup_diagnosis MEL (12 lesions, against all benign pictures)",
        "subgroup_diagnosis NV (12 lesions, against all malignant pictures)",
    }
    assert all(isinstance(found[name], Metric) for name in named)
