"""Installed models: newer ones only, on trial, kept or given up, and the shipped one behind all."""

import os
import stat
import threading

import pytest

from device.core.errors import BundleError, BundleFault, UpdateError
from device.updates.store import CRASHED, read_bundle
from tests.bundles import BROKEN, Signer, a_bundle, a_trust

pytestmark = pytest.mark.portable

ONE, TWO, THREE = (a_bundle(version=f"{number}.0.0") for number in (1, 2, 3))


def test_a_box_without_installed_models_runs_the_shipped_one(shelf):
    assert shelf.versions(is_start=True) == ["shipped"]
    assert not shelf.folder.exists()


def test_an_installed_model_comes_first_and_on_trial(shelf):
    outcome = shelf.store.install(ONE, force=False)
    assert (outcome.has_changed, outcome.is_forced) == (True, False)
    first, last = shelf.store.candidates(is_start=True)
    assert (first.source, first.is_on_trial, first.entry) == ("installed", True, outcome.entry)
    assert (last.source, last.is_on_trial) == ("shipped", False)
    assert shelf.proofs == 1


def test_the_model_before_is_kept_and_older_ones_are_not(shelf):
    for bundle in (ONE, TWO, THREE):
        shelf.good(bundle)
    assert shelf.versions() == ["3.0.0", "2.0.0", "shipped"]
    assert len(list(shelf.store.folder.glob("*.edm"))) == 2


def test_what_comes_during_a_trial_returns_to_the_last_good_one(shelf):
    shelf.good(ONE)
    shelf.store.install(TWO, force=False)
    shelf.store.install(THREE, force=False)
    assert shelf.versions() == ["3.0.0", "1.0.0", "shipped"]


def test_a_box_that_ends_in_order_goes_on_with_the_trial(shelf):
    entry = shelf.store.install(ONE, force=False).entry
    for _ in range(3):
        assert shelf.versions(is_start=True)[0] == "1.0.0"
        shelf.store.end(entry)
    assert shelf.store.choice().trial == "waiting"


def test_a_crash_on_trial_returns_to_the_model_before(shelf):
    shelf.good(ONE)
    shelf.store.install(TWO, force=False)
    assert shelf.versions(is_start=True)[0] == "2.0.0"
    store = shelf.opened()
    candidates = list(store.candidates(is_start=True))
    assert [one.source for one in candidates] == ["installed", "shipped"]
    assert candidates[0].entry.version == "1.0.0"
    assert not candidates[0].is_on_trial
    assert candidates[0].instead_of.endswith(CRASHED)
    assert store.gave_up.startswith("test 2.0.0")
    # It is over for good, and the next crash changes nothing.
    assert shelf.versions(is_start=True) == ["1.0.0", "shipped"]


def test_a_crash_on_the_very_first_trial_returns_to_the_shipped_model(shelf):
    shelf.store.install(ONE, force=False)
    assert shelf.versions(is_start=True) == ["1.0.0", "shipped"]
    assert shelf.versions(is_start=True) == ["shipped"]


def test_a_crash_after_the_trial_changes_nothing(shelf):
    shelf.good(ONE)
    for _ in range(3):
        assert shelf.versions(is_start=True)[0] == "1.0.0"


def test_a_model_that_was_given_up_may_be_installed_again(shelf):
    shelf.good(ONE)
    entry = shelf.store.install(TWO, force=False).entry
    assert shelf.store.give_up(entry, "no answer")
    assert shelf.versions() == ["1.0.0", "shipped"]
    assert shelf.store.install(TWO, force=False).has_changed
    assert shelf.store.choice().returned is None


def test_only_the_model_that_runs_is_kept_or_given_up(shelf):
    one = shelf.good(ONE)
    shelf.store.install(TWO, force=False)
    before = shelf.store.choice()
    assert not shelf.store.mark_good(one)
    assert not shelf.store.give_up(one, "late")
    shelf.store.end(one)
    assert shelf.store.choice() == before


def test_the_same_bundle_twice_is_no_change(shelf):
    entry = shelf.good(ONE)
    outcome = shelf.store.install(ONE, force=False)
    assert (outcome.entry, outcome.has_changed) == (entry, False)
    assert shelf.store.choice().trial is None
    assert shelf.proofs == 1


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("harm", ["damaged", "gone", "link"])
def test_a_current_model_whose_file_is_spoilt_is_put_back(shelf, harm, force):
    shelf.good(ONE)
    entry = shelf.good(TWO)
    before = shelf.store.choice()
    path = shelf.store.folder / entry.file
    path.unlink()
    if harm == "damaged":
        path.write_bytes(TWO[:-100])
    elif harm == "link":
        path.symlink_to(shelf.folder / "elsewhere")
    assert shelf.versions(is_start=True) == ["1.0.0", "shipped"]
    outcome = shelf.store.install(TWO, force=force)
    assert (outcome.entry, outcome.has_changed, outcome.is_forced) == (entry, True, False)
    assert shelf.store.choice() == before
    assert shelf.versions(is_start=True) == ["2.0.0", "1.0.0", "shipped"]
    assert not shelf.store.install(TWO, force=force).has_changed


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("is_begun", [False, True])
def test_a_model_on_trial_whose_file_is_spoilt_is_put_back_and_tried_anew(shelf, is_begun, force):
    shelf.good(ONE)
    entry = shelf.store.install(TWO, force=False).entry
    if is_begun:
        assert shelf.versions(is_start=True)[0] == "2.0.0"
    (shelf.store.folder / entry.file).unlink()
    assert shelf.store.install(TWO, force=force).has_changed
    choice = shelf.store.choice()
    assert (choice.trial, choice.previous.version) == ("waiting", "1.0.0")
    for first in ("2.0.0", "1.0.0"):  # A crash still gives it up.
        assert shelf.versions(is_start=True)[0] == first


def test_a_model_that_was_given_up_for_its_file_is_installed_as_a_new_one(shelf):
    shelf.good(ONE)
    entry = shelf.store.install(TWO, force=False).entry
    (shelf.store.folder / entry.file).write_bytes(b"")
    assert shelf.versions(is_start=True) == ["1.0.0", "shipped"]
    assert shelf.store.install(TWO, force=False).has_changed
    choice = shelf.store.choice()
    assert (choice.trial, choice.previous.version) == ("waiting", "1.0.0")
    assert shelf.proofs == 3


def test_what_cannot_be_put_back_is_told(shelf, monkeypatch):
    entry = shelf.good(ONE)
    before = shelf.store.choice()
    (shelf.store.folder / entry.file).unlink()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("device.updates.store.put", full)
    with pytest.raises(UpdateError, match="No space left"):
        shelf.store.install(ONE, force=False)
    assert shelf.store.choice() == before


@pytest.mark.parametrize("version", ["1.0.0", "0.9.0"])
def test_what_is_not_newer_is_refused_unless_forced(shelf, version):
    shelf.good(ONE)
    other = a_bundle(b"another graph", version=version)
    with pytest.raises(BundleError) as caught:
        shelf.store.install(other, force=False)
    assert caught.value.fault is BundleFault.OLDER
    assert shelf.versions()[0] == "1.0.0"
    outcome = shelf.store.install(other, force=True)
    assert (outcome.has_changed, outcome.is_forced) == (True, True)


def test_force_that_was_not_needed_is_not_noted(shelf):
    assert not shelf.store.install(ONE, force=True).is_forced


def test_what_is_older_than_the_shipped_model_is_refused(shelf):
    with pytest.raises(BundleError, match=r"above 0\.5\.0"):
        shelf.store.install(a_bundle(version="0.4.9"), force=False)


def test_the_same_model_signed_anew_is_taken(shelf):
    """When a key is revoked, its models are signed by another one."""
    shelf.good(ONE)
    anew = a_bundle(version="1.0.0", signer=Signer(2))
    assert not shelf.store.install(anew, force=False).is_forced
    shelf.trust = a_trust(Signer(2), revoked=(Signer(1),))
    assert shelf.versions() == ["1.0.0", "shipped"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_bundle_changes_nothing(shelf, name):
    shelf.trust = a_trust(Signer(1), Signer(2), revoked=(Signer(2),))
    shelf.good(ONE)
    before = {path.name: path.read_bytes() for path in shelf.store.folder.iterdir()}
    with pytest.raises(BundleError):
        shelf.store.install(BROKEN[name].make(), force=True)
    assert {path.name: path.read_bytes() for path in shelf.store.folder.iterdir()} == before
    assert shelf.proofs == 1


def test_a_model_that_fails_its_proof_changes_nothing(shelf):
    shelf.refuses = True
    with pytest.raises(BundleError):
        shelf.store.install(ONE, force=True)
    assert shelf.versions() == ["shipped"]
    assert not list(shelf.store.folder.glob("*.edm"))


def test_a_contract_of_another_name_is_refused(shelf):
    prove = shelf.store._prove

    class Other:
        name, version, sha256 = "other", "1.0.0", "0" * 64

    shelf.store._prove = lambda content: prove(content) and Other
    with pytest.raises(BundleError, match=r"found other 1\.0\.0"):
        shelf.store.install(ONE, force=False)


@pytest.mark.parametrize("harm", ["revoked", "damaged", "gone", "exchanged", "link"])
def test_a_kept_model_that_cannot_be_used_now_is_passed_over_and_not_forgotten(shelf, harm):
    """Keys and disks are mended; then it answers again."""
    entry = shelf.good(ONE)
    path = shelf.store.folder / entry.file
    if harm == "revoked":
        shelf.trust = a_trust(Signer(1), revoked=(Signer(1),))
    elif harm == "damaged":
        path.write_bytes(ONE[:-100] + bytes([1]) + ONE[-99:])
    elif harm == "exchanged":
        path.write_bytes(TWO)
    else:
        path.unlink()
        if harm == "link":
            (shelf.folder / "elsewhere").write_bytes(ONE)
            path.symlink_to(shelf.folder / "elsewhere")
    (only,) = shelf.opened().candidates(is_start=True)
    assert only.source == "shipped"
    assert only.instead_of.startswith("test 1.0.0")
    shelf.trust = a_trust()
    path.unlink(missing_ok=True)
    path.write_bytes(ONE)
    assert shelf.versions() == ["1.0.0", "shipped"]


def test_on_trial_it_is_given_up(shelf):
    shelf.good(ONE)
    entry = shelf.store.install(TWO, force=False).entry
    (shelf.store.folder / entry.file).write_bytes(b"")
    assert shelf.versions() == ["1.0.0", "shipped"]  # Looking alone decides nothing.
    assert shelf.store.choice().trial == "waiting"
    assert shelf.versions(is_start=True) == ["1.0.0", "shipped"]
    assert shelf.store.choice().trial is None
    assert shelf.store.choice().returned.words == entry.words


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 2}', b'{"current": {"file": "../x.edm"}}', b"\xff"]
)
def test_a_record_that_is_none_means_the_shipped_model_until_the_next_installation(shelf, content):
    shelf.good(ONE)
    (shelf.store.folder / "installed.json").write_bytes(content)
    assert shelf.versions(is_start=True) == ["shipped"]
    with pytest.raises(UpdateError, match="install the model again"):
        shelf.store.choice()
    shelf.good(TWO)
    assert shelf.versions() == ["2.0.0", "shipped"]


def test_rolling_back_goes_one_step_and_then_to_the_shipped_model(shelf):
    shelf.good(ONE)
    shelf.good(TWO)
    assert shelf.store.roll_back().current.version == "1.0.0"
    assert shelf.versions() == ["1.0.0", "shipped"]
    shelf.store.roll_back()
    assert shelf.versions() == ["shipped"]
    assert not list(shelf.store.folder.glob("*.edm"))
    with pytest.raises(UpdateError, match="before it there is nothing"):
        shelf.store.roll_back()


def test_rolling_back_to_the_shipped_model_skips_the_one_before(shelf):
    shelf.good(ONE)
    shelf.good(TWO)
    assert shelf.store.roll_back(to_shipped=True).current is None
    assert shelf.versions() == ["shipped"]


def test_nobody_rolls_back_to_a_model_that_cannot_be_used(shelf):
    one = shelf.good(ONE)
    shelf.good(TWO)
    (shelf.store.folder / one.file).write_bytes(b"")
    with pytest.raises(BundleError):
        shelf.store.roll_back()
    assert shelf.versions() == ["2.0.0", "shipped"]


def test_others_may_not_look_into_the_folder(shelf):
    shelf.good(ONE)
    assert stat.S_IMODE(shelf.store.folder.stat().st_mode) == 0o700
    rights = {stat.S_IMODE(path.stat().st_mode) for path in shelf.store.folder.iterdir()}
    assert rights == {0o600}


def test_another_user_changes_nothing(shelf, monkeypatch):
    shelf.good(ONE)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(UpdateError, match="as the owner"):
        shelf.store.install(TWO, force=False)


def test_a_folder_that_cannot_be_written_is_told(tmp_path, shelf):
    shelf.folder.write_text("a file where the folder should be")
    with pytest.raises(UpdateError, match="expected to write"):
        shelf.store.install(ONE, force=False)
    assert shelf.versions(is_start=True) == ["shipped"]


def test_a_trial_that_cannot_be_noted_is_not_begun(shelf, monkeypatch):
    """It would have no way back."""
    shelf.good(ONE)
    shelf.store.install(TWO, force=False)
    store = shelf.opened()

    def full(*_):
        raise UpdateError("models: expected to write, found no room")

    monkeypatch.setattr(store, "_save", full)
    assert next(store.candidates(is_start=True)).entry.version == "1.0.0"
    assert store.choice().trial == "waiting"


def test_two_installations_at_once_come_one_after_the_other(shelf):
    threads = [
        threading.Thread(target=lambda one=one: shelf.opened().install(one, force=True))
        for one in (ONE, TWO, THREE)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    choice = shelf.store.choice()
    kept = {path.name for path in shelf.store.folder.glob("*.edm")}
    assert kept == {choice.current.file}


def test_a_file_is_read_to_its_limit_and_only_if_it_is_one(tmp_path):
    path = tmp_path / "x.edm"
    path.write_bytes(ONE)
    assert read_bundle(path) == ONE
    with path.open("wb") as file:
        file.truncate(2**40)  # Takes no room, and would take a terabyte of memory.
    with pytest.raises(BundleError, match="too-large"):
        read_bundle(path)
    os.mkfifo(tmp_path / "pipe")
    for odd in ("pipe", ".", "nothing"):
        with pytest.raises(BundleError):
            read_bundle(tmp_path / odd)
