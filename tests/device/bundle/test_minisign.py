"""The form of minisign: what its own program wrote is read, and ours is read by it."""

import shutil
import subprocess

import pytest

from device.bundle.bundle import SIGNED_FROM
from device.bundle.minisign import PublicKey, Signature, check
from device.core.errors import BundleError
from tests.bundles import Signer, a_bundle, members_of

pytestmark = pytest.mark.portable

# Made with minisign 0.11: minisign -G; echo hi > f; minisign -S -m f -t "name 1.0"
PUBLIC = b"""untrusted comment: minisign public key EE6EB6E24CEA9F29
RWQpn+pM4rZu7s+lqymuVDwKjZvs4l43FJW3/1pkhZQwwliy5cSOf4z+
"""
SIGNATURE = b"""untrusted comment: signature from minisign secret key
RUQpn+pM4rZu7nMh9jFXSGImvksCFErkv1+9F0pcLDrGguZM8lUSBlSFUpMG2Ef2UtDcWsmrHJBeSkyuzCQiSHkz/Uqo3BI8Yws=
trusted comment: name 1.0
Xo0CXypLXYrUlsFZ2CQotsu+U5q6Q0F48sIpLacaCsOUMyJP4CvaHIChJM1NHVA/FS43lYDrQ25HUjtWTuKFAA==
"""


def test_what_minisign_signed_is_accepted():
    key = PublicKey.parse(PUBLIC)
    assert key.name == "EE6EB6E24CEA9F29"
    signature = Signature.parse(SIGNATURE)
    assert signature.comment == "name 1.0"
    check(b"hi\n", signature, key)
    with pytest.raises(BundleError, match="EE6EB6E24CEA9F29 signed"):
        check(b"ho\n", signature, key)


@pytest.mark.skipif(
    not shutil.which("minisign"), reason="needs minisign: sudo apt install minisign"
)
def test_minisign_accepts_what_is_signed_here(tmp_path):
    bundle = a_bundle()
    (tmp_path / "key.pub").write_bytes(Signer().public.text())
    (tmp_path / "signature.minisig").write_bytes(members_of(bundle)["signature.minisig"])
    (tmp_path / "rest").write_bytes(bundle[SIGNED_FROM:])
    command = ["minisign", "-V", "-p", "key.pub", "-x", "signature.minisig", "-m", "rest"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Trusted comment: test 1.0.0" in done.stdout


def test_a_key_is_written_as_it_is_read():
    key = Signer(4).public
    assert PublicKey.parse(key.text()) == key


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"RWQpn+pM4rZu7s+lqymuVDwKjZvs4l43FJW3/1pkhZQwwliy5cSOf4z+\n",
        PUBLIC[:-1],
        PUBLIC + b"\n",
        PUBLIC.replace(b"RWQ", b"RUQ"),
        PUBLIC.replace(b"RWQ", b"rwq"),
        PUBLIC.replace(b"z+\n", b"z+ \n"),
        PUBLIC.replace(b"\n", b"\r\n"),
        PUBLIC.replace(b"z+\n", b"\n"),
        PUBLIC.replace(b"public", b"publi\xff"),
        PUBLIC * 20,
    ],
)
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(ValueError, match=r"expected|ascii"):
        PublicKey.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        SIGNATURE.replace(b"RUQ", b"RWQ"),  # The older form, without a digest.
        SIGNATURE.replace(b"trusted comment: name", b"comment: name"),
        SIGNATURE.replace(b"KFAA==", b"KFAB=="),  # Bits that base64 leaves unused.
        SIGNATURE.replace(b"name 1.0", b"name\x1b1.0"),
        SIGNATURE + b"more\n",
        SIGNATURE.replace(b"name 1.0", b"n" * 1000),
    ],
)
def test_what_is_no_signature_is_refused(text):
    with pytest.raises(BundleError, match="minisign signature"):
        Signature.parse(text)


def test_the_comment_is_signed_too():
    signature = Signature.parse(SIGNATURE.replace(b"name 1.0", b"name 9.0"))
    with pytest.raises(BundleError):
        check(b"hi\n", signature, PublicKey.parse(PUBLIC))
