"""
Prepared pictures on disk, made once by the device's own stages in several processes.

A cache is one array ``[V, N, S, S, 3]``: variant 0 is the picture as it is, what the board would
see; the others went through :func:`training.data.acquisition.vary_acquisition` first.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
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

import device.drawing
import device.preprocess
from device.core.manifest import PreprocessSpec
from device.core.values import Pixels
from device.preprocess import prepare
from training.data import acquisition
from training.data import case as case_module
from training.data.acquisition import vary_acquisition
from training.data.case import Case, load_pixels
from training.data.protocols import is_copy
from training.errors import DataError

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
        DataError: Naming every picture that cannot be decoded.
    """
    path = folder / f"{_key(cases, spec, variants)}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        # A name of its own until it is whole, so that a stopped run leaves nothing half made and
        # two runs that make the same cache do not write into each other's.
        partial_path = path.with_suffix(f".{os.getpid()}-{uuid.uuid4().hex[:8]}.npy")
        shape = (variants, len(cases), spec.side_px, spec.side_px, 3)
        array = np.lib.format.open_memmap(partial_path, mode="w+", dtype=np.uint8, shape=shape)
        batches = [range(i, min(i + _BATCH, len(cases))) for i in range(0, len(cases), _BATCH)]
        make = partial(_prepare_batch, spec=spec, variants=variants)
        with ExitStack() as stack:
            run: Callable[..., Iterable[tuple[NDArray[np.uint8], list[str]]]] = map
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
            problems: list[str] = []
            for batch, (pixels, found) in zip(batches, results, strict=True):
                array[:, batch.start : batch.stop] = pixels
                problems += found
        if problems:
            del array
            partial_path.unlink()
            raise DataError("pictures", problems, "repair or fetch these files again")
        array.flush()
        partial_path.replace(path)
    return np.load(path, mmap_mode="r")


def prepare_variant(case: Case, image_HWC: Pixels, spec: PreprocessSpec, variant: int) -> Pixels:
    """
    Prepare one variant of one decoded picture; the seed is its name and the variant.

    The first one is the picture as it is, unless the picture is itself a varied copy.
    """
    if variant > 0 or is_copy(case.image_id):
        digest = hashlib.sha256(f"{case.image_id} {variant}".encode()).digest()
        image_HWC = vary_acquisition(
            image_HWC, np.random.default_rng(int.from_bytes(digest[:8], "big"))
        )
    return prepare(image_HWC, spec)


def _prepare_batch(
    cases: Sequence[Case], *, spec: PreprocessSpec, variants: int
) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the pixels, and a line for each picture that cannot be decoded."""
    problems: list[str] = []
    pixels = np.zeros((variants, len(cases), spec.side_px, spec.side_px, 3), dtype=np.uint8)
    for index, case in enumerate(cases):
        try:
            image_HWC = load_pixels(case)
        except ValueError as error:
            problems.append(str(error))
            continue
        for variant in range(variants):
            pixels[variant, index] = prepare_variant(case, image_HWC, spec, variant)
    return pixels, problems


def _key(cases: Sequence[Case], spec: PreprocessSpec, variants: int) -> str:
    described = {
        "spec": spec.model_dump(mode="json"),
        "variants": variants,
        "code": _code_digest(),
        # Size and time of change stand for the content: hashing it all costs as much as decoding.
        "cases": [
            (
                c.image_id,
                str(c.path),
                c.path.stat().st_size,
                c.path.stat().st_mtime_ns,
                c.aspect_ratio,
            )
            for c in cases
        ],
    }
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:24]


def _code_digest() -> str:
    """Digest of all code that decides on a pixel: a changed stage must not find old pictures."""
    sources = sorted(
        path
        for package in (device.preprocess, device.drawing)
        for path in Path(package.__path__[0]).glob("*.py")
    )
    sources += [Path(str(module.__file__)) for module in (acquisition, case_module)]
    digest = hashlib.sha256(cv2.__version__.encode())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()
