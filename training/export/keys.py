"""
The key that signs models: made, kept behind a passphrase, used.

The file is minisign's own, so ``minisign -S`` can sign with it and a key that ``minisign -G`` made
can sign here.  The passphrase is stretched by scrypt with a gigabyte of memory, which makes trying
many of them expensive; a key without a passphrase is neither made nor taken.

Sources: https://jedisct1.github.io/minisign/ (the form of the file), RFC 7914 (scrypt); how limits
become scrypt's parameters: libsodium's documentation of ``crypto_pwhash_scryptsalsa208sha256``.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.bundle.minisign import (
    KEY_ID_BYTES,
    LONGEST_TEXT,
    PLAIN,
    PUBLIC_BYTES,
    UNTRUSTED,
    PublicKey,
    Signature,
    digest,
)
from training.export.errors import ExportError

SCRYPT, BLAKE2B = b"Sc", b"B2"
_SALT_BYTES, _SEED_BYTES, _CHECK_BYTES = 32, 32, 32
_LIMIT_BYTES = 8
_SECRET_BYTES = KEY_ID_BYTES + _SEED_BYTES + PUBLIC_BYTES + _CHECK_BYTES
_HEAD_BYTES = len(PLAIN) + len(SCRYPT) + len(BLAKE2B) + _SALT_BYTES + 2 * _LIMIT_BYTES
_SCRYPT_R = 8
_SPARE_BYTES = 2**20
SHORTEST_PASSPHRASE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretching:
    """What a guess of the passphrase costs."""

    operations: int = 2**25
    memory_bytes: int = 2**30

    def stretch(self, passphrase: str, salt: bytes) -> bytes:
        """Return as many bytes as there are secret ones."""
        n, p = self._parameters()
        return hashlib.scrypt(
            passphrase.encode(),
            salt=salt,
            n=n,
            r=_SCRYPT_R,
            p=p,
            dklen=_SECRET_BYTES,
            maxmem=128 * _SCRYPT_R * (n + p) + _SPARE_BYTES,
        )

    def _parameters(self) -> tuple[int, int]:
        operations = max(self.operations, 2**15)
        if operations < self.memory_bytes // 32:
            return _power_of_two(operations // (4 * _SCRYPT_R)), 1
        n = _power_of_two(self.memory_bytes // (128 * _SCRYPT_R))
        return n, max(1, min(operations // 4 // n, 2**30 - 1) // _SCRYPT_R)


USUAL = Stretching()
"""As minisign does it; several seconds on a laptop."""
MOST = Stretching(operations=2**28, memory_bytes=2**32)
"""A file that asks for more is not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that can sign; its private part is in no text that is made of it."""

    public: PublicKey
    private: Ed25519PrivateKey = field(repr=False)

    def sign(self, content: bytes, comment: str) -> Signature:
        """Sign *content* and *comment*; the same every time."""
        signature = self.private.sign(digest(content))
        return Signature(
            key_id=self.public.key_id,
            signature=signature,
            comment=comment,
            comment_signature=self.private.sign(signature + comment.encode()),
        )


def make_key(folder: Path, name: str, passphrase: str, *, stretching: Stretching = USUAL) -> Path:
    """
    Make a key: ``NAME.key``, to be kept secret, and ``NAME.pub``, to be put on boxes.

    Args:
        folder: Where both go; made if missing.
        name: Of the two files.
        passphrase: Without it the key is of no use to whoever finds the file.
        stretching: What a guess of it costs.

    Returns:
        The public file.

    Raises:
        ExportError: The passphrase is short, or one of the files exists: no key is ever
            overwritten.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise ExportError(
            f"passphrase: expected at least {SHORTEST_PASSPHRASE} characters, found "
            f"{len(passphrase)}; take four words that nobody would guess"
        )
    secret, public = folder / f"{name}.key", folder / f"{name}.pub"
    for path in (secret, public):
        if path.exists():
            raise ExportError(f"{path}: exists, and a key is never overwritten; take another name")
    private = Ed25519PrivateKey.generate()
    public_bytes = private.public_key().public_bytes_raw()
    # Made of the key itself, so that the name of a key says which one it is.
    key_id = digest(public_bytes)[:KEY_ID_BYTES]
    key = PublicKey(key_id=key_id, public=public_bytes)
    folder.mkdir(parents=True, exist_ok=True)
    text = _sealed(private, key, passphrase, stretching)
    _write_new(secret, text, 0o600)
    _write_new(public, key.text(), 0o644)
    return public


def read_key(path: Path, passphrase: str) -> SigningKey:
    """
    Open a secret key.

    Raises:
        ExportError: It is none, has no passphrase, or not this one.
    """
    try:
        text = path.read_bytes()[: LONGEST_TEXT + 1]
        lines = text.decode("ascii").split("\n")
        content = base64.b64decode(lines[1], validate=True)
    except OSError as error:
        raise ExportError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, IndexError):
        raise _no_key(path) from None
    kinds = (content[:2], content[2:4], content[4:6])
    if len(content) != _HEAD_BYTES + _SECRET_BYTES or kinds[::2] != (PLAIN, BLAKE2B):
        raise _no_key(path)
    if kinds[1] != SCRYPT:
        raise ExportError(
            f"{path}: expected a key behind a passphrase, found one without; whoever reads the "
            "file could sign models: make a new key, and revoke this one where it is trusted"
        )
    salt = content[6 : 6 + _SALT_BYTES]
    limits = content[6 + _SALT_BYTES : _HEAD_BYTES]
    stretching = Stretching(
        operations=int.from_bytes(limits[:_LIMIT_BYTES], "little"),
        memory_bytes=int.from_bytes(limits[_LIMIT_BYTES:], "little"),
    )
    if stretching.operations > MOST.operations or stretching.memory_bytes > MOST.memory_bytes:
        raise _no_key(path)
    opened = _mixed(content[_HEAD_BYTES:], stretching.stretch(passphrase, salt))
    key_id, opened = opened[:KEY_ID_BYTES], opened[KEY_ID_BYTES:]
    seed, public, check = opened[:32], opened[32:64], opened[64:]
    if not secrets.compare_digest(check, _check(key_id, seed + public)):
        raise ExportError(f"{path}: this is not its passphrase; try again")
    private = Ed25519PrivateKey.from_private_bytes(seed)
    if private.public_key().public_bytes_raw() != public:
        raise _no_key(path)
    return SigningKey(public=PublicKey(key_id=key_id, public=public), private=private)


def _sealed(
    private: Ed25519PrivateKey, key: PublicKey, passphrase: str, stretching: Stretching
) -> bytes:
    pair = private.private_bytes_raw() + key.public
    salt = secrets.token_bytes(_SALT_BYTES)
    head = b"".join(
        [
            PLAIN + SCRYPT + BLAKE2B + salt,
            stretching.operations.to_bytes(_LIMIT_BYTES, "little"),
            stretching.memory_bytes.to_bytes(_LIMIT_BYTES, "little"),
        ]
    )
    secret = key.key_id + pair + _check(key.key_id, pair)
    content = head + _mixed(secret, stretching.stretch(passphrase, salt))
    encoded = base64.b64encode(content).decode()
    return f"{UNTRUSTED}minisign encrypted secret key {key.name}\n{encoded}\n".encode()


def _check(key_id: bytes, pair: bytes) -> bytes:
    return hashlib.blake2b(PLAIN + key_id + pair, digest_size=_CHECK_BYTES).digest()


def _mixed(secret: bytes, stream: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(secret, stream, strict=True))


def _power_of_two(limit: int) -> int:
    """Return the largest power of two that is at most *limit*, at least 2."""
    return int(2 ** max(1, limit.bit_length() - 1))


def _write_new(path: Path, content: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def _no_key(path: Path) -> ExportError:
    return ExportError(
        f"{path}: expected the secret key that `python -m training keygen` made, found something "
        "else; the .pub file cannot sign"
    )
