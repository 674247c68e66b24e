"""
Signatures in the form of minisign: Ed25519 over a BLAKE2b digest, with the id of the key.

Whoever has the tool ``minisign`` can check what is read here, and the other way round.  Of its two
forms only the prehashed one is taken; the older one was dropped by minisign itself.

Sources: https://jedisct1.github.io/minisign/ (the form), RFC 8032 (Ed25519), RFC 7693 (BLAKE2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from device.core.errors import BundleError, BundleFault

PREHASHED, PLAIN = b"ED", b"Ed"
"""How a signature and a key name their algorithm."""
KEY_ID_BYTES, PUBLIC_BYTES, SIGNATURE_BYTES = 8, 32, 64
LONGEST_TEXT = 1024
"""Bytes of a public key or a signature as a file; real ones have 114 and about 300."""
UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "
_LINE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that signatures are checked with."""

    key_id: bytes
    public: bytes
    """Raw Ed25519, 32 bytes."""

    @property
    def name(self) -> str:
        """The id as people read it: 16 capital hexadecimal digits, as minisign shows it."""
        return key_name(self.key_id)

    @classmethod
    def parse(cls, text: bytes) -> PublicKey:
        """
        Read the two lines of a ``.pub`` file.

        Raises:
            ValueError: It is none.
        """
        lines = _lines(text, 2)
        content = _decoded(lines[1], len(PLAIN) + KEY_ID_BYTES + PUBLIC_BYTES)
        if not lines[0].startswith(UNTRUSTED) or content[:2] != PLAIN:
            raise ValueError("expected a minisign public key")
        return cls(key_id=content[2:10], public=content[10:])

    def text(self) -> bytes:
        """Return it as a ``.pub`` file."""
        encoded = base64.b64encode(PLAIN + self.key_id + self.public).decode()
        return f"{UNTRUSTED}minisign public key {self.name}\n{encoded}\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What stands in a ``.minisig`` file."""

    key_id: bytes
    signature: bytes
    """Of the content's digest."""
    comment: str
    """Whatever the signer wanted to say; signed too."""
    comment_signature: bytes
    """Of the signature and the comment behind it."""

    @classmethod
    def parse(cls, text: bytes) -> Signature:
        """
        Read the four lines of a ``.minisig`` file.

        Raises:
            BundleError: It is none.
        """
        try:
            lines = _lines(text, 4)
            first = _decoded(lines[1], len(PREHASHED) + KEY_ID_BYTES + SIGNATURE_BYTES)
            second = _decoded(lines[3], SIGNATURE_BYTES)
            if (
                not lines[0].startswith(UNTRUSTED)
                or not lines[2].startswith(TRUSTED)
                or first[:2] != PREHASHED
            ):
                raise ValueError("expected a prehashed minisign signature")
        except ValueError as error:
            raise BundleError(
                BundleFault.SIGNATURE,
                f"expected a minisign signature in front, found something else ({error}); make the "
                "bundle again with `python -m training bundle`",
            ) from None
        return cls(
            key_id=first[2:10],
            signature=first[10:],
            comment=lines[2].removeprefix(TRUSTED),
            comment_signature=second,
        )

    def text(self) -> bytes:
        """Return it as a ``.minisig`` file."""
        first = base64.b64encode(PREHASHED + self.key_id + self.signature).decode()
        second = base64.b64encode(self.comment_signature).decode()
        lines = (
            f"{UNTRUSTED}signature of an EdgeDerm model",
            first,
            f"{TRUSTED}{self.comment}",
            second,
        )
        return "".join(f"{line}\n" for line in lines).encode()


def key_name(key_id: bytes) -> str:
    """Write the id of a key as minisign does."""
    return key_id[::-1].hex().upper()


def digest(content: bytes | memoryview) -> bytes:
    """Return what is signed in place of *content*."""
    return hashlib.blake2b(content).digest()


def check(content: bytes | memoryview, signature: Signature, key: PublicKey) -> None:
    """
    See that *key* signed *content* and the comment.

    Raises:
        BundleError: It did not.
    """
    # Loaded by a box that has installed models, and by no other.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = Ed25519PublicKey.from_public_bytes(key.public)
    try:
        public.verify(signature.signature, digest(content))
        public.verify(signature.comment_signature, signature.signature + signature.comment.encode())
    except InvalidSignature:
        raise BundleError(
            BundleFault.SIGNATURE,
            f"expected what the key {key.name} signed, found something else; the file was damaged "
            "or changed on its way: get it again",
        ) from None


def _lines(text: bytes, count: int) -> list[str]:
    """Split into exactly *count* lines of printable ASCII, each with its end."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"expected at most {LONGEST_TEXT} bytes, found {len(text)}")
    lines = text.decode("ascii").split("\n")
    if len(lines) != count + 1 or lines.pop() or not all(map(_LINE.fullmatch, lines)):
        raise ValueError(f"expected {count} lines")
    return lines


def _decoded(line: str, size: int) -> bytes:
    try:
        content = base64.b64decode(line, validate=True)
    except binascii.Error as error:
        raise ValueError("expected base64") from error
    if len(content) != size or base64.b64encode(content).decode() != line:
        raise ValueError(f"expected {size} bytes in base64")
    return content
