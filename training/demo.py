"""
The whole path in minutes, on pictures that we draw ourselves.

Every step calls what its verb calls, so the demo shows the real path and tests it.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from device.core.errors import EdgeDermError
from device.core.values import Pixels
from device.drawing import draw_lesion
from training.audit import audit_datasets, print_audit, write_audit
from training.commands.evaluate import evaluate_model
from training.commands.train import configure, train_run
from training.data.acquisition import vary_acquisition
from training.data.readers.ham10000 import DIAGNOSIS_OF_DX, RECORD_FOLDER
from training.data.splits import SPLIT_NAME
from training.evaluate.report import print_metrics
from training.export.export import export_run
from training.source import Source

SHARES: Mapping[str, float] = MappingProxyType(
    {"nv": 0.34, "mel": 0.18, "bkl": 0.14, "bcc": 0.12, "akiec": 0.10, "vasc": 0.06, "df": 0.06}
)
"""Of the pictures; rare diagnoses are less rare than in HAM10000, so that few pictures do."""
SEVERAL_PICTURES_SHARE = 0.25
"""Of the lesions, that are shown in two or three pictures, as in HAM10000."""
ANSWER_SEED = 1_000_003
"""Of the picture that is answered last; no training picture has it."""
_HEIGHT_PX, _WIDTH_PX = 150, 200
_METADATA = "drawn_metadata.csv"
_JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demo left behind."""

    model: Path
    answer: Mapping[str, Any]
    """Of the device, for one drawn melanoma."""
    seconds: float


def run_demo(
    out: Path | None, *, pictures: int = 700, epochs: int | None = None, workers: int = 2
) -> Demo:
    """
    Draw, audit, train teacher and student, evaluate, export, and let the device answer.

    Args:
        out: Folder to keep everything in; None takes a temporary one and removes it.
        pictures: How many to draw.
        epochs: Instead of the recipes'.
        workers: Processes that prepare pictures.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="edgederm-demo-") as folder:
            return run_demo(Path(folder), pictures=pictures, epochs=epochs, workers=workers)
    console, started = Console(), time.perf_counter()
    source = Source(data=out / "data", split=out / SPLIT_NAME, cache=out / "cache", workers=workers)
    model = out / "models" / "demo.onnx"
    with _step(console, 1, f"draw {pictures} pictures in the layout of HAM10000"):
        draw_dataset(source.data, pictures=pictures)
    with _step(console, 2, "audit them, and part them by lesion"):
        audit = audit_datasets(source.data)
        print_audit(audit, console)
        write_audit(audit, out)
    with _step(console, 3, "train the teacher: two fused backbones"):
        teacher = out / "teacher"
        train_run(configure("demo_teacher", epochs=epochs), source, teacher)
    with _step(console, 4, "train the student on labels and on what the teacher says"):
        student = out / "student"
        train_run(configure("demo_student", teachers=(teacher,), epochs=epochs), source, student)
    with _step(console, 5, "export the student as a model file"):
        export_run(
            student,
            data=source.data,
            split=source.split,
            cache=source.cache,
            out=model,
            name="edgederm-demo",
            version="0.0.0",
        )
    with _step(console, 6, "evaluate that file on the test part"):
        print_metrics(evaluate_model(model, source, out=out / "report"), console)
    with _step(console, 7, "let the device answer a picture that nobody has seen"):
        answer = ask_device(model, _write_picture(out / "new-melanoma.png"))
        console.print(
            f"a drawn melanoma: {answer['result']}, probability of malignancy "
            f"{answer['probability_malignant']:.3f}, by {answer['model']['name']}"
        )
    seconds = time.perf_counter() - started
    console.print(f"done in {seconds:.0f} s; a demonstration on drawings, it says nothing of skin")
    return Demo(model=model, answer=answer, seconds=seconds)


def draw_dataset(root: Path, *, pictures: int, seed: int = 1) -> None:
    """
    Draw a data set in the layout of HAM10000: metadata and ``images_200x150``.

    A quarter of the lesions are shown in two or three pictures, as another hand would have
    taken them: mirrored, with other light, hair or blur.  The order is shuffled: nothing in a
    picture's name tells its label.

    Args:
        root: Folder to fill.
        pictures: At least one for each diagnosis.
        seed: Of everything.
    """
    rng = np.random.default_rng(seed)
    folder = root / RECORD_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, ...]] = []
    wanted = {dx: max(1, round(share * pictures)) for dx, share in SHARES.items()}
    console = Console(stderr=True)
    lesions = track(
        _lesions(wanted, rng),
        description="drawing",
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    for lesion, (dx, count) in enumerate(lesions):
        drawn_HWC = draw_lesion(
            seed * 100_000 + lesion,
            diagnosis=DIAGNOSIS_OF_DX[dx],
            height_px=_HEIGHT_PX,
            width_px=_WIDTH_PX,
        )
        for number in range(count):
            image_id = f"DRAWN_{len(rows):07d}"
            shown_HWC = drawn_HWC if number == 0 else _again(drawn_HWC, rng)
            _write(folder / f"{image_id}.jpg", shown_HWC)
            rows.append((f"LESION_{lesion:07d}", image_id, dx, "drawn", "", "unknown", "unknown"))
    with (root / _METADATA).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"))
        writer.writerows(rows)


def ask_device(model: Path, picture: Path) -> dict[str, Any]:
    """
    Answer *picture* with *model* as a user would, through ``python -m device classify``.

    Raises:
        EdgeDermError: The device gave no answer.
    """
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "device", "classify", "--model", str(model), str(picture)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise EdgeDermError(f"the device gave no answer: {done.stdout}{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _lesions(wanted: Mapping[str, int], rng: np.random.Generator) -> Sequence[tuple[str, int]]:
    """Diagnosis and number of pictures of every lesion, shuffled."""
    lesions = []
    for dx, pictures in wanted.items():
        left = pictures
        while left > 0:
            several = rng.random() < SEVERAL_PICTURES_SHARE
            count = min(left, int(rng.integers(2, 4)) if several else 1)
            lesions.append((dx, count))
            left -= count
    return [lesions[index] for index in rng.permutation(len(lesions))]


def _again(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """The same lesion in another photograph."""
    flips = rng.integers(0, 2, size=2)
    mirrored_HWC = image_HWC[:: 1 - 2 * flips[0], :: 1 - 2 * flips[1]]
    return vary_acquisition(np.ascontiguousarray(mirrored_HWC), rng)


def _write_picture(path: Path) -> Path:
    _write(
        path,
        draw_lesion(ANSWER_SEED, diagnosis="MEL", height_px=3 * _HEIGHT_PX, width_px=3 * _WIDTH_PX),
    )
    return path.resolve()


def _write(path: Path, image_HWC: Pixels) -> None:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    cv2.imwrite(str(path), cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR), quality)


@contextmanager
def _step(console: Console, number: int, text: str) -> Iterator[None]:
    """Announce a step, and say how long it took."""
    console.rule(f"[bold]{number}. {text}", align="left")
    started = time.perf_counter()
    yield
    console.print(f"[dim]{time.perf_counter() - started:.1f} s[/dim]")
