"""From a model file to a bundle that a box takes."""

import hashlib
from functools import partial

import onnx
import pytest

from device.bundle import open_bundle
from device.classifier import OnnxClassifier
from device.core.errors import ModelError
from device.settings import SHIPPED_MODEL
from tests.builders import a_manifest, a_model_file
from tests.bundles import Signer, a_trust
from training import cli
from training.export import keys
from training.export.bundle import bundle_model
from training.export.errors import ExportError
from training.export.keys import SigningKey, Stretching

PASSPHRASE = "correct horse battery staple"
CHEAP = Stretching(operations=2**15, memory_bytes=2**20)


@pytest.fixture
def key():
    signer = Signer()
    return SigningKey(public=signer.public, private=signer.private)


def opened(path):
    return open_bundle(path.read_bytes(), a_trust())


def test_a_bundle_holds_the_model_as_it_is(tmp_path, key):
    path = bundle_model(SHIPPED_MODEL, key, tmp_path)
    bundle = opened(path)
    manifest = OnnxClassifier(SHIPPED_MODEL).manifest
    assert path.name == f"{manifest.name}-{manifest.version}.edm"
    assert bundle.model == SHIPPED_MODEL.read_bytes()
    assert (bundle.manifest.name, bundle.manifest.version) == (manifest.name, manifest.version)


def test_its_goldens_are_many_and_the_model_answers_them(tmp_path, key):
    goldens = opened(bundle_model(SHIPPED_MODEL, key, tmp_path)).goldens
    assert len(goldens.cases) == 14
    assert len({case.diagnosis for case in goldens.cases}) == 7
    assert {case.tolerance for case in goldens.cases} == {1e-4}
    classifier = OnnxClassifier(SHIPPED_MODEL)
    assert max(classifier.check_case(case) for case in goldens.cases) < 1e-6
    # They tell models apart: they are not all answered alike.
    assert len({round(case.probability_malignant, 2) for case in goldens.cases}) > 5


def test_the_same_model_and_key_give_the_same_bytes(tmp_path, key):
    once = bundle_model(SHIPPED_MODEL, key, tmp_path / "a").read_bytes()
    assert bundle_model(SHIPPED_MODEL, key, tmp_path / "b").read_bytes() == once


def test_another_version_stands_in_its_contract_and_the_file_stays(tmp_path, key):
    before = hashlib.sha256(SHIPPED_MODEL.read_bytes()).digest()
    bundle = opened(bundle_model(SHIPPED_MODEL, key, tmp_path, version="12.3.4"))
    assert bundle.manifest.version == "12.3.4"
    taken = OnnxClassifier(tmp_path / "x.onnx", content=bundle.model)
    assert taken.manifest.version == "12.3.4"
    assert taken.self_test() < 1e-6
    assert hashlib.sha256(SHIPPED_MODEL.read_bytes()).digest() == before


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0-rc1"])
def test_a_version_without_order_is_refused(tmp_path, key, version):
    with pytest.raises(ExportError, match="--version"):
        bundle_model(SHIPPED_MODEL, key, tmp_path, version=version)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_a_file_should_not_have_is_refused(tmp_path, key):
    model = a_model_file(tmp_path / "m.onnx", manifest=a_manifest(name="../Evil"))
    with pytest.raises(ExportError, match="another name"):
        bundle_model(model, key, tmp_path)


def test_weights_in_another_file_are_refused(tmp_path, key, monkeypatch):
    """A bundle is one file, and a graph that names others could name any."""
    model = onnx.load(a_model_file(tmp_path / "m.onnx"))
    weight = next(one for one in model.graph.initializer if one.name == "embedding_value")
    weight.raw_data = bytes(16)
    onnx.external_data_helper.set_external_data(weight, "elsewhere.bin")
    weight.data_location = onnx.TensorProto.EXTERNAL
    with (tmp_path / "elsewhere.bin").open("wb") as file:
        file.write(bytes(16))
    weight.ClearField("float_data")
    weight.ClearField("raw_data")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    monkeypatch.chdir(tmp_path)  # Not even from where it would be found.
    with pytest.raises(ModelError, match="expected an ONNX graph"):
        bundle_model(tmp_path / "m.onnx", key, tmp_path)


def test_the_two_verbs_make_a_key_and_a_bundle(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(keys, "make_key", partial(keys.make_key, stretching=CHEAP))
    secret = tmp_path / "passphrase"
    secret.write_text(f"{PASSPHRASE}\n")
    out = ["--out", str(tmp_path), "--passphrase-file", str(secret)]
    assert cli.main(["keygen", "clinic", *out]) == 0
    assert cli.main(["keygen", "clinic", *out]) == 1
    assert "never overwritten" in capsys.readouterr().err
    model = ["--model", str(SHIPPED_MODEL), "--key", str(tmp_path / "clinic.key")]
    assert cli.main(["bundle", *model, "--version", "2.0.0", *out]) == 0
    assert "signed by" in capsys.readouterr().out
    assert list(tmp_path.glob("*-2.0.0.edm"))


def test_a_passphrase_is_asked_for_and_not_shown(tmp_path, monkeypatch, capsys):
    asked = []

    def prompt(words, **options):
        asked.append(options)
        return PASSPHRASE

    monkeypatch.setattr(cli.typer, "prompt", prompt)
    monkeypatch.setattr(keys, "make_key", partial(keys.make_key, stretching=CHEAP))
    assert cli.main(["keygen", "clinic", "--out", str(tmp_path)]) == 0
    assert asked == [{"hide_input": True, "confirmation_prompt": True}]
    assert PASSPHRASE not in capsys.readouterr().out
