"""What makes training on a CPU fast, beside the arithmetic."""

from __future__ import annotations

import ctypes
import sys

import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
_KEPT_BYTES = 2**31 - 1
_STEP_BYTES = 2**28


def keep_memory() -> None:
    """
    Tell the C library to keep what is freed, instead of giving it back to the system.

    Activations of every step are freed and asked for again; each time the system fills them
    with zeros, page by page.  Without that a training step takes a third less time.  To be
    called before the first large tensor.  Does nothing where the library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return
    for option, value in (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, _KEPT_BYTES),
        (_M_TOP_PAD, _STEP_BYTES),
        (_M_ARENA_MAX, 1),
    ):
        library.mallopt(option, value)


def in_bf16(precision: str, device: torch.device) -> bool:
    """
    Tell whether to compute in bf16: where *precision* asks for it and *device* has it.

    A processor without it converts at every step and takes two to ten times as long as in fp32.
    """
    if precision != "bf16" or device.type != "cpu":
        return precision == "bf16"
    capabilities = torch.cpu.get_capabilities()
    if capabilities["architecture"] == "x86_64":
        # Torch's own question is content with AVX-512 alone, where oneDNN emulates bf16: half as
        # fast as fp32.
        return bool(capabilities["avx512_bf16"] or capabilities["amx_bf16"])
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - torch has no public one
