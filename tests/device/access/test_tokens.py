"""The list of tokens: nobody but us reads or writes it, and it opens nothing to who does."""

import hmac
import json
import os
import re
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.access import tokens as module
from device.access.tokens import FILE_NAME, MOST_TOKENS, TokenFile
from device.core.access import Role
from device.core.errors import AccessError

pytestmark = pytest.mark.portable


@pytest.fixture
def tokens(tmp_path):
    return TokenFile(tmp_path / "state")


@pytest.fixture
def two(tokens):
    """A list with two tokens: the first one, its secret, and the list."""
    token, secret = tokens.add(name="front desk", role=Role.OPERATE)
    tokens.add(name="prometheus", role=Role.READ)
    return token, secret, tokens


def test_a_token_is_found_by_its_secret_and_nothing_else(two):
    token, secret, tokens = two
    assert re.fullmatch(r"edgederm-[a-z2-7]{8}-[a-z2-7]{32}", secret)
    assert tokens.find(secret) == token
    assert tokens.holds(token.token_id) == token
    assert [one.name for one in tokens.all()] == ["front desk", "prometheus"]
    for wrong in (secret[:-1], secret + "a", secret.upper(), f" {secret}", "", "edgederm", "\x00"):
        assert tokens.find(wrong) is None
    swapped = secret.replace(token.token_id, tokens.all()[1].token_id)
    assert tokens.find(swapped) is None


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_breaks_the_search(tmp_path_factory, text):
    """Lone surrogates included."""
    assert TokenFile(tmp_path_factory.getbasetemp() / "none").find(text) is None


def test_no_two_tokens_are_alike(tokens):
    made = [tokens.add(name="x", role=Role.READ)[1] for _ in range(20)]
    assert len({secret.rpartition("-")[2] for secret in made}) == 20


def test_every_search_compares_in_constant_time(two, monkeypatch):
    """A wrong id, a wrong secret and plain nonsense cost the same comparison."""
    _, secret, tokens = two
    compared, compare_digest = [], hmac.compare_digest

    def compare(found, expected):
        compared.append((len(found), len(expected)))
        return compare_digest(found, expected)

    monkeypatch.setattr(module.hmac, "compare_digest", compare)
    wrong_id = "edgederm-" + "z" * 8 + secret[17:]
    for given_secret in (secret, secret[:-4] + "aaaa", wrong_id, "nonsense", ""):
        tokens.find(given_secret)
    assert compared == [(64, 64)] * 5


def test_the_empty_digest_opens_nothing(tokens):
    """What stands for nobody is the hash of no bytes, which no token is."""
    assert tokens.find("") is None


def test_the_file_tells_no_secret_and_is_ours_alone(two):
    _, secret, tokens = two
    assert secret.rpartition("-")[2] not in tokens.path.read_text()
    for path, mode in ((tokens.path, 0o600), (tokens.path.parent, 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert {path.name for path in tokens.path.parent.iterdir()} == {FILE_NAME, "tokens.lock"}


def test_a_loose_umask_loosens_nothing(tmp_path):
    before = os.umask(0)
    try:
        tokens = TokenFile(tmp_path / "state")
        tokens.add(name="x", role=Role.READ)
    finally:
        os.umask(before)
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tokens.path.parent.stat().st_mode) == 0o700


def test_revoked_is_revoked_at_once_and_for_another_process_too(two):
    token, secret, tokens = two
    other = TokenFile(tokens.path.parent)
    assert other.find(secret) == token
    assert tokens.revoke(token.token_id) == token
    assert other.find(secret) is None
    assert other.holds(token.token_id) is None
    assert tokens.revoke(token.token_id) is None
    assert len(other.all()) == 1


def test_the_file_is_read_again_only_when_it_is_another(two, monkeypatch):
    _, secret, tokens = two
    tokens.find(secret)
    monkeypatch.setattr(module._File, "model_validate_json", None)
    assert tokens.find(secret) is not None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o602, 0o601])
def test_a_file_that_others_can_reach_lets_nobody_in(two, mode):
    _, secret, tokens = two
    tokens.path.chmod(mode)
    with pytest.raises(AccessError, match=rf"found {mode:04o}; .* chmod 600 .* revoke its tokens"):
        tokens.find(secret)
    tokens.path.chmod(0o600)
    assert tokens.find(secret) is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_lets_nobody_in(two):
    _, secret, tokens = two
    os.chown(tokens.path, 12345, 12345)
    with pytest.raises(AccessError, match="found one of user 12345"):
        tokens.find(secret)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_change_is_for_the_owner_of_the_folder_alone(two):
    """Root would leave a file behind that the service cannot read."""
    *_, tokens = two
    os.chown(tokens.path.parent, 12345, 12345)
    with pytest.raises(AccessError, match=r"user 12345.*sudo -u '#12345'"):
        tokens.add(name="x", role=Role.READ)
    assert len(tokens.all()) == 2


def entry(**changes):
    return {
        "token_id": "aaaaaaaa",
        "name": "x",
        "role": "read",
        "created_at": "2026-03-01T00:00:00Z",
        "sha256": "0" * 64,
        **changes,
    }


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{",
        '{"version": 2, "tokens": []}',
        json.dumps({"version": 1, "tokens": [entry(role="root")]}),
        json.dumps({"version": 1, "tokens": [entry(sha256="")]}),
        json.dumps({"version": 1, "tokens": [entry(sha256="A" * 64)]}),
        json.dumps({"version": 1, "tokens": [entry(token_id="../../x")]}),
        json.dumps({"version": 1, "tokens": [entry(extra=1)]}),
        json.dumps({"version": 1, "tokens": [entry(created_at="2026-03-01T00:00:00")]}),
        json.dumps({"version": 1, "tokens": [entry()] * (MOST_TOKENS + 1)}),
        " " * 100_000 + '{"version": 1}',
        "\x00\x01\x02",
    ],
)
def test_a_file_that_is_not_our_list_lets_nobody_in_not_even_those_before(two, content):
    _, secret, tokens = two
    assert tokens.find(secret) is not None
    tokens.path.write_text(content)
    for _ in range(2):
        with pytest.raises(AccessError, match="expected our list of tokens"):
            tokens.find(secret)
    with pytest.raises(AccessError):
        tokens.add(name="x", role=Role.ADMIN)
    assert tokens.path.read_text() == content


def test_a_link_a_folder_or_a_pipe_is_no_list(two, tmp_path):
    _, secret, tokens = two
    aside = tmp_path / "aside.json"
    tokens.path.rename(aside)
    tokens.path.symlink_to(aside)
    with pytest.raises(AccessError, match="expected to read it"):
        tokens.find(secret)
    tokens.path.unlink()
    os.mkfifo(tokens.path, 0o600)
    with pytest.raises(AccessError, match="expected a file, found something else"):
        tokens.find(secret)
    tokens.path.unlink()
    tokens.path.mkdir(0o700)
    with pytest.raises(AccessError):
        tokens.find(secret)


def test_without_a_file_there_is_nobody(tokens):
    assert tokens.all() == ()
    assert tokens.find("edgederm-aaaaaaaa-" + "a" * 32) is None
    assert tokens.revoke("aaaaaaaa") is None


def test_a_deleted_file_lets_nobody_in_any_more(two):
    _, secret, tokens = two
    assert tokens.find(secret)
    tokens.path.unlink()
    assert tokens.find(secret) is None


@pytest.mark.parametrize("name", ["", " ", " x", "x ", "a\nb", "a\tb", "\x7f", "x" * 65, "a\x00"])
def test_a_name_is_for_people(tokens, name):
    with pytest.raises(AccessError, match="expected a name of 1 to 64 visible characters"):
        tokens.add(name=name, role=Role.READ)
    assert tokens.all() == ()


@pytest.mark.parametrize("name", ["x", "Dr. Müller's phone", "x" * 64, "前台"])
def test_a_name_may_be_what_people_call_it(tokens, name):
    token, _ = tokens.add(name=name, role=Role.READ)
    assert TokenFile(tokens.path.parent).holds(token.token_id).name == name


def test_there_is_an_end_to_tokens(tokens):
    for number in range(MOST_TOKENS):
        tokens.add(name=str(number), role=Role.READ)
    with pytest.raises(AccessError, match="revoke one"):
        tokens.add(name="one more", role=Role.READ)
    assert len(tokens.all()) == MOST_TOKENS


def test_many_who_change_at_once_lose_nothing(tmp_path):
    """Each with a list of its own, as processes have."""
    lists = [TokenFile(tmp_path) for _ in range(8)]

    def add(one):
        for _ in range(4):
            one.add(name="x", role=Role.READ)

    threads = [threading.Thread(target=add, args=(one,)) for one in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(one.all()) == 32 for one in lists)


def test_what_a_power_cut_left_behind_is_no_hindrance(two):
    *_, tokens = two
    tokens.path.with_name(f".{FILE_NAME}.unfinished").write_text("half")
    tokens.add(name="x", role=Role.READ)
    assert len(tokens.all()) == 3


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AccessError, match=re.escape(str(tmp_path / "file" / FILE_NAME))):
        TokenFile(tmp_path / "file").add(name="x", role=Role.READ)
