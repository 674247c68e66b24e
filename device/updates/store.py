"""
The installed models of a box: which one to run, on trial, for good, or back to the one before.

A folder below the state directory holds the bundles as they came, signature and all, and one file
that says which of them counts.  A bundle is opened anew at every start, so what runs was signed by
a key that is trusted now.  The shipped model is not kept here: it is a part of the software, and
what is left when nothing here can be used.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from device.bundle import Bundle, Trust, open_bundle, parse_version
from device.bundle.bundle import MOST_BYTES, SUFFIX, check_size
from device.core.errors import BundleError, BundleFault, UpdateError
from device.core.values import ModelIdentity
from device.updates.durable import make_folder, put, remove, sync_folder
from device.updates.record import FILE_NAME, Choice, Installed, Return

FOLDER_NAME = "models"
LOCK_NAME = "lock"
CRASHED = "the box did not end in order while the model was on trial"
_LARGEST_RECORD_BYTES = 16 * 1024
_log = logging.getLogger(__name__)

Source = Literal["installed", "previous", "shipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model that may be run."""

    source: Source
    entry: Installed | None
    """None for the shipped one."""
    content: bytes | None
    """The model file, out of a bundle whose signature was checked; None for the shipped one."""
    is_on_trial: bool
    instead_of: str | None = None
    """Which model was wanted more, and why it cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an installation."""

    entry: Installed
    has_changed: bool
    """False where this model is the current one already, and its file is whole."""
    is_forced: bool
    """Whether it is one that only *force* lets in."""


class ModelStore:
    """
    Looks after the installed models.

    Args:
        folder: State directory of the box.
        trust: Reads whose signatures count; called each time.
        prove: Lets a bundle's content answer its golden cases in a process of its own.
        shipped: What the model that came with the software is.

    Threads: any, and several processes: changes are made under a lock.
    """

    def __init__(
        self,
        folder: Path,
        *,
        trust: Callable[[], Trust],
        prove: Callable[[bytes], ModelIdentity],
        shipped: Callable[[], ModelIdentity],
    ) -> None:
        self.folder = folder / FOLDER_NAME
        self._trust = trust
        self._prove = prove
        self._shipped = shipped
        self.gave_up: str | None = None
        """Which model was given up through this object."""
        self.began: Installed | None = None
        """Whose trial began through this object; it may end in order unless it failed."""

    def choice(self) -> Choice:
        """
        Return what is installed.

        Raises:
            UpdateError: The record cannot be read, or is none of ours.
        """
        path = self.folder / FILE_NAME
        try:
            content = _read(path, _LARGEST_RECORD_BYTES)
        except FileNotFoundError:
            return Choice()
        except OSError as error:
            raise UpdateError(
                f"models: expected to read {path}, found {error.strerror}; the shipped model is "
                "used: look after the disk"
            ) from error
        try:
            return Choice.model_validate_json(content, strict=True)
        except ValidationError:
            raise UpdateError(
                f"models: expected our record of installed models, found something else in {path}; "
                "the shipped model is used: remove the file and install the model again"
            ) from None

    def open(self, entry: Installed) -> Bundle:
        """
        Read an installed bundle as if it had just come.

        Raises:
            BundleError: It is damaged, another one, or signed by a key that is no more trusted.
            UpdateError: It cannot be read.
        """
        path = self.folder / entry.file
        try:
            content = _read(path, MOST_BYTES + 1)
        except OSError as error:
            raise UpdateError(
                f"models: expected to read {path}, found {error.strerror}; install it again"
            ) from error
        bundle = open_bundle(content, self._trust())
        if _entry(bundle, entry.file) != entry:
            raise BundleError(
                BundleFault.MALFORMED,
                f"{path}: expected {entry.words}, found {bundle.words}; install it again",
            )
        return bundle

    def candidates(self, *, is_start: bool = False) -> Iterator[Candidate]:
        """
        Return what may be run, the most wanted first; what cannot be used is logged.

        Args:
            is_start: Whether a box starts with it, so that a trial begins: a model on trial that an
                earlier start did not bring to an end in order is given up, and so is one that
                cannot be read.
        """
        choice = self._begun() if is_start else self._choice_or_none()
        instead_of = None if choice.returned is None else choice.returned.text
        wanted: list[tuple[Source, Installed | None]] = [
            ("installed", choice.current),
            ("previous", choice.previous),
        ]
        for source, entry in wanted:
            if entry is None:
                continue
            try:
                bundle = self.open(entry)
            except (BundleError, UpdateError) as error:
                _log.error("event=model.unusable model=%r detail=%r", entry.words, str(error))
                instead_of = instead_of or f"{entry.words}: {error}"
                if is_start:
                    self.give_up_at_start(entry, str(error))
            else:
                yield Candidate(
                    source=source,
                    entry=entry,
                    content=bundle.model,
                    is_on_trial=source == "installed" and choice.trial is not None,
                    instead_of=instead_of,
                )
        yield Candidate(
            source="shipped", entry=None, content=None, is_on_trial=False, instead_of=instead_of
        )

    def end(self, entry: Installed) -> None:
        """Note that the box ends in order: a trial that is not over goes on at the next start."""
        with self._changing() as choice:
            if choice.current == entry and choice.trial == "running":
                self._save(choice.model_copy(update={"trial": "waiting"}))

    def end_begun(self) -> None:
        """Note the same of the model whose trial began through this object, if one did."""
        if self.began is None:
            return
        try:
            self.end(self.began)
        except UpdateError as error:
            _log.error("event=model.end_not_noted detail=%r", str(error))

    def mark_good(self, entry: Installed) -> bool:
        """End the trial of *entry* for good; whether it was on trial."""
        with self._changing() as choice:
            if choice.current != entry or choice.trial is None:
                return False
            self._save(choice.model_copy(update={"trial": None}))
        return True

    def give_up(self, entry: Installed, why: str) -> bool:
        """
        Return from *entry* to the model before, if it is on trial; whether it was.

        What is no more on trial stays: it may be the keys or the disk that fail, and both can be
        mended.

        Raises:
            UpdateError: It cannot be written down; the next start goes back all the same, as from
                a trial that did not end in order.
        """
        if self.began == entry:
            self.began = None
        with self._changing() as choice:
            if choice.current != entry or choice.trial is None:
                return False
            self._save(_back(choice, why))
        self.gave_up = entry.words
        _log.error("event=model.given_up model=%r detail=%r", entry.words, why)
        return True

    def give_up_at_start(self, entry: Installed, why: str) -> None:
        """Do the same, and go on if it cannot be written down: another model runs already."""
        try:
            self.give_up(entry, why)
        except UpdateError as error:
            _log.error("event=model.return_not_noted detail=%r", str(error))

    def roll_back(self, *, to_shipped: bool = False) -> Choice:
        """
        Return to the model before, or to the shipped one.

        Raises:
            UpdateError: There is nothing to return from, or it cannot be written down.
            BundleError: The model before cannot be used any more.
        """
        with self._changing() as choice:
            if choice.current is None:
                raise UpdateError(
                    "models: expected an installed model, found none; the shipped one is in use, "
                    "and before it there is nothing"
                )
            before = None if to_shipped else choice.previous
            if before is not None:
                self.open(before)
            chosen = Choice(current=before)
            self._save(chosen)
            self._clean(chosen)
        return chosen

    def install(self, content: bytes, *, force: bool) -> Outcome:
        """
        Check a bundle, prove its model, and make it the current one, on trial.

        Args:
            content: The whole file.
            force: Takes an older version too.

        Raises:
            BundleError: It is refused; nothing has changed.
            UpdateError: It could not be written down; the record is the one before.
        """
        bundle = open_bundle(content, self._trust())
        entry = _entry(bundle, _file_name(bundle, content))
        with self._changing() as choice:
            if choice.current == entry:
                has_changed = self._mend(entry, content, choice)
                return Outcome(entry=entry, has_changed=has_changed, is_forced=False)
            is_forced = self._check_version(entry, choice, force=force)
            proven = self._prove(content)
            if (proven.name, proven.version, proven.sha256) != (
                entry.name,
                entry.version,
                entry.sha256,
            ):
                raise BundleError(
                    BundleFault.PROOF,
                    f"expected {entry.words} in the model's contract, found {proven.name} "
                    f"{proven.version}; make the bundle again with `python -m training bundle`",
                )
            last_good = choice.previous if choice.trial else choice.current
            chosen = Choice(
                current=entry, previous=None if last_good == entry else last_good, trial="waiting"
            )
            self._put(self.folder / entry.file, content)
            self._save(chosen)
            self._clean(chosen)
        return Outcome(entry=entry, has_changed=True, is_forced=is_forced)

    def _mend(self, entry: Installed, content: bytes, choice: Choice) -> bool:
        """
        Put the current model's file back if it is gone or damaged; whether it was.

        The bytes are those that were proved once, so a model that was kept is not put on trial
        again.  A trial begins anew at the next start: the box may have found the damage, gone back
        and been unable to write that down, and then nobody tried this model.
        """
        try:
            self.open(entry)
        except (BundleError, UpdateError) as error:
            _log.warning("event=model.mended model=%r detail=%r", entry.words, str(error))
        else:
            return False
        self._put(self.folder / entry.file, content)
        if choice.trial is not None:
            self._save(choice.model_copy(update={"trial": "waiting"}))
        return True

    def _check_version(self, entry: Installed, choice: Choice, *, force: bool) -> bool:
        """Refuse what is not newer; returns whether only *force* let it pass."""
        current = choice.current
        if (
            current is not None
            and current.sha256 == entry.sha256
            and current.version == entry.version
        ):
            return False  # The same model, signed anew.
        now = current.version if current is not None else self._shipped().version
        old, new = parse_version(now), parse_version(entry.version)
        if old is None or (new is not None and new > old):
            return False
        if not force:
            raise BundleError(
                BundleFault.OLDER,
                f"expected a version above {now}, found {entry.version}; an older model may have "
                "been withdrawn: force it only if you know why",
            )
        return True

    def _choice_or_none(self) -> Choice:
        try:
            return self.choice()
        except UpdateError as error:
            _log.error("event=model.record_unusable detail=%r", str(error))
            return Choice()

    def _begun(self) -> Choice:
        """Note that the box starts; returns what is installed from now on."""
        choice = self._choice_or_none()
        if choice.trial is None:
            return choice
        try:
            with self._changing() as choice:
                if choice.trial == "waiting":
                    chosen = choice.model_copy(update={"trial": "running"})
                    # Before it is written: the box may be stopped right behind.
                    self.began = choice.current
                    self._save(chosen)
                    return chosen
                chosen = _back(choice, CRASHED)
                self._save(chosen)
        except UpdateError as error:
            # A trial of which nothing could be noted would have no way back.
            _log.error("event=model.trial_not_begun detail=%r", str(error))
            return _back(choice, str(error))
        if chosen.returned is not None:
            self.gave_up = chosen.returned.words
            _log.error("event=model.given_up model=%r detail=%r", self.gave_up, CRASHED)
        return chosen

    @contextmanager
    def _changing(self) -> Iterator[Choice]:
        """Hand out what is installed, under a lock."""
        try:
            make_folder(self.folder)
            owner = self.folder.stat().st_uid
            if owner != os.geteuid():
                raise UpdateError(
                    f"models: expected to be run as the owner of {self.folder} (user {owner}), "
                    f"found user {os.geteuid()}; say sudo -u '#{owner}' before the command"
                )
            lock = os.open(self.folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._not_written(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                choice = self.choice()
            except UpdateError:
                choice = Choice()  # The next record mends it.
            yield choice
        finally:
            os.close(lock)

    def _save(self, choice: Choice) -> None:
        content = choice.model_dump_json(indent=1).encode() + b"\n"
        self._put(self.folder / FILE_NAME, content)

    def _put(self, path: Path, content: bytes) -> None:
        try:
            put(path, content)
        except OSError as error:
            raise self._not_written(error) from error

    def _clean(self, choice: Choice) -> None:
        """Remove what nothing refers to any more; what is left of it hurts nobody."""
        kept = {entry.file for entry in (choice.current, choice.previous) if entry is not None}
        try:
            for path in sorted(self.folder.iterdir()):
                is_bundle = path.suffix == SUFFIX and path.name not in kept
                if is_bundle or path.name.endswith(".unfinished"):
                    remove(path)
            sync_folder(self.folder)
        except OSError as error:
            _log.warning("event=model.leftovers detail=%r", str(error))

    def _not_written(self, error: OSError) -> UpdateError:
        return UpdateError(
            f"models: expected to write {self.folder}, found {error.strerror}; the model in use "
            "stays: look after the disk and its rights"
        )


def read_bundle(path: Path) -> bytes:
    """
    Read a bundle's file, but for one that is too large.

    Raises:
        BundleError: It is too large, or cannot be read.
    """
    try:
        content = _read(path, MOST_BYTES + 1)
    except OSError as error:
        raise BundleError(
            BundleFault.MALFORMED, f"expected to read {path}, found {error.strerror}"
        ) from error
    check_size(len(content))
    return content


def _back(choice: Choice, why: str) -> Choice:
    """Give the current model up for the one before."""
    if choice.current is None:
        return choice
    return Choice(
        current=choice.previous, returned=Return(words=choice.current.words, why=why[:1000])
    )


def _entry(bundle: Bundle, file: str) -> Installed:
    manifest = bundle.manifest
    return Installed(
        file=file,
        name=manifest.name,
        version=manifest.version,
        sha256=manifest.model.sha256,
        key_id=manifest.key_id,
    )


def _file_name(bundle: Bundle, content: bytes) -> str:
    # Of the whole file: the same model signed by two keys is two bundles.
    digest = hashlib.sha256(content).hexdigest()[:16]
    return f"{bundle.manifest.name}-{bundle.manifest.version}-{digest}{SUFFIX}"


def _read(path: Path, most_bytes: int) -> bytes:
    """Read a plain file up to *most_bytes*; a link, a pipe or a device is none."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "no plain file", str(path))
        return file.read(most_bytes)
