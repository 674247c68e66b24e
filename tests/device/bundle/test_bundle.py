"""A bundle is what a trusted key signed, byte for byte, or it is refused."""

import io
import tarfile
from pathlib import Path

import pytest

from device.bundle import bundle, open_bundle
from device.bundle.bundle import SIGNED_FROM, check_size
from device.bundle.tar import header
from device.core.errors import BundleError, BundleFault
from tests.bundles import BROKEN, WORDS, Signer, a_bundle, a_trust, members_of, some_goldens

pytestmark = pytest.mark.portable

TRUST = a_trust(Signer(1), Signer(2), revoked=(Signer(2),))


def test_what_was_packed_is_read():
    opened = open_bundle(a_bundle(version="1.2.3"), TRUST)
    assert opened.model == WORDS
    assert opened.goldens == some_goldens()
    assert opened.manifest.key_id == Signer(1).name
    assert opened.words.startswith("test 1.2.3 (")


def test_a_bundle_of_an_earlier_version_is_read():
    """The others are written and read by one code, which may change: boxes have this one."""
    opened = open_bundle(Path(__file__).with_name("released.edm").read_bytes(), TRUST)
    assert opened.model == WORDS
    assert opened.words.startswith("test 1.0.0 (")


def test_the_same_gives_the_same_bytes():
    assert a_bundle() == a_bundle()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_bundle_is_refused_with_its_fault(name):
    with pytest.raises(BundleError) as caught:
        open_bundle(BROKEN[name].make(), TRUST)
    assert caught.value.fault.value == BROKEN[name].fault
    assert "expected" in str(caught.value)


def test_every_fault_that_reading_can_find_has_a_broken_bundle():
    found_later = {BundleFault.OLDER, BundleFault.PROOF}
    assert {broken.fault for broken in BROKEN.values()} == {
        fault.value for fault in set(BundleFault) - found_later
    }


def test_no_byte_can_be_changed():
    """Every byte of a small bundle, one after the other."""
    content = a_bundle()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 0x20
        with pytest.raises(BundleError):
            open_bundle(bytes(changed), TRUST)


def test_nothing_is_read_before_the_signature_is_right(monkeypatch):
    def must_not(*_):
        pytest.fail("read before its signature was checked")

    monkeypatch.setattr(bundle, "unpack_members", must_not)
    changed = a_bundle()[:-2000] + bytes(2000)
    with pytest.raises(BundleError):
        open_bundle(changed, TRUST)


def test_the_size_is_looked_at_before_all_else(monkeypatch):
    monkeypatch.setattr(bundle, "Signature", None)
    with pytest.raises(BundleError) as caught:
        open_bundle(bytes(bundle.MOST_BYTES + 1), TRUST)
    assert caught.value.fault is BundleFault.TOO_LARGE
    check_size(bundle.MOST_BYTES)


def test_any_tool_can_unpack_it():
    with tarfile.open(fileobj=io.BytesIO(a_bundle())) as tar:
        names = [member.name for member in tar]
        assert all(member.isreg() and member.mode == 0o644 for member in tar)
    assert names == ["signature.minisig", "manifest.json", "goldens.json", "model.onnx"]
    assert members_of(a_bundle()[SIGNED_FROM:])["model.onnx"] == WORDS


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 8**11 - 1])
def test_a_header_is_that_of_a_plain_file(size):
    info = tarfile.TarInfo.frombuf(header("model.onnx", size), "ascii", "strict")
    assert (info.name, info.size, info.mode) == ("model.onnx", size, 0o644)
    assert info.isreg()
    assert (info.uid, info.gid, info.mtime, info.linkname) == (0, 0, 0, "")


def test_a_bundle_that_no_box_would_take_is_not_made():
    with pytest.raises(BundleError):
        a_bundle(bytes(bundle.MOST_BYTES))
    for changes in ({"name": "Upper"}, {"name": "a/b"}, {"version": "1.0"}, {"version": "01.0.0"}):
        with pytest.raises(ValueError, match="pattern"):
            a_bundle(**changes)
