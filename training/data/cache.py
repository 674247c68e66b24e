"""
Prepared pictures on disk, made once by the device's own stages in several processes.

A cache is one array ``[V, N, S, S, 3]``: variant 0 is the picture as it is, what the board would
see; the others went through :func:`training.data.acquisition.vary_acquisition` first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from device.core.manifest import PreprocessSpec
from device.core.values import Pixels
from device.preprocess import prepare
from training.data.acquisition import VERSION, vary_acquisition
from training.data.case import Case, load_pixels

_BATCH = 64


def prepared(
    cases: Sequence[Case],
    spec: PreprocessSpec,
    *,
    folder: Path,
    variants: int = 1,
    workers: int = 2,
) -> NDArray[np.uint8]:
    """
    Return the prepared pictures of *cases*, from *folder* if they are there already.

    Args:
        cases: In the order of the result.
        spec: The stages; part of the key.
        folder: Where caches are kept; may be deleted at any time.
        variants: At least 1.
        workers: Processes; one is the caller's own.

    Returns:
        uint8 ``[V, N, S, S, 3]``, memory-mapped and read-only.

    Raises:
        ValueError: A picture cannot be decoded.
    """
    path = folder / f"{_key(cases, spec, variants)}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        # A name of its own until it is whole, so that a stopped run leaves nothing half made.
        partial_path = path.with_suffix(".partial.npy")
        shape = (variants, len(cases), spec.side_px, spec.side_px, 3)
        array = np.lib.format.open_memmap(partial_path, mode="w+", dtype=np.uint8, shape=shape)
        batches = [range(i, min(i + _BATCH, len(cases))) for i in range(0, len(cases), _BATCH)]
        make = partial(_prepare_batch, spec=spec, variants=variants)
        with ExitStack() as stack:
            run: Callable[..., Iterable[NDArray[np.uint8]]] = map
            if workers > 1:
                # Spawned, not forked: OpenCV's and torch's threads do not survive a fork.
                pool = ProcessPoolExecutor(
                    workers,
                    mp_context=get_context("spawn"),
                    # The processes share the cores already.
                    initializer=cv2.setNumThreads,
                    initargs=(1,),
                )
                run = stack.enter_context(pool).map
            console = Console(stderr=True)
            results = track(
                run(make, ([cases[i] for i in batch] for batch in batches)),
                total=len(batches),
                description=f"preparing {len(cases)} pictures",
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
            for batch, pixels in zip(batches, results, strict=True):
                array[:, batch.start : batch.stop] = pixels
        array.flush()
        partial_path.rename(path)
    return np.load(path, mmap_mode="r")


def prepare_variant(case: Case, image_HWC: Pixels, spec: PreprocessSpec, variant: int) -> Pixels:
    """Prepare one variant of one decoded picture; the seed is its name and the variant."""
    if variant > 0:
        digest = hashlib.sha256(f"{case.image_id} {variant}".encode()).digest()
        image_HWC = vary_acquisition(
            image_HWC, np.random.default_rng(int.from_bytes(digest[:8], "big"))
        )
    return prepare(image_HWC, spec)


def _prepare_batch(
    cases: Sequence[Case], *, spec: PreprocessSpec, variants: int
) -> NDArray[np.uint8]:
    pixels = np.empty((variants, len(cases), spec.side_px, spec.side_px, 3), dtype=np.uint8)
    for index, case in enumerate(cases):
        image_HWC = load_pixels(case)
        for variant in range(variants):
            pixels[variant, index] = prepare_variant(case, image_HWC, spec, variant)
    return pixels


def _key(cases: Sequence[Case], spec: PreprocessSpec, variants: int) -> str:
    described = {
        "spec": spec.model_dump(mode="json"),
        "variants": variants,
        "acquisition": VERSION if variants > 1 else None,
        # Size and time of change stand for the content: hashing it all costs as much as decoding.
        "cases": [
            (c.image_id, str(c.path), c.path.stat().st_size, c.path.stat().st_mtime_ns)
            for c in cases
        ],
    }
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:24]
