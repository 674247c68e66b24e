"""
The certificate by which the box shows who it is: one that was given, or one that it makes itself.

A certificate of its own is trusted for its fingerprint, which people compare, and not for who
signed it or how old it is: a box without a clock could not tell the end of one.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from device.core.errors import AccessError

CERTIFICATE_NAME, KEY_NAME = "certificate.pem", "key.pem"
_BEGINNING = datetime(2020, 1, 1, tzinfo=timezone.utc)
"""Before any time that a clock without a battery goes on from."""
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
"""RFC 5280, section 4.1.2.5: a certificate without a good end has this one."""
_LONGEST_COMMON_NAME = 64
_FOREIGN_BITS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Two PEM files and what people compare."""

    certificate: Path
    key: Path
    sha256: str
    """Of the certificate's DER form, lower-case hexadecimal."""

    @property
    def fingerprint(self) -> str:
        """As browsers and openssl show it."""
        return ":".join(self.sha256[at : at + 2] for at in range(0, 64, 2)).upper()


def given_certificate(certificate: Path, key: Path) -> Certificate:
    """
    Take the files that the settings name.

    Raises:
        AccessError: The certificate is none, or cannot be read.
    """
    try:
        text = certificate.read_text(encoding="ascii", errors="replace")
        first = text[text.index("-----BEGIN CERTIFICATE-----") :]
        end = "-----END CERTIFICATE-----"
        der = ssl.PEM_cert_to_DER_cert(first[: first.index(end) + len(end)])
    except OSError as error:
        raise AccessError(f"tls: expected to read {certificate}, found {error.strerror}") from error
    except ValueError as error:
        raise AccessError(
            f"tls: expected a certificate as a PEM file, found something else in {certificate}"
        ) from error
    return Certificate(certificate=certificate, key=key, sha256=hashlib.sha256(der).hexdigest())


def own_certificate(folder: Path, names: Iterable[str]) -> Certificate:
    """
    Return the box's own certificate, made now if there is none.

    Args:
        folder: State directory of the box.
        names: Host names that go into a new one, besides this machine's.

    Raises:
        AccessError: It cannot be read or written, or others could read its key.
    """
    certificate, key = folder / CERTIFICATE_NAME, folder / KEY_NAME
    if not (certificate.exists() and key.exists()):
        _make(certificate, key, names)
    rights = key.stat().st_mode
    if rights & _FOREIGN_BITS:
        raise AccessError(
            f"tls: expected {key} to be this user's alone, found rights "
            f"{stat.S_IMODE(rights):04o}; whoever could read it can pretend to be this box: delete "
            f"it and {certificate}, and restart"
        )
    return given_certificate(certificate, key)


def validity(certificate: Path) -> tuple[datetime, datetime | None]:
    """
    Return from when to when a certificate is good, in UTC; None where it has no good end.

    Raises:
        AccessError: It cannot be read, or is none.
    """
    from cryptography import x509

    try:
        first = x509.load_pem_x509_certificate(certificate.read_bytes())
    except OSError as error:
        raise AccessError(f"tls: expected to read {certificate}, found {error.strerror}") from error
    except ValueError as error:
        raise AccessError(
            f"tls: expected a certificate as a PEM file, found something else in {certificate}"
        ) from error
    end = first.not_valid_after_utc
    return first.not_valid_before_utc, None if end == _NEVER else end


def _make(certificate: Path, key: Path, names: Iterable[str]) -> None:
    # A box loads it on its first start in a network, and never again.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    hosts = list(dict.fromkeys([*map(str.lower, names), "localhost"]))
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "EdgeDerm"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0][:_LONGEST_COMMON_NAME]),
        ]
    )
    loopback = [ipaddress.ip_address(address) for address in ("127.0.0.1", "::1")]
    alternatives = [*map(x509.DNSName, hosts), *map(x509.IPAddress, loopback)]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGINNING)
        .not_valid_after(_NEVER)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        # It speaks for itself alone: who trusts it trusts nothing that it might sign.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(private, hashes.SHA256())
    )
    key_pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The certificate comes last: with it, both are there.
        _write(key, key_pem, 0o600)
        _write(certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)
    except OSError as error:
        raise AccessError(
            f"tls: expected to write a certificate into {key.parent}, found {error.strerror}"
        ) from error


def _write(path: Path, content: bytes, mode: int) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    with suppress(FileNotFoundError):
        unfinished.unlink()
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    unfinished.replace(path)
