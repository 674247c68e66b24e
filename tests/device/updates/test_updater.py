"""The running box: says what answers, takes another model, and ends trials."""

import threading

import pytest

from device.core.errors import BundleError, BusyError, UpdateError
from device.core.values import ModelIdentity
from device.updates.updater import Updater
from tests.bundles import a_bundle

pytestmark = pytest.mark.portable

ONE, TWO = a_bundle(version="1.0.0"), a_bundle(version="2.0.0")


class Box:
    """An updater as the box makes it at its start."""

    def __init__(self, shelf, *, store=True):
        self.shown = []
        self.restarts = []
        self.notes = []
        self.now_s = 0.0
        self.store = shelf.opened() if store else None
        candidate = next(self.store.candidates(is_start=True)) if store else None
        entry = candidate.entry if candidate else None
        self.updater = Updater(
            store=self.store,
            candidate=candidate,
            identity=ModelIdentity(
                name="test",
                version=entry.version if entry else "0.5.0",
                sha256=entry.sha256 if entry else "0" * 64,
            ),
            trial_s=600,
            clock_s=lambda: self.now_s,
            show_updating=lambda *, is_updating: self.shown.append(is_updating),
            restart=self.restarts.append,
            note=lambda *words: self.notes.append(words),
        )

    def install(self, bundle, *, force=False):
        return self.updater.install(bundle, force=force, actor="api: admin").result(30)


def test_it_says_what_answers(shelf):
    running = Box(shelf).updater.running()
    assert (running.source, running.version, running.is_on_trial) == ("shipped", "0.5.0", False)
    assert Box(shelf, store=False).updater.running().source == "file"
    shelf.store.install(ONE, force=False)
    running = Box(shelf).updater.running()
    assert (running.source, running.version, running.is_on_trial) == ("installed", "1.0.0", True)


def test_an_installed_model_is_shown_noted_and_started(shelf):
    box = Box(shelf)
    taken = box.install(ONE)
    assert (taken.version, taken.has_changed, taken.restarts) == ("1.0.0", True, True)
    assert box.notes == [("model installed", taken.words, "api: admin")]
    assert box.restarts == [f"{taken.words} was installed"]
    # Until the end, so that nobody presses in between.
    assert box.shown == [True]
    assert box.updater.is_updating
    with pytest.raises(BusyError):
        box.updater.install(TWO, force=False, actor="api")


def test_a_forced_one_is_noted_as_such(shelf):
    shelf.good(TWO)
    box = Box(shelf)
    assert box.install(a_bundle(b"old", version="1.0.0"), force=True).is_forced
    assert box.notes[0][0] == "model installed (forced)"


def test_a_refused_one_leaves_the_box_as_it_was(shelf):
    box = Box(shelf)
    with pytest.raises(BundleError):
        box.install(ONE[:-1])
    assert (box.shown, box.restarts, box.notes) == ([True, False], [], [])
    assert not box.updater.is_updating
    assert box.install(ONE).has_changed


def test_a_bug_leaves_the_box_as_it_was(shelf, monkeypatch, caplog):
    box = Box(shelf)
    monkeypatch.setattr(box.store, "install", None)
    with pytest.raises(TypeError):
        box.install(ONE)
    assert box.shown == [True, False]
    assert "event=model.install_failed" in caplog.text


def test_the_model_that_answers_already_changes_nothing(shelf):
    shelf.good(ONE)
    box = Box(shelf)
    assert not box.install(ONE).has_changed
    assert (box.shown, box.restarts, box.notes) == ([True, False], [], [])


def test_a_box_whose_settings_name_a_file_takes_nothing(shelf):
    with pytest.raises(UpdateError, match=r"model\.path"):
        Box(shelf, store=False).updater.install(ONE, force=False, actor="api")


def test_a_trial_that_is_over_keeps_the_model(shelf):
    shelf.store.install(ONE, force=False)
    box = Box(shelf)
    box.updater.report("model", None)
    assert box.updater.running().is_on_trial
    box.now_s = 600
    box.updater.report("model", None)
    assert not box.updater.running().is_on_trial
    assert shelf.store.choice().trial is None
    ((act, _, actor),) = box.notes
    assert (act, actor) == ("model kept", "box")
    box.store.end_begun()
    assert shelf.versions(is_start=True)[0] == "1.0.0"


def test_a_fault_on_trial_returns_at_once(shelf):
    shelf.good(ONE)
    shelf.store.install(TWO, force=False)
    box = Box(shelf)
    box.updater.report("model", "the model does not answer")
    assert box.notes[0][0] == "model given up"
    assert len(box.restarts) == 1
    box.store.end_begun()
    running = Box(shelf).updater.running()
    assert (running.version, running.is_on_trial) == ("1.0.0", False)
    assert running.instead_of.endswith("the model does not answer")


def test_a_fault_after_the_trial_changes_no_model(shelf):
    shelf.good(ONE)
    box = Box(shelf)
    box.updater.report("model", "the model does not answer")
    assert (box.notes, box.restarts) == ([], [])


def test_the_start_after_a_crash_notes_what_was_given_up(shelf):
    shelf.store.install(ONE, force=False)
    Box(shelf)  # And no end.
    box = Box(shelf)
    assert box.notes[0][0] == "model given up"
    assert box.updater.running().source == "shipped"
    assert Box(shelf).notes == []


def test_an_end_in_order_goes_on_with_the_trial(shelf):
    shelf.store.install(ONE, force=False)
    for _ in range(2):
        box = Box(shelf)
        assert box.updater.running().is_on_trial
        box.store.end_begun()


def full(*_):
    raise UpdateError("models: expected to write, found no room")


def test_a_good_model_is_kept_as_soon_as_the_disk_takes_it(shelf, monkeypatch, caplog):
    shelf.store.install(ONE, force=False)
    box = Box(shelf)
    box.now_s = 600
    with monkeypatch.context() as patch:
        patch.setattr(box.store, "_save", full)
        box.updater.report("model", None)
        box.store.end_begun()
        assert box.updater.running().is_on_trial
    assert "event=model.good_not_noted" in caplog.text
    assert "event=model.end_not_noted" in caplog.text
    assert box.notes == []
    for _ in range(2):
        box.updater.report("model", None)
    assert [act for act, _, _ in box.notes] == ["model kept"]
    assert not box.updater.running().is_on_trial
    assert shelf.store.choice().trial is None


@pytest.mark.parametrize("is_full_for_good", [False, True])
def test_a_failing_model_goes_whether_or_not_the_disk_takes_it(
    shelf, is_full_for_good, monkeypatch, caplog
):
    shelf.good(ONE)
    shelf.store.install(TWO, force=False)
    box = Box(shelf)
    with monkeypatch.context() as patch:
        patch.setattr(box.store, "_save", full)
        for problem in ("the model does not answer", None):
            box.updater.report("model", problem)
    assert "event=model.return_not_noted" in caplog.text
    assert (len(box.restarts), box.notes) == (1, [])
    if not is_full_for_good:
        box.updater.report("model", None)
        assert len(box.restarts) == 1
        assert [act for act, _, _ in box.notes] == ["model given up"]
    box.store.end_begun()  # With room again, but this model is not to be tried another time.
    if is_full_for_good:
        monkeypatch.setattr(type(box.store), "_save", full)
    assert Box(shelf).updater.running().version == "1.0.0"


def test_only_what_was_on_trial_is_noted(shelf):
    """Somebody went back by the command line meanwhile."""
    for problem in (None, "the model does not answer"):
        shelf.good(ONE)
        shelf.store.install(TWO, force=False)
        box = Box(shelf)
        shelf.store.roll_back()
        box.now_s = 600
        box.updater.report("model", problem)
        assert (box.notes, box.restarts) == ([], [])


def test_no_thread_is_left(shelf):
    Box(shelf).install(ONE)
    for thread in threading.enumerate():
        if thread.name == "update":
            thread.join(10)
            assert not thread.is_alive()
