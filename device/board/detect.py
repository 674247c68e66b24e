"""Which board this is, from what the firmware tells the kernel: the device tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from device.board.catalogue import AUTO, BOARDS, GENERIC
from device.core.board import BoardSpec

DEVICE_TREE = Path("/sys/firmware/devicetree/base")


def find_board(name: str, *, device_tree: Path = DEVICE_TREE) -> BoardSpec:
    """
    Look up a board by *name*, or with ``auto`` by the device tree.

    Raises:
        KeyError: There is no board of that name in the catalogue.
    """
    if name != AUTO:
        return BOARDS[name]
    return detect(*read_device_tree(device_tree))


def detect(model: str, compatible: Sequence[str]) -> BoardSpec:
    """
    Return the board of which a device tree tells; ``generic`` if it is none that we know.

    Args:
        model: For people, such as ``Raspberry Pi 4 Model B Rev 1.4``.
        compatible: For drivers, from the board to its processor, such as
            ``raspberrypi,4-model-b`` and ``brcm,bcm2711``.  It decides where both speak.

    Threads: pure.
    """
    for spec in BOARDS.values():
        if set(spec.compatible) & set(compatible):
            return spec
    if not compatible:
        for spec in BOARDS.values():
            if spec.model and model.startswith(spec.model):
                return spec
    return GENERIC


def read_device_tree(folder: Path) -> tuple[str, tuple[str, ...]]:
    """
    Return ``model`` and ``compatible`` of a device tree; empty where there is none.

    Args:
        folder: Where the kernel shows the tree's root.
    """
    compatible = _text(folder / "compatible").split("\0")
    return _text(folder / "model"), tuple(word for word in compatible if word)


def _text(file: Path) -> str:
    """Without the zero byte that ends every string of a device tree."""
    try:
        return file.read_bytes().decode("utf-8", "replace").rstrip("\0")
    except OSError:
        return ""
