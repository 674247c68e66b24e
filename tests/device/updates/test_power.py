"""
The power is cut before every step of every change: there is always the old model or the new one.

After each cut the disk may have kept all that was done, or lost what was not synced: the content
of files, the names of files, or both.
"""

import shutil

import pytest

from device.updates import durable
from tests.bundles import a_bundle
from tests.power import LOSSES, CutDisk, PowerCutError

pytestmark = pytest.mark.portable

ONE, TWO, THREE, FOUR = (a_bundle(version=f"{number}.0.0") for number in (1, 2, 3, 4))


def two_are_kept(shelf):
    shelf.good(ONE)
    shelf.good(TWO)


def one_is_on_trial(shelf):
    two_are_kept(shelf)
    shelf.store.install(THREE, force=False)


def one_is_tried(shelf):
    one_is_on_trial(shelf)
    list(shelf.opened().candidates(is_start=True))


# What was done before, the change, and which model is the most wanted before and after.
CHANGES = {
    "the first installation": (
        lambda shelf: None,
        lambda store: store.install(ONE, force=False),
        {"shipped", "1.0.0"},
    ),
    "a further installation": (
        two_are_kept,
        lambda store: store.install(THREE, force=False),
        {"2.0.0", "3.0.0"},
    ),
    "an installation during a trial": (
        one_is_tried,
        lambda store: store.install(FOUR, force=False),
        {"3.0.0", "4.0.0"},
    ),
    "the beginning of a trial": (
        one_is_on_trial,
        lambda store: list(store.candidates(is_start=True)),
        {"3.0.0"},
    ),
    "a start after a crash on trial": (
        one_is_tried,
        lambda store: list(store.candidates(is_start=True)),
        {"3.0.0", "2.0.0"},
    ),
    "an end in order": (
        one_is_tried,
        lambda store: store.end(store.choice().current),
        {"3.0.0"},
    ),
    "a trial that is over": (
        one_is_tried,
        lambda store: store.mark_good(store.choice().current),
        {"3.0.0"},
    ),
    "a model that is given up": (
        one_is_tried,
        lambda store: store.give_up(store.choice().current, "no answer"),
        {"3.0.0", "2.0.0"},
    ),
    "a return": (two_are_kept, lambda store: store.roll_back(), {"2.0.0", "1.0.0"}),
    "a return to the shipped model": (
        two_are_kept,
        lambda store: store.roll_back(to_shipped=True),
        {"2.0.0", "shipped"},
    ),
}


def cut(shelf, change, monkeypatch, disk):
    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", disk)
        try:
            change(shelf.opened())
        except PowerCutError:
            return True
    return False


@pytest.mark.parametrize("name", CHANGES)
def test_a_cut_at_any_step_leaves_the_old_model_or_the_new_one(name, shelf, monkeypatch):
    prepare, change, allowed = CHANGES[name]
    prepare(shelf)
    saved = shelf.folder.with_name("saved")
    if shelf.folder.exists():
        shutil.copytree(shelf.folder, saved)
    counted = CutDisk()
    assert not cut(shelf, change, monkeypatch, counted)
    assert counted.steps >= 5  # Made, written, synced, renamed, and the folder synced.
    after = shelf.versions()[0]
    seen = set()
    for step in range(counted.steps):
        for loss in LOSSES:
            shutil.rmtree(shelf.folder, ignore_errors=True)
            if saved.exists():
                shutil.copytree(saved, shelf.folder)
            disk = CutDisk(step)
            assert cut(shelf, change, monkeypatch, disk)
            disk.lose(loss)
            found = shelf.versions()
            assert found[0] in allowed, f"step {step}, lost {loss}"
            assert found[-1] == "shipped"
            seen.add(found[0])
            # The box starts, and the next change works as if nothing had been.
            assert shelf.versions(is_start=True)
            outcome = shelf.opened().install(a_bundle(version="9.0.0"), force=False)
            assert shelf.versions()[0] == "9.0.0"
            kept = {path.name for path in shelf.store.folder.glob("*.edm")}
            assert outcome.entry.file in kept
            assert len(kept) <= 2
    assert after in allowed
    if len(allowed) == 2:
        assert seen == allowed  # Some cuts came before the change counted, some after.


def test_what_was_told_to_be_done_stays_done(shelf, monkeypatch):
    """After a change has returned, a cut takes nothing back, whatever the disk had not synced."""
    for name, (prepare, change, _) in CHANGES.items():
        shutil.rmtree(shelf.folder, ignore_errors=True)
        prepare(shelf)
        disk = CutDisk()
        cut(shelf, change, monkeypatch, disk)
        done = shelf.store.choice()
        disk.lose("data and names")
        assert shelf.store.choice() == done, name
