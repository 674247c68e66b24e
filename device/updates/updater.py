"""The running box and its models: what runs, whether on trial, and a new one over the network."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from device.core.errors import BusyError, EdgeDermError, UpdateError
from device.core.state import InstalledModel, RunningModel
from device.core.values import ModelIdentity
from device.updates.record import Installed
from device.updates.store import Candidate, ModelStore, Outcome
from device.updates.trial import TrialWatch

BOX = "box"
"""Who did it, in the audit trail, when nobody did."""
_log = logging.getLogger(__name__)


class ShowUpdating(Protocol):
    """Tells the light."""

    def __call__(self, *, is_updating: bool) -> None:
        """Say that an update begins, or that it is over."""
        ...


class Updater:
    """
    Fills the role ``ModelUpdating``, and brings a trial to its end.

    Args:
        store: None where the settings name a file, and nothing is installed.
        candidate: What runs; None with *store*.
        identity: Of what runs.
        trial_s: For how long a model must work before it is kept.
        clock_s: Monotonic seconds.
        show_updating: Tells the light that an update is going on, or over.
        restart: Stops the box, to be started anew with another model; called with why.
        note: Puts act, subject and actor into the audit trail; neither waits nor raises.

    Threads: any.
    """

    def __init__(
        self,
        *,
        store: ModelStore | None,
        candidate: Candidate | None,
        identity: ModelIdentity,
        trial_s: float,
        clock_s: Callable[[], float],
        show_updating: ShowUpdating,
        restart: Callable[[str], None],
        note: Callable[[str, str, str], None],
    ) -> None:
        self._store = store
        self._candidate = candidate
        self._identity = identity
        self._show_updating = show_updating
        self._restart = restart
        self._note = note
        self._lock = threading.Lock()
        self.is_updating = False
        """Whether a model is being installed, or was and the box is about to restart."""
        self._is_restarting = False
        """Whether a failed trial has asked for it: a second signal would cut the end short."""
        self._entry: Installed | None = None
        self._trial: TrialWatch | None = None
        if candidate is not None and candidate.is_on_trial:
            self._entry = candidate.entry
            self._trial = TrialWatch(
                needed_s=trial_s, clock_s=clock_s, good=self._good, failed=self._failed
            )
        if store is not None and store.gave_up is not None:
            note("model given up", store.gave_up, BOX)

    def running(self) -> RunningModel:
        """Say what runs; see ``device.core.ports.ModelUpdating``."""
        return RunningModel(
            name=self._identity.name,
            version=self._identity.version,
            sha256=self._identity.sha256,
            source="file" if self._candidate is None else self._candidate.source,
            is_on_trial=self._trial is not None,
            instead_of=None if self._candidate is None else self._candidate.instead_of,
        )

    def install(self, content: bytes, *, force: bool, actor: str) -> Future[InstalledModel]:
        """Install a bundle; see ``device.core.ports.ModelUpdating``."""
        store = self._store
        if store is None:
            raise UpdateError(
                "models: expected that the box runs an installed or the shipped model, found that "
                "model.path names a file; take that setting away first"
            )
        with self._lock:
            if self.is_updating:
                raise BusyError("another model is being installed; try again in a minute")
            self.is_updating = True
        future: Future[InstalledModel] = Future()
        future.set_running_or_notify_cancel()
        threading.Thread(
            target=self._install,
            args=(store, content, force, actor, future),
            name="update",
            daemon=True,
        ).start()
        return future

    def report(self, part: str, problem: str | None) -> None:
        """Take what the watch found."""
        trial = self._trial
        if trial is not None:
            trial.report(part, problem)

    def _install(
        self,
        store: ModelStore,
        content: bytes,
        force: bool,  # noqa: FBT001 - handed to a thread
        actor: str,
        future: Future[InstalledModel],
    ) -> None:
        self._show_updating(is_updating=True)
        try:
            outcome = store.install(content, force=force)
        except EdgeDermError as error:
            _log.warning("event=model.refused detail=%r", str(error))
            self._over()
            future.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - whoever waits must be told
            _log.exception("event=model.install_failed")
            self._over()
            future.set_exception(error)
        else:
            if outcome.has_changed:
                self._note(act_of(outcome), outcome.entry.words, actor)
            else:
                self._over()
            # Told first: the answer is sent while the box comes to its end.
            future.set_result(described(outcome, restarts=outcome.has_changed))
            if outcome.has_changed:
                self._restart(f"{outcome.entry.words} was installed")

    def _over(self) -> None:
        self.is_updating = False
        self._show_updating(is_updating=False)

    def _good(self) -> bool:
        """Keep the model; whether its trial is over."""
        if self._store is None or self._entry is None:
            return True
        try:
            is_kept = self._store.mark_good(self._entry)
        except EdgeDermError as error:
            _log.error("event=model.good_not_noted detail=%r", str(error))
            return False
        if is_kept:
            self._note("model kept", self._entry.words, BOX)
        self._trial = None
        return True

    def _failed(self, why: str) -> bool:
        """Give the model up and restart, once; whether it was written down."""
        if self._store is None or self._entry is None:
            return True
        is_written = was_on_trial = True
        try:
            was_on_trial = self._store.give_up(self._entry, why)
        except EdgeDermError as error:
            is_written = False  # The next start goes back all the same.
            _log.error("event=model.return_not_noted detail=%r", str(error))
        if is_written and was_on_trial:
            self._note("model given up", self._entry.words, BOX)
        if was_on_trial and not self._is_restarting:
            self._is_restarting = True
            self._restart(f"{self._entry.words} failed while on trial")
        return is_written


def act_of(outcome: Outcome) -> str:
    """Return what stands in the audit trail."""
    return f"model installed{' (forced)' if outcome.is_forced else ''}"


def described(outcome: Outcome, *, restarts: bool) -> InstalledModel:
    """Say what became of an installation, for those outside."""
    entry = outcome.entry
    return InstalledModel(
        name=entry.name,
        version=entry.version,
        sha256=entry.sha256,
        key_id=entry.key_id,
        has_changed=outcome.has_changed,
        is_forced=outcome.is_forced,
        restarts=restarts,
    )
