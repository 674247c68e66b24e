"""A signing key is of no use without its passphrase, and no key is ever overwritten."""

import base64
import shutil
import stat
import subprocess

import pytest

from device.bundle.minisign import PublicKey, check
from training.export.errors import ExportError
from training.export.keys import MOST, USUAL, Stretching, make_key, read_key

PASSPHRASE = "correct horse battery staple"
CHEAP = Stretching(operations=2**15, memory_bytes=2**20)
"""So that no test takes a gigabyte."""


@pytest.fixture
def made(tmp_path):
    return make_key(tmp_path / "keys", "mine", PASSPHRASE, stretching=CHEAP)


def test_a_key_signs_what_its_public_half_accepts(made):
    key = read_key(made.with_suffix(".key"), PASSPHRASE)
    public = PublicKey.parse(made.read_bytes())
    assert key.public == public
    signature = key.sign(b"content", "comment")
    check(b"content", signature, public)
    assert key.sign(b"content", "comment") == signature


def test_the_secret_half_is_for_its_owner_alone(made):
    assert stat.S_IMODE(made.with_suffix(".key").stat().st_mode) == 0o600


def test_no_word_of_the_secret_is_printed(made):
    key = read_key(made.with_suffix(".key"), PASSPHRASE)
    seed = key.private.private_bytes_raw()
    assert seed.hex() not in repr(key)
    assert "private" not in repr(key)
    assert seed not in base64.b64decode(made.with_suffix(".key").read_text().splitlines()[1])


@pytest.mark.parametrize("wrong", ["", "correct horse battery stapl", PASSPHRASE + " "])
def test_another_passphrase_opens_nothing(made, wrong):
    with pytest.raises(ExportError, match="not its passphrase"):
        read_key(made.with_suffix(".key"), wrong)


def test_a_short_passphrase_is_refused(tmp_path):
    with pytest.raises(ExportError, match="at least 12 characters"):
        make_key(tmp_path, "mine", "letmein", stretching=CHEAP)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".key", ".pub"])
def test_a_key_is_never_overwritten(made, suffix):
    made.with_suffix({".key": ".pub", ".pub": ".key"}[suffix]).unlink()
    kept = made.with_suffix(suffix).read_bytes()
    with pytest.raises(ExportError, match="never overwritten"):
        make_key(made.parent, "mine", PASSPHRASE, stretching=CHEAP)
    assert made.with_suffix(suffix).read_bytes() == kept


def changed(made, change):
    path = made.with_suffix(".key")
    first, second = path.read_text().splitlines()
    content = bytearray(base64.b64decode(second))
    change(content)
    path.write_text(f"{first}\n{base64.b64encode(content).decode()}\n")
    return path


def without_passphrase(content):
    content[2:4] = bytes(2)


def without_end(content):
    content[38:46] = b"\xff" * 8


def of_another_kind(content):
    content[0:2] = b"XX"


def one_bit(content):
    content[-1] ^= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_passphrase, "found one without"),
        (without_end, "found something else"),
        (of_another_kind, "found something else"),
        (one_bit, "not its passphrase"),
    ],
)
def test_a_spoilt_key_is_refused(made, change, words):
    with pytest.raises(ExportError, match=words):
        read_key(changed(made, change), PASSPHRASE)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a\nno base64 \xc3\xa4\n", b"a\nAAAA\n"])
def test_what_is_no_key_is_refused(tmp_path, content):
    (tmp_path / "x.key").write_bytes(content)
    with pytest.raises(ExportError, match="expected the secret key"):
        read_key(tmp_path / "x.key", PASSPHRASE)
    with pytest.raises(ExportError, match="cannot be read"):
        read_key(tmp_path / "none.key", PASSPHRASE)


def test_the_public_half_cannot_sign(made):
    with pytest.raises(ExportError, match=r"the \.pub file cannot sign"):
        read_key(made, PASSPHRASE)


def test_a_guess_costs_a_gigabyte_as_in_minisign():
    """With libsodium's limits for sensitive data: N 2^20, r 8, p 1."""
    assert USUAL._parameters() == (2**20, 1)
    assert MOST._parameters()[0] == 2**22
    assert Stretching(operations=2**15, memory_bytes=2**24)._parameters() == (2**10, 1)


@pytest.mark.skipif(
    not shutil.which("minisign"), reason="needs minisign: sudo apt install minisign"
)
def test_minisign_signs_with_our_key(made):
    """So a model can be signed where there is no training."""
    (made.parent / "file").write_text("content")
    subprocess.run(
        ["minisign", "-S", "-s", "mine.key", "-m", "file"],
        cwd=made.parent,
        input=PASSPHRASE + "\n",
        text=True,
        capture_output=True,
        check=True,
    )
    subprocess.run(
        ["minisign", "-V", "-p", "mine.pub", "-m", "file"],
        cwd=made.parent,
        capture_output=True,
        check=True,
    )
