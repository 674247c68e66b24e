"""The box's own certificate: made once, for its names, its key ours alone."""

import os
import ssl
import stat
import subprocess
from datetime import timedelta

import pytest

from device.access.certificate import given_certificate, own_certificate, validity
from device.core.errors import AccessError
from device.service.daemon import tls_context

pytestmark = pytest.mark.portable

NAMES = ("EdgeDerm", "edgederm.local", "derm.clinic.example")


@pytest.fixture
def made(tmp_path):
    return own_certificate(tmp_path / "state", NAMES)


def said_by_openssl(path, *what):
    run = subprocess.run(
        ["openssl", "x509", "-in", str(path), "-noout", *what],
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_it_is_made_once(made, tmp_path):
    again = own_certificate(tmp_path / "state", ("other",))
    assert again == made
    assert own_certificate(tmp_path / "elsewhere", NAMES).sha256 != made.sha256


def test_its_fingerprint_is_the_one_that_others_compute(made):
    said = said_by_openssl(made.certificate, "-fingerprint", "-sha256")
    assert said.strip().endswith(f"={made.fingerprint}")


def test_it_is_for_the_boxs_names_has_no_end_and_signs_nothing(made):
    text = said_by_openssl(made.certificate, "-text")
    for name in (*map(str.lower, NAMES), "localhost"):
        assert f"DNS:{name}" in text
    assert "IP Address:127.0.0.1" in text
    assert "CA:FALSE" in text
    assert "TLS Web Server Authentication" in text
    assert "9999" in text
    assert "2020" in text


def test_its_time_is_read_from_it(made, tmp_path):
    beginning, end = validity(made.certificate)
    assert (beginning.year, end) == (2020, None)
    ending = tmp_path / "ending.pem"
    asked = f"openssl req -x509 -key {made.key} -subj /CN=x -days 90 -out {ending}"
    subprocess.run(asked.split(), capture_output=True, check=True)
    beginning, end = validity(ending)
    assert end - beginning == timedelta(days=90)
    said = said_by_openssl(ending, "-enddate", "-dateopt", "iso_8601")
    assert said.strip() == f"notAfter={end:%Y-%m-%d %H:%M:%SZ}"


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_what_is_no_certificate_has_no_time(tmp_path, content):
    path = tmp_path / "none.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AccessError, match="tls: expected"):
        validity(path)


def test_its_key_is_ours_alone(tmp_path):
    before = os.umask(0)
    try:
        made = own_certificate(tmp_path / "state", NAMES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.certificate.stat().st_mode) == 0o644
    assert stat.S_IMODE(made.key.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in made.key.parent.iterdir()) == [
        "certificate.pem",
        "key.pem",
    ]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620])
def test_a_key_that_others_could_read_is_not_used(made, tmp_path, mode):
    made.key.chmod(mode)
    with pytest.raises(AccessError, match=rf"found rights {mode:04o}; .* delete it and "):
        own_certificate(tmp_path / "state", NAMES)


def test_one_of_the_two_alone_is_made_anew(made, tmp_path):
    made.certificate.unlink()
    again = own_certificate(tmp_path / "state", NAMES)
    assert again.sha256 != made.sha256
    tls_context(again.certificate, again.key)


def test_the_first_certificate_of_a_chain_is_the_one_that_is_shown(made, tmp_path):
    other = own_certificate(tmp_path / "other", NAMES)
    chain = tmp_path / "chain.pem"
    chain.write_text(
        f"a line for people\n{made.certificate.read_text()}{other.certificate.read_text()}"
    )
    assert given_certificate(chain, made.key).sha256 == made.sha256


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----", b"\xff\x00", None])
def test_what_is_no_certificate_is_named(made, tmp_path, content):
    path = tmp_path / "given.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AccessError, match=str(path)):
        given_certificate(path, made.key)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AccessError, match="expected to write a certificate"):
        own_certificate(tmp_path / "file", NAMES)


def test_a_key_of_another_certificate_is_refused(made, tmp_path):
    other = own_certificate(tmp_path / "other", NAMES)
    with pytest.raises(AccessError, match="expected a certificate in"):
        tls_context(made.certificate, other.key)
    with pytest.raises(AccessError, match="No such file"):
        tls_context(made.certificate, tmp_path / "none")


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(made, tmp_path):
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "pkey", "-in", str(made.key), "-aes256", "-passout", "pass:x", "-out",
         str(locked)],
        check=True,
    )  # fmt: skip
    with pytest.raises(AccessError, match="without a password"):
        tls_context(made.certificate, locked)


def test_nothing_older_than_tls_1_2_is_spoken(made):
    assert tls_context(made.certificate, made.key).minimum_version == ssl.TLSVersion.TLSv1_2
