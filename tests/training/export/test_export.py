"""A whole export from a run's folder, and everything that stops it."""

import hashlib
from contextlib import nullcontext

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from device.classifier import OnnxClassifier
from device.core.manifest import METADATA_KEY
from device.core.values import Prediction
from tests.builders import a_manifest
from tests.training.small import (
    a_data_set,
    a_finished_run,
    a_run_config,
    a_split,
    a_split_of,
    a_student,
    a_student_config,
    a_teacher_config,
)
from training.data.provenance import describe_data
from training.data.readers import read_dataset
from training.data.splits import read_split
from training.errors import RunError
from training.evaluate.metrics import Scored
from training.export import export
from training.export.contract import check_promise
from training.export.errors import ExportError
from training.export.export import (
    Limits,
    check_limits,
    export_run,
    write_accepted,
)
from training.models import FusedTeacher
from training.runs import BEST_NAME, COMMIT_NAME, load_config, save_config


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Drawn files, their split and a cache that all tests of this file share."""
    root = tmp_path_factory.mktemp("export")
    data = a_data_set(root / "drawn")
    return {"data": data, "split": a_split(root / "split.csv", data), "cache": root / "cache"}


def a_run(folder, material, student=None):
    """A finished run that says what it was trained on."""
    run = a_finished_run(folder, student)
    data = describe_data(read_dataset(material["data"]), read_split(material["split"]))
    save_config(run, load_config(run).model_copy(update={"data": data}))
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory, material):
    """A finished export: manifest and file."""
    folder = tmp_path_factory.mktemp("made")
    run = a_run(folder / "run", material)
    (run / COMMIT_NAME).write_text("d" * 40 + "\n")
    out = folder / "models" / "student.onnx"
    return export_run(run, **material, out=out, name="drawn", version="0.1.0"), out


def test_a_model_whose_promise_the_test_part_refutes_does_not_ship(made):
    """Every malignant lesion called benign; and as a control none."""
    manifest, _ = made
    below = manifest.operating_point.benign_below
    lesions = 40
    for malignant_at, refuted in ((below / 2, True), ((1 + below) / 2, False)):
        probability_N = np.repeat([malignant_at, below / 2], lesions)
        scored = Scored(
            malignant_N=np.repeat([True, False], lesions),
            diagnosis_N=np.repeat([0, 1], lesions),
            probability_N=probability_N,
            uncalibrated_N=probability_N,
            diagnosis_probability_NK=np.full((2 * lesions, 7), 1 / 7),
            group_N=np.arange(2 * lesions),
        )
        with (
            pytest.raises(ExportError, match="called benign, found 40 of the 40")
            if refuted
            else nullcontext()
        ):
            check_promise(manifest.guarantee, manifest.operating_point, scored)


def test_an_export_is_a_file_that_the_device_accepts(made):
    """Contract, graph and golden case pass its own checks, and nothing else is left."""
    manifest, out = made
    classifier = OnnxClassifier(out)
    assert classifier.manifest == manifest
    assert classifier.self_test() < 1e-6
    assert {path.name for path in out.parent.iterdir()} == {"student.onnx", "README.md"}
    assert manifest.commit == "d" * 40
    assert manifest.training.images["test"] == 12
    assert len(manifest.training.fingerprint) == 64


def test_the_exported_file_answers(made):
    """A drawn picture goes in, finite numbers come out."""
    _, out = made
    classifier = OnnxClassifier(out)
    prediction = classifier.classify(torch.zeros(48, 48, 3, dtype=torch.uint8).numpy())
    assert isinstance(prediction, Prediction)


def test_the_card_says_what_the_file_says(made):
    """Digest, size and figures are the file's, and a person is told what it is not."""
    manifest, out = made
    card = (out.parent / "README.md").read_text()
    assert hashlib.sha256(out.read_bytes()).hexdigest() in card
    assert f"{out.stat().st_size:,} bytes" in card
    auroc = manifest.metrics["auroc"]
    assert f"| auroc | {auroc.value:.4f} | {auroc.low:.4f} to {auroc.high:.4f} |" in card
    assert "Not a medical device" in card
    assert manifest.license in card
    for code in manifest.diagnoses:
        assert f"| {code} |" in card
    assert "| MEL | melanoma | malignant |" in card
    assert f"{manifest.operating_point.benign_below:.4f}" in card
    assert manifest.training.split_sha256 in card


def test_a_second_export_replaces_the_first(made, material, tmp_path):
    """And says exactly the same about the same run."""
    manifest, out = made
    run = a_run(tmp_path / "run", material)
    (run / COMMIT_NAME).write_text("d" * 40 + "\n")
    again = tmp_path / "student.onnx"
    again.write_bytes(b"older")
    assert export_run(run, **material, out=again, name="drawn", version="0.1.0") == manifest
    assert again.read_bytes() == out.read_bytes()


@pytest.fixture(scope="module")
def extended(tmp_path_factory, material):
    """A run that was trained on a further set too, and what it takes to export it."""
    root = tmp_path_factory.mktemp("extended")
    more = a_data_set(root / "more", count=10)
    cases, extra = read_dataset(material["data"]), read_dataset(more)
    split = a_split_of(root / "split.csv", cases, extra)
    run = a_finished_run(root / "run")
    data = describe_data(cases, read_split(split), extra)
    save_config(run, load_config(run).model_copy(update={"data": data}))
    return run, material | {"split": split, "also": [more]}


def test_a_run_on_further_sets_is_exported_with_them(extended, made, tmp_path):
    """The contract names them; what was measured on the set of record is the same."""
    run, material = extended
    manifest = export_run(run, **material, out=tmp_path / "s.onnx", name="drawn", version="0.1.0")
    plain, _ = made
    assert set(manifest.training.datasets) == {"drawn", "more"}
    assert manifest.training.images == plain.training.images | {"further training": 10}
    assert manifest.training.fingerprint == plain.training.fingerprint
    assert plain.training.extra_fingerprint is None
    assert len(manifest.training.extra_fingerprint) == 64
    assert manifest.metrics["auroc"] == plain.metrics["auroc"]
    card = (tmp_path / "README.md").read_text()
    assert "12 test, 10 further training pictures of drawn, more" in card
    assert "train test --seed 1 --data DATA --also EXTRA" in card


def test_a_run_on_further_sets_is_not_exported_without_them(extended, tmp_path):
    """What pictures of a lesion look like to it would be told wrongly."""
    run, material = extended
    with pytest.raises(RunError, match="--also"):
        export_run(
            run,
            **(material | {"also": []}),
            out=tmp_path / "s.onnx",
            name="drawn",
            version="0.1.0",
        )


def test_a_student_with_a_wider_embedding_is_exported(material, tmp_path):
    """The statistics in the contract follow it."""
    config = a_student_config().model_copy(update={"embedding_channels": 40})
    run = a_run(tmp_path / "run", material, a_student(config=config))
    save_config(run, load_config(run).model_copy(update={"model": config}))
    out = tmp_path / "s.onnx"
    manifest = export_run(run, **material, out=out, name="drawn", version="0.1.0")
    assert manifest.out_of_distribution.mean_D.shape == (40,)
    assert OnnxClassifier(out).self_test() < 1e-6


def test_a_graph_that_differs_from_torch_is_not_written(material, tmp_path, monkeypatch):
    """One weight is tampered with between torch and file; an older file stays."""

    def tampered(student, side_px):
        exported = honest(student, side_px)
        tensor = next(t for t in exported.model.graph.initializer if len(t.dims) == 4)
        value = numpy_helper.to_array(tensor).copy()
        value.flat[0] += 1.0
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
        return exported

    honest = export.export_graph
    monkeypatch.setattr(export, "export_graph", tampered)
    out = tmp_path / "models" / "student.onnx"
    out.parent.mkdir()
    out.write_bytes(b"older")
    with pytest.raises(ExportError, match="model file and torch differ"):
        export_run(
            a_run(tmp_path / "run", material), **material, out=out, name="drawn", version="0.1.0"
        )
    assert out.read_bytes() == b"older"
    assert [path.name for path in out.parent.iterdir()] == ["student.onnx"]


def test_a_weight_beyond_fp16_is_not_written(material, tmp_path):
    """The refusal comes before any picture is prepared."""
    student = a_student()
    student.heads.malignancy.weight.data[0, 0] = 1e5
    out = tmp_path / "student.onnx"
    with pytest.raises(ExportError, match="to store them as fp16"):
        export_run(
            a_run(tmp_path / "run", material, student),
            **material,
            out=out,
            name="drawn",
            version="0.1.0",
        )
    assert not out.exists()


def test_a_teacher_is_not_exported(material, tmp_path):
    """It is far too large, and its map is empty."""
    config = a_teacher_config("test_resnet")
    save_config(tmp_path, a_run_config().model_copy(update={"model": config}))
    torch.save(FusedTeacher(config).state_dict(), tmp_path / BEST_NAME)
    with pytest.raises(ExportError, match="expected a student, found FusedTeacher"):
        export_run(tmp_path, **material, out=tmp_path / "t.onnx", name="drawn", version="0.1.0")


def test_a_run_that_names_no_pictures_is_not_exported(material, tmp_path):
    """Nobody could say what its test part was trained on."""
    run = a_finished_run(tmp_path / "run")
    with pytest.raises(RunError, match="expected the pictures and the split"):
        export_run(run, **material, out=tmp_path / "s.onnx", name="drawn", version="0.1.0")


def test_a_card_replaces_no_other_page(material, tmp_path):
    """A model written to the root of a repository leaves its README alone."""
    (tmp_path / "README.md").write_text("# Another page")
    with pytest.raises(ExportError, match="is no model card"):
        export_run(
            a_run(tmp_path / "run", material),
            **material,
            out=tmp_path / "s.onnx",
            name="drawn",
            version="0.1.0",
        )
    assert (tmp_path / "README.md").read_text() == "# Another page"


def test_other_pictures_stop_the_export(material, tmp_path):
    """A split of other data would make figures of training pictures."""
    other = a_data_set(tmp_path / "other", count=4)
    with pytest.raises(RunError, match="expected the pictures and the split"):
        export_run(
            a_run(tmp_path / "run", material),
            **(material | {"data": other}),
            out=tmp_path / "student.onnx",
            name="drawn",
            version="0.1.0",
        )


def test_every_broken_limit_is_named():
    """Bytes, parameters and multiply-adds of the shipped model are promised."""
    manifest = a_manifest(parameters=240_000, macs=40_000_000)
    with pytest.raises(ExportError, match=r"file_bytes: .*parameters: .*macs: ") as refusal:
        check_limits(manifest, b"0" * 469_770, Limits())
    assert "expected at most 469,769, found 469,770" in str(refusal.value)
    check_limits(a_manifest(parameters=239_999, macs=39_999_999), b"0" * 469_769, Limits())


def test_a_file_that_the_device_would_refuse_is_not_written(made, tmp_path):
    """Here its golden case was changed; the older file stays and no other is left."""
    manifest, made_file = made
    model = onnx.load(made_file)
    wrong = manifest.model_copy(
        update={"golden": manifest.golden.model_copy(update={"probability_malignant": 0.999})}
    )
    onnx.helper.set_model_props(model, {METADATA_KEY: wrong.model_dump_json()})
    out = tmp_path / "student.onnx"
    out.write_bytes(b"older")
    with pytest.raises(ExportError, match=r"the device would refuse this file.*golden"):
        write_accepted(model.SerializeToString(), out)
    assert out.read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["student.onnx"]
