"""The part of the composition that is about models: which one is loaded, proved, installed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from device.core.errors import EdgeDermError, ModelError, UpdateError
from device.core.ports import SelfTestingClassifier
from device.core.state import InstalledModel
from device.core.stopwatch import Recorder
from device.core.values import Capture, ModelIdentity
from device.settings import SHIPPED_MODEL, ModelSettings

if TYPE_CHECKING:
    from device.bundle import Trust
    from device.updates.store import Candidate, ModelStore

LONGEST_CASE_S = 2.0
"""A model that takes longer for a picture is refused; the shipped one takes a tenth on the slowest
board."""
_SKIN, _LESION = (220, 180, 160), (110, 70, 60)
"""sRGB, of the picture that warms a model up."""
_log = logging.getLogger(__name__)


def read_keys(settings: ModelSettings) -> Trust:
    """
    Read whose models the box takes.

    Raises:
        BundleError: The folder of the keys cannot be used.
    """
    from device.updates.keys import read_keys as read

    return read(settings.keys_path)


def open_models(settings: ModelSettings) -> ModelStore | None:
    """Look after the installed models; None where the settings name a file in their place."""
    from device.updates.proof import prove
    from device.updates.store import ModelStore

    if settings.path is not None:
        return None
    return ModelStore(
        settings.state_path,
        trust=partial(read_keys, settings),
        prove=partial(prove, keys=settings.keys_path),
        shipped=_shipped_model,
    )


def _shipped_model() -> ModelIdentity:
    from device.classifier import OnnxClassifier

    return OnnxClassifier(SHIPPED_MODEL).identity


def prove_bundle(content: bytes, keys: Path) -> ModelIdentity:
    """
    Let a bundle's model answer all its golden cases, and run every stage once.

    Meant for a process of its own, with limits; see ``device.updates.proof``.

    Raises:
        BundleError: The bundle is refused.
        ModelError: The model is refused, answers otherwise, or takes too long for a picture.
    """
    from device.bundle import open_bundle
    from device.classifier import OnnxClassifier
    from device.updates.keys import read_keys as read

    bundle = open_bundle(content, read(keys))
    classifier = OnnxClassifier(Path(f"{bundle.words}, in its bundle"), content=bundle.model)
    classifier.self_test()
    began_s = time.process_time()
    for case in bundle.goldens.cases:
        classifier.check_case(case)
    spent_s = (time.process_time() - began_s) / len(bundle.goldens.cases)
    if spent_s > LONGEST_CASE_S:
        raise ModelError(
            field="golden",
            expected=f"at most {LONGEST_CASE_S:g} s of processor time for a picture",
            found=f"{spent_s:.1f} s",
            remedy="this model is too slow for this board",
        )
    _warm_up(classifier)
    return classifier.identity


def prove_here(bundle: BinaryIO, keys: Path, limits: Mapping[str, int]) -> ModelIdentity:
    """
    Limit this process for good, then prove the bundle that it is handed.

    Raises:
        BundleError: The bundle is refused.
        ModelError: Its model is.
    """
    import cv2  # noqa: F401 - loaded before the limits count

    import device.classifier
    import device.preprocess  # noqa: F401 - the same
    from device.bundle.bundle import MOST_BYTES
    from device.updates.proof import Limits, limit_this_process

    limit_this_process(Limits(**limits))
    return prove_bundle(bundle.read(MOST_BYTES + 1), keys)


def install_bundle(
    settings: ModelSettings, path: Path, *, force: bool
) -> tuple[InstalledModel, str]:
    """
    Take a bundle from a file; returns what became of it, and the act for the audit trail.

    Raises:
        BundleError: It is refused; nothing has changed.
        UpdateError: It could not be written down, or nothing can be installed here.
    """
    from device.updates.store import read_bundle
    from device.updates.updater import act_of, described

    outcome = _installed(settings).install(read_bundle(path), force=force)
    return described(outcome, restarts=False), act_of(outcome)


def roll_back(settings: ModelSettings, *, to_shipped: bool) -> tuple[str, str]:
    """
    Return to the model before, or to the shipped one; returns what was current and what is now.

    Raises:
        UpdateError: Nothing is installed, or it could not be written down.
        BundleError: The model before cannot be used any more.
    """
    models = _installed(settings)
    before = models.choice().current
    now = models.roll_back(to_shipped=to_shipped).current
    words = ["the shipped model" if one is None else one.words for one in (before, now)]
    return words[0], words[1]


def list_models(settings: ModelSettings) -> Iterator[dict[str, object]]:
    """Describe the wanted model, the one before and the shipped one; opens and tries none."""
    choice = _installed(settings).choice()
    for slot, entry in (("current", choice.current), ("previous", choice.previous)):
        if entry is not None:
            told = entry.model_dump(mode="json", exclude={"file"})
            yield {"slot": slot, **told, "trial": choice.trial if slot == "current" else None}
    shipped = _shipped_model()
    yield {"slot": "shipped", **_identity(shipped)}
    if choice.returned is not None:
        yield {"slot": "given up", **choice.returned.model_dump(mode="json")}


def verify_models(settings: ModelSettings, bundle: Path | None) -> Iterator[dict[str, object]]:
    """
    Check a bundle's file, or all that is installed, as an installation would; changes nothing.

    Yields:
        What was checked and ``problem``, which is None where nothing is wrong.
    """
    if bundle is not None:
        yield _verified(bundle, settings)
        return
    models = _installed(settings)
    choice = models.choice()
    for entry in (choice.current, choice.previous):
        if entry is not None:
            yield _verified(models.folder / entry.file, settings)


def _installed(settings: ModelSettings) -> ModelStore:
    models = open_models(settings)
    if models is None:
        raise UpdateError(
            f"models: expected that installed models are used, found model.path set to "
            f"{settings.path}; take that setting away first"
        )
    return models


def _verified(path: Path, settings: ModelSettings) -> dict[str, object]:
    from device.updates.proof import prove
    from device.updates.store import read_bundle

    try:
        identity = prove(read_bundle(path), settings.keys_path)
    except EdgeDermError as error:
        return {"file": str(path), "problem": str(error)}
    return {"file": str(path), **_identity(identity), "problem": None}


def _identity(model: ModelIdentity) -> dict[str, object]:
    return {"name": model.name, "version": model.version, "sha256": model.sha256}


def load_model(
    settings: ModelSettings, models: ModelStore | None, *, is_start: bool
) -> tuple[SelfTestingClassifier, Candidate | None]:
    """
    Load the model that is wanted most of those that work.

    Args:
        settings: How it is run.
        models: What is installed; None takes the file that the settings name.
        is_start: Whether a box starts with it: a model on trial that fails is given up then.

    Returns:
        The model, loaded and proved, and where it comes from.

    Raises:
        ModelError: Not even the shipped model can be used, or the named file cannot.
    """
    if models is None:
        return _load(settings, settings.path or SHIPPED_MODEL, None), None
    instead_of = None
    for found in models.candidates(is_start=is_start):
        candidate = replace(found, instead_of=instead_of or found.instead_of)
        if candidate.entry is None:
            return _load(settings, SHIPPED_MODEL, None), candidate
        try:
            return _load(settings, Path(candidate.entry.file), candidate.content), candidate
        except ModelError as error:
            _log.error("event=model.unusable model=%r detail=%r", candidate.entry.words, str(error))
            instead_of = instead_of or f"{candidate.entry.words}: {error}"
            if is_start:
                models.give_up_at_start(candidate.entry, str(error))
    raise ModelError(
        field="file", expected="a model", found="none", remedy="install the software again"
    )


def _load(settings: ModelSettings, path: Path, content: bytes | None) -> SelfTestingClassifier:
    """Load one model, see it pass its own golden case, and let every stage run once."""
    import cv2

    from device.classifier import OnnxClassifier

    # One picture at a time: OpenCV's threads would only wait for each other and the network.
    cv2.setNumThreads(settings.threads)
    classifier = OnnxClassifier(
        path,
        content=content,
        threads=settings.threads,
        provider=settings.provider,
        falls_back=settings.provider_fallback,
    )
    classifier.self_test()
    _warm_up(classifier)
    return classifier


def _warm_up(classifier: SelfTestingClassifier) -> None:
    """
    Let every stage run once.

    The first run of a stage fills tables and takes a hundred times as long as the second; it
    shall not be somebody's answer.
    """
    import cv2
    import numpy as np

    from device.examine import examine
    from device.preprocess.pipeline import WORKING_FACTOR

    # A file, and larger than the working copy: else decoding and shrinking would stay cold.
    side_px = (WORKING_FACTOR + 1) * classifier.manifest.preprocess.side_px
    picture_HWC = np.full((side_px, side_px, 3), _SKIN, dtype=np.uint8)
    cv2.circle(picture_HWC, (side_px // 2, side_px // 2), side_px // 4, _LESION, cv2.FILLED)
    warm_up = Capture(
        source="warm-up",
        captured_at=datetime.now(timezone.utc),
        encoded=cv2.imencode(".jpg", cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR))[1].tobytes(),
    )
    examine(warm_up, classifier, Recorder(time.perf_counter_ns), max_pixels=side_px**2)
