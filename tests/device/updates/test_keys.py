"""Which keys count: those of a folder that nobody else can write, but for the revoked ones."""

import os

import pytest

from device.core.errors import BundleError
from device.updates.keys import read_keys
from tests.bundles import Signer, a_key_folder

pytestmark = pytest.mark.portable

ONE, TWO = Signer(1), Signer(2)


def test_all_keys_of_the_folder_are_trusted(tmp_path):
    """So a new key can be handed out before the old one is taken away."""
    folder = a_key_folder(tmp_path / "keys", ONE, TWO)
    (folder / "README").write_text("not a key")
    trust = read_keys(folder)
    assert trust.trusted == tuple(sorted([ONE.name, TWO.name]))
    assert trust.place == str(folder)


def test_a_revoked_key_is_not_trusted_though_it_is_there(tmp_path):
    folder = a_key_folder(tmp_path / "keys", ONE, TWO, revoked=(ONE,))
    assert read_keys(folder).trusted == (TWO.name,)


def test_a_list_of_the_revoked_may_be_written_by_people(tmp_path):
    folder = a_key_folder(tmp_path / "keys", ONE)
    (folder / "revoked.txt").write_text(f"# lost with the laptop\n\n  {ONE.name.lower()} # 2026\n")
    (folder / "revoked.txt").chmod(0o644)
    assert read_keys(folder).trusted == ()


def test_without_a_folder_nothing_is_trusted(tmp_path):
    trust = read_keys(tmp_path / "none")
    assert trust.trusted == ()
    assert "does not exist" in trust.place


@pytest.mark.parametrize("name", ["folder", "key", "revoked.txt"])
@pytest.mark.parametrize("rights", [0o775, 0o757])
def test_what_others_can_write_makes_all_keys_worthless(tmp_path, name, rights):
    folder = a_key_folder(tmp_path / "keys", ONE, revoked=(TWO,))
    path = {"folder": folder, "key": folder / f"{ONE.name}.pub"}.get(name, folder / name)
    path.chmod(rights)
    with pytest.raises(BundleError, match="only root or this user"):
        read_keys(folder)


def test_what_belongs_to_another_user_makes_all_keys_worthless(tmp_path, monkeypatch):
    folder = a_key_folder(tmp_path / "keys", ONE)
    owner = folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert read_keys(folder).trusted == (ONE.name,)  # Root's folder is the best one.
        os.chown(folder, 4711, 4711)
    with pytest.raises(BundleError, match="only root or this user"):
        read_keys(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bad.pub", b"no key\n"),
        ("long.pub", b"x" * 5000),
        ("copy.pub", ONE.public.text()),
        ("revoked.txt", b"that key of last year\n"),
        ("revoked.txt", b"#" * 70_000),
    ],
)
def test_what_is_not_understood_makes_all_keys_worthless(tmp_path, name, content):
    """A typing error must not leave a key trusted that somebody meant to revoke."""
    folder = a_key_folder(tmp_path / "keys", ONE)
    (folder / name).write_bytes(content)
    (folder / name).chmod(0o644)
    with pytest.raises(BundleError, match="keys"):
        read_keys(folder)


def test_a_pipe_is_no_key(tmp_path):
    folder = a_key_folder(tmp_path / "keys", ONE)
    os.mkfifo(folder / "pipe.pub")
    with pytest.raises(BundleError, match="expected a file"):
        read_keys(folder)


def test_too_many_keys_are_a_mistake(tmp_path):
    folder = a_key_folder(tmp_path / "keys", *(Signer(number) for number in range(65)))
    with pytest.raises(BundleError, match="one key too many"):
        read_keys(folder)
