"""From a run's folder to the file that ships, or to an error and no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from device.classifier import OnnxClassifier
from device.core.errors import ModelError
from device.core.manifest import ModelManifest
from training.data.dataset import prepare_part
from training.data.protocols import WARNINGS
from training.data.provenance import require_same
from training.data.readers import read_dataset
from training.data.splits import CALIBRATION, GROUPED, TEST, TRAIN, read_split
from training.export.card import write_card
from training.export.contract import Evidence, build_contract, embed
from training.export.errors import ExportError
from training.export.failures import with_failures
from training.export.graph import export_graph
from training.export.parity import check_parity
from training.models import Student, load_best
from training.runs import CONFIG_NAME, commit_of, load_config

PARITY_PICTURES = 400
"""Real pictures, evenly spread over the test part, that file and torch must agree on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a small board is promised."""

    file_bytes: int = 469_769
    """Contract included."""
    parameters: int = 239_999
    macs: int = 39_999_999


def export_run(  # noqa: PLR0913 - one for each option of the verb
    run: Path,
    *,
    data: Path,
    split: Path,
    cache: Path,
    out: Path,
    name: str,
    version: str,
    also: Sequence[Path] = (),
    photographs: Path | None = None,
) -> ModelManifest:
    """
    Write the best student of *run* as a model file with its contract, and the card beside it.

    The file appears under its name only after it was found to say what the network says, and
    after the device's own loader has accepted it and answered its golden case.

    Args:
        run: Folder of a finished training.
        data: Data set that the run was trained on.
        split: File that says which picture is in which part.
        cache: Where prepared pictures are kept.
        out: Model file to write; an older one is replaced.
        name: Of the model.
        version: Of the model.
        also: Further sets that the run was trained on.
        photographs: Folder of gathered photographs; with it the contract says too how many
            pictures without a lesion are refused.

    Raises:
        ExportError: There is no run or no student in it, its protocol leaks, the test part
            refutes its promise, the graph is too large, or file and network differ.
        RunError: The run was trained on other pictures or with another split.
        DataError: Pictures and split do not fit each other.
    """
    if not (run / CONFIG_NAME).is_file():
        raise ExportError(f"{run}: expected the folder of a run, found no {CONFIG_NAME}")
    config = load_config(run)
    if config.data is not None and config.data.protocol != GROUPED:
        raise ExportError(
            f"{run}: trained under the protocol {config.data.protocol!r}, "
            f"{WARNINGS[config.data.protocol]}; only what is trained under {GROUPED!r} ships"
        )
    student = load_best(run)
    if not isinstance(student, Student):
        raise ExportError(f"{run}: expected a student, found {type(student).__name__}")
    exported = export_graph(student, config.side_px)
    cases, parts = read_dataset(data), read_split(split)
    extra = [case for root in also for case in read_dataset(root)]
    require_same(config.data, cases, parts, extra)
    # Cases that the split does not know are named at once by the first of these.
    calibration_part, test_part, training_part = (
        prepare_part(chosen, config.preprocess, cache=cache)
        for chosen in (
            parts.cases(cases, CALIBRATION),
            parts.cases(cases, TEST),
            [*parts.cases(cases, TRAIN), *parts.cases(extra, TRAIN)],
        )
    )
    evidence = Evidence(
        split=parts,
        cases=cases,
        extra=parts.cases(extra, TRAIN),
        training_part=training_part,
        calibration_part=calibration_part,
        test_part=test_part,
    )
    manifest = build_contract(
        exported, config, evidence, name=name, version=version, commit=commit_of(run)
    )
    manifest = with_failures(exported.model, manifest, evidence, photographs)
    content = embed(exported.model, manifest)
    check_limits(manifest, content, Limits())
    parity = check_parity(
        content,
        trained=student,
        rounded=exported.rounded,
        pixels_NHWC=_some(test_part.pixels_VNSSC[0], PARITY_PICTURES),
        calibration=manifest.calibration,
    )
    write_accepted(content, out)
    write_card(out, taught=config.distillation is not None)
    Console(stderr=True).print(
        f"{out}: {len(content):,} bytes, {manifest.parameters:,} parameters, "
        f"{manifest.macs / 1e6:.1f} MMAC, {exported.subnormal_weights} weights below fp16's normal "
        f"range; on {parity.pictures} pictures at most {parity.against_trained:.1e} from the "
        f"trained network, {parity.against_rounded:.1e} from the rounded one",
        soft_wrap=True,
        highlight=False,
    )
    return manifest


def check_limits(manifest: ModelManifest, content: bytes, limits: Limits) -> None:
    """Raise ExportError, naming every limit that the model breaks."""
    broken = [
        f"{what}: expected at most {limit:,}, found {found:,}"
        for what, found, limit in (
            ("file_bytes", len(content), limits.file_bytes),
            ("parameters", manifest.parameters, limits.parameters),
            ("macs", manifest.macs, limits.macs),
        )
        if found > limit
    ]
    if broken:
        raise ExportError(f"the model is too large; {'; '.join(broken)}; train a smaller student")


def write_accepted(content: bytes, out: Path) -> None:
    """
    Write *content* to *out* if the device's loader accepts it and its golden case.

    Raises:
        ExportError: It does not; nothing is left behind and an older file stays.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f".{out.name}.fresh")
    try:
        fresh.write_bytes(content)
        OnnxClassifier(fresh).self_test()
        fresh.replace(out)
    except ModelError as error:
        raise ExportError(
            f"the device would refuse this file, nothing was written: {error}"
        ) from error
    finally:
        fresh.unlink(missing_ok=True)


def _some(pixels_NHWC: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """At most *count* pictures, evenly spread."""
    places = np.linspace(0, len(pixels_NHWC) - 1, min(count, len(pixels_NHWC))).round()
    return np.asarray(pixels_NHWC[places.astype(np.int64)])
