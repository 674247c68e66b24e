"""
Let timm import a torchvision whose compiled operators do not match this torch.

timm imports torchvision, and torchvision registers fake versions of two of its compiled
operators at import.  A torchvision wheel built for CUDA beside a CPU torch cannot load its
library, so the two are unknown and the import fails.  Declaring their schemas is enough; none
of our code calls them.  Where torchvision is whole, nothing is done.
"""

from __future__ import annotations

import sys

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_kept: list[object] = []
"""The library object; its declarations vanish with it."""


def ensure_importable() -> None:
    """Make ``import torchvision`` succeed, or raise what it raises for any other reason."""
    if "torchvision" in sys.modules:
        return
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    else:
        return
    import torch

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + _SCHEMA)
    _kept.append(library)
    import torchvision  # noqa: F401 - must succeed now
