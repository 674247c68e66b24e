"""
A tar file of few members, in one form alone: any tool can unpack it, and nothing odd can be in it.

A member's header follows from its name and size.  What is read is held against that, byte for
byte, so there are no links, devices, paths, owners, extensions or second copies to be refused one
by one, and no parser that could be led astray.

Source: POSIX.1-1988 (``ustar``), https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from device.core.errors import BundleError, BundleFault

BLOCK = 512
END = bytes(2 * BLOCK)
LARGEST_MEMBER_BYTES = 0o77777777777
_SIZE = slice(124, 136)
_CHECKSUM = slice(148, 156)
_OCTAL = re.compile(rb"[0-7]{11}\0")


def header(name: str, size: int) -> bytes:
    """Return the header of a plain file that only its owner writes, of nobody and no time."""
    fields = (
        name.encode("ascii").ljust(100, b"\0"),
        b"0000644\0",
        b"0000000\0" * 2,
        b"%011o\0" % size,
        b"%011o\0" % 0,
        b" " * 8,
        b"0",
        bytes(100),
        b"ustar\x0000",
        bytes(32) * 2,
    )
    block = bytearray(b"".join(fields).ljust(BLOCK, b"\0"))
    block[_CHECKSUM] = b"%06o\0 " % sum(block)
    return bytes(block)


def pack_members(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the members in their order, each filled up to a whole block, without an end."""
    return b"".join(header(name, len(content)) + _padded(content) for name, content in members)


def unpack_members(content: bytes | memoryview, names: Sequence[str]) -> dict[str, bytes]:
    """
    Read exactly the members *names*, in this order, up to the end of the file.

    Raises:
        BundleError: There is anything else, or less.
    """
    view = memoryview(content)
    members: dict[str, bytes] = {}
    at = 0
    for name in names:
        block = bytes(view[at : at + BLOCK])
        size = int(block[_SIZE][:-1], 8) if _OCTAL.fullmatch(block[_SIZE]) else -1
        if size < 0 or block != header(name, size):
            raise malformed(f"expected the member {name} at byte {at}, found something else")
        at += BLOCK
        whole = len(_padding(size)) + size
        if at + whole > len(view):
            raise malformed(f"expected {size} bytes of {name}, found {len(view) - at}")
        if any(view[at + size : at + whole]):
            raise malformed(f"expected nothing behind {name}, found something")
        members[name] = bytes(view[at : at + size])
        at += whole
    if view[at:] != END:
        raise malformed(f"expected the end at byte {at}, found something else")
    return members


def malformed(what: str) -> BundleError:
    """Refuse a file that is not of our making."""
    return BundleError(
        BundleFault.MALFORMED, f"{what}; make the bundle again with `python -m training bundle`"
    )


def _padded(content: bytes) -> bytes:
    return content + _padding(len(content))


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)
