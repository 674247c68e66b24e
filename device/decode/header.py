"""
What a picture file says about itself, read before anything is decoded.

Pillow parses the header and unpacks no pixels, so a small file that unpacks to gigapixels
costs no more than one that is refused for another reason.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
from dataclasses import dataclass

from PIL import Image

from device.core.errors import DecodeError, DecodeFault

_FORMATS = ("JPEG", "PNG", "MPO")
"""MPO is what many phones call a JPEG with a second picture behind it; the first one counts."""
_OPAQUE_MODES = frozenset({"1", "L", "P", "RGB"})
_ALPHA_MODES = frozenset({"LA", "PA", "RGBA"})
_EXIF_ORIENTATION = 0x0112
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_BIT_DEPTH_OFFSET = 24
_PNG_CHUNK_BYTES = 12
"""Of length, kind and checksum."""
_MOST_SCANS = 64
"""Each scan of a JPEG goes over all pixels again, whatever its size; a progressive one has ten."""
_MOST_SEGMENTS = 4096
"""Metadata come in segments of up to 64 KiB, so that a whole upload of them has 256."""
_SEGMENT = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
"""Its marker: no stuffed 255, no restart within a scan, nothing without a length but the ends."""
_END_OF_IMAGE, _START_OF_SCAN = b"\xff\xd9", b"\xff\xda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What decoding needs to know."""

    width_px: int
    height_px: int
    is_jpeg: bool
    has_alpha: bool
    orientation: int
    """EXIF orientation, 1 (upright) to 8."""


def read_header(encoded: bytes, *, max_pixels: int) -> Header:
    """
    Read the header of a JPEG or PNG file and refuse what cannot be scored as it was meant.

    Args:
        encoded: The whole file.
        max_pixels: Most pixels that may be unpacked.

    Raises:
        DecodeError: Empty, neither JPEG nor PNG, too many pixels, a PNG that ends early, a JPEG of
            too many scans, animated, more than 8 bits a channel, CMYK, or with a transparent
            colour.
    """
    if not encoded:
        raise DecodeError(DecodeFault.EMPTY, "picture refused: expected a file, found no bytes")
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures and odd EXIF; we have our own limit and word.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(encoded), formats=_FORMATS) as image:
                width, height = image.size
                mode, kind = image.mode, image.format
                frames = 1 if kind == "MPO" else int(getattr(image, "n_frames", 1))
                has_transparent_color = "transparency" in image.info
                if width * height > max_pixels:
                    raise DecodeError(
                        DecodeFault.TOO_LARGE,
                        f"picture refused: expected at most {max_pixels} pixels, found "
                        f"{width} x {height}; send a smaller one",
                    )
                orientation = _orientation(image)
    except DecodeError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, 179 million pixels.
        raise DecodeError(
            DecodeFault.TOO_LARGE,
            f"picture refused: expected at most {max_pixels} pixels, found more than anything "
            "here reads; send a smaller one",
        ) from error
    except Exception as error:  # Pillow's parsers raise many kinds for crafted files.
        raise DecodeError(
            DecodeFault.NOT_A_PICTURE,
            "picture refused: expected a JPEG or PNG file, found something else or a damaged "
            "header; send the camera's own file",
        ) from error
    if frames > 1:
        raise _unsupported("one still picture", f"an animation of {frames} frames")
    if kind == "PNG":
        _check_png(encoded)
    else:
        _check_scans(encoded)
    if mode not in _OPAQUE_MODES | _ALPHA_MODES:
        raise _unsupported("a gray or RGB picture of 8 bits a channel", f"mode {mode}")
    if has_transparent_color:
        raise _unsupported("an opaque picture", "a transparent colour")
    return Header(
        width_px=width,
        height_px=height,
        is_jpeg=kind != "PNG",
        has_alpha=mode in _ALPHA_MODES,
        orientation=orientation,
    )


def _check_png(encoded: bytes) -> None:
    """
    Refuse a PNG file of more than 8 bits a channel, or that promises more bytes than it has.

    OpenCV sets memory aside for a chunk as its length says, up to 4 GB for a file of 100 bytes; and
    it goes on behind an end that comes before the picture.
    """
    if encoded[_PNG_BIT_DEPTH_OFFSET] > 8:  # noqa: PLR2004 - bits
        raise _unsupported("8 bits a channel", f"{encoded[_PNG_BIT_DEPTH_OFFSET]}")
    start, kinds = len(_PNG_SIGNATURE), set[bytes]()
    while b"IEND" not in kinds and start + _PNG_CHUNK_BYTES <= len(encoded):
        length, kind = struct.unpack_from(">I4s", encoded, start)
        start += _PNG_CHUNK_BYTES + length
        kinds.add(kind)
    if not {b"IDAT", b"IEND"} <= kinds or start > len(encoded):
        raise DecodeError(
            DecodeFault.TRUNCATED,
            "picture refused: expected a whole PNG file, found one that ends early or is damaged; "
            "send it again",
        )


def _check_scans(encoded: bytes) -> None:
    """
    Refuse a JPEG of more scans than any camera writes.

    A scan of 42 bytes may stand for all pixels of a picture, so a file of 300 KB could keep the
    decoder at work for a minute.  The markers are read as libjpeg reads them, up to the end of the
    (first) picture: a thumbnail, or a film that a phone put behind, has none that count.
    """
    scans, start = 0, 2  # Behind the marker of the picture's start.
    for _ in range(_MOST_SEGMENTS):
        found = _SEGMENT.search(encoded, start)
        if found is None or found.group() == _END_OF_IMAGE:
            return
        scans += found.group() == _START_OF_SCAN
        if scans > _MOST_SCANS:
            raise _unsupported(f"a JPEG of at most {_MOST_SCANS} scans", "more")
        # The length counts itself.  One that is too short skips nothing more.
        length = int.from_bytes(encoded[found.end() : found.end() + 2], "big")
        start = found.end() + max(2, length)
    raise _unsupported(f"a JPEG of at most {_MOST_SEGMENTS} segments", "more")


def _orientation(image: Image.Image) -> int:
    try:
        # A PNG's own getexif() unpacks the pixels to look behind them; every picture's does not.
        orientation = Image.Image.getexif(image).get(_EXIF_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error):
        # Damaged EXIF says nothing; the pixels are still what they are.
        return 1
    return orientation if orientation in range(1, 9) else 1


def _unsupported(expected: str, found: str) -> DecodeError:
    return DecodeError(
        DecodeFault.UNSUPPORTED,
        f"picture refused: expected {expected}, found {found}; convert it to an 8-bit RGB JPEG "
        "or PNG",
    )
