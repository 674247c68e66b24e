"""
The student in ncnn, with its weights in fp32 and ncnn's own options.

Written as ncnn's two files: a list of layers in text, and the weights behind each other.

Source of both forms: Tencent/ncnn, docs/developer-guide/param-and-model-file-structure.md.
"""

from __future__ import annotations

import struct
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.student import Layer, Translation
from device.core.values import Pixels

_MAGIC = 7767517
_FP32 = struct.pack("<I", 0)
"""Stands before weights that are stored as they are."""
_IMAGE = "image"


def in_ncnn(
    student: Translation, image_HWC: Pixels
) -> Callable[[], Mapping[str, NDArray[np.float32]]]:
    """Load the student; returns what runs it on *image_HWC* and returns its heads."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    text, weights = write(student)
    with tempfile.TemporaryDirectory() as name:
        files = Path(name) / "student.param", Path(name) / "student.bin"
        files[0].write_text(text)
        files[1].write_bytes(weights)
        if net.load_param(str(files[0])) or net.load_model(str(files[1])):
            raise RuntimeError("ncnn refused the student; see the lines above")
    # ncnn subtracts a mean and multiplies: x * scale + shift in other words.
    means, factors = [-student.shift / student.scale] * 3, [student.scale] * 3
    side = student.side_px

    def run() -> Mapping[str, NDArray[np.float32]]:
        pixels = ncnn.Mat.from_pixels(image_HWC, ncnn.Mat.PixelType.PIXEL_RGB, side, side)
        pixels.substract_mean_normalize(means, factors)
        extractor = net.create_extractor()
        extractor.input(_IMAGE, pixels)
        return {head: np.array(extractor.extract(name)[1]) for head, name in outputs.items()}

    outputs = {head: f"{name}_out" for head, name in student.outputs.items()}
    return run


def write(student: Translation) -> tuple[str, bytes]:
    """Return both files' contents; the result *name* of a head is called ``name_out``."""
    uses = Counter(name for layer in student.layers for name in layer.inputs)
    uses.update(student.outputs.values())
    taken: Counter[str] = Counter()
    lines = [f"Input {_IMAGE} 0 1 {_IMAGE} 0={student.side_px} 1={student.side_px} 2=3"]
    blobs = 1
    weights = []

    def take(name: str) -> str:
        """Name one of the copies of a result, of which each is used once."""
        if uses[name] == 1:
            return name
        taken[name] += 1
        return f"{name}_{taken[name]}"

    for layer in student.layers:
        sources = [take(name) for name in layer.inputs]
        kind, options = _described(layer)
        lines.append(
            f"{kind} {layer.output} {len(sources)} 1 {' '.join(sources)} {layer.output} {options}"
        )
        blobs += 1
        if layer.weight is not None:
            weights += [_FP32, layer.weight.astype("<f4").tobytes()]
            weights += [] if layer.bias is None else [layer.bias.astype("<f4").tobytes()]
        count = uses[layer.output]
        if count > 1:
            copies = " ".join(f"{layer.output}_{number + 1}" for number in range(count))
            lines.append(f"Split split_{layer.output} 1 {count} {layer.output} {copies}")
            blobs += count
    for name in student.outputs.values():
        lines.append(f"Noop out_{name} 1 1 {take(name)} {name}_out")
        blobs += 1
    head = f"{_MAGIC}\n{len(lines)} {blobs}\n"
    return head + "\n".join(lines) + "\n", b"".join(weights)


def _described(layer: Layer) -> tuple[str, str]:
    if layer.kind == "add":
        return "BinaryOp", "0=0"
    if layer.kind == "pool":
        return "Pooling", "0=1 4=1"
    if layer.weight is None:
        raise ValueError(f"{layer.kind}: expected weights, found none")
    has_bias = int(layer.bias is not None)
    out, size = layer.weight.shape[0], layer.weight.size
    if layer.kind == "linear":
        return "InnerProduct", f"0={out} 1={has_bias} 2={size}"
    options = (
        f"0={out} 1={layer.weight.shape[2]} 3={layer.stride} 4={layer.pad} 5={has_bias} 6={size}"
    )
    if layer.groups > 1:
        options += f" 7={layer.groups}"
    if layer.rectifies:
        options += " 9=1"
    return ("Convolution" if layer.groups == 1 else "ConvolutionDepthWise"), options
