"""What the fuzzer starts from: bodies that a box takes, and such as are broken in known ways."""

import io
import struct
import zlib
from itertools import product

import numpy as np
from PIL import Image

from device.drawing import draw_lesion

JPEG, PNG, FORM, STATED = range(4)
"""Kinds of a body, the first byte of an input; a STATED one has its media type on a first line."""
BOUNDARY = b"frontier"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EXIF_ORIENTATION = 0x0112
_IN_PIECES = 8
"""Second byte of an input: how the body arrives, see :func:`tests.fuzz.box.parted`."""


def seeds():
    """Name to input, about sixty of a few kilobytes."""
    found = {}
    for name, content in pictures().items():
        found[name] = bytes([PNG if content.startswith(_PNG_SIGNATURE) else JPEG, 0]) + content
        found[f"{name}-form"] = bytes([FORM, _IN_PIECES]) + form(("file", content))
    for name, body in forms().items():
        found[name] = bytes([FORM, 0]) + body
    picture = encoded(drawn(), "JPEG", quality=60)
    for number, line in enumerate(MEDIA_TYPES):
        body = form(("file", picture)) if b"multipart" in line else picture
        found[f"stated-{number}"] = bytes([STATED, 0]) + line + b"\n" + body
    return found


MEDIA_TYPES = (
    b"image/jpeg; q=1",
    b'multipart/form-data; boundary="frontier"',
    b"multipart/form-data; boundary*=utf-8''frontier",
    b"multipart/form-data",
    b"image/webp",
    b"",
)


def pictures():
    """Name to file: every form that is taken, those that are refused, and damaged ones."""
    image = drawn()
    jpeg = encoded(image, "JPEG", quality=60)
    png = encoded(drawn(72), "PNG")
    scan = jpeg.index(b"\xff\xda")
    return {
        "baseline": jpeg,
        "progressive": encoded(image, "JPEG", quality=60, progressive=True),
        "gray": encoded(image.convert("L"), "JPEG"),
        "cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "restarts": encoded(image, "JPEG", quality=60, restart_marker_rows=1),
        "turned": encoded(image, "JPEG", quality=60, exif=turned()),
        "double": encoded(image, "MPO", save_all=True, append_images=[image], quality=60),
        "large": encoded(drawn(480, 640), "JPEG", quality=30),
        "flat": encoded(Image.new("RGB", (96, 96), (128, 128, 128)), "JPEG"),
        "rgb": png,
        **{f"png-{mode}": encoded(drawn(72).convert(mode), "PNG") for mode in ("1", "L", "P")},
        **{
            f"png-{mode}-{alpha}": encoded(veiled(mode, alpha), "PNG")
            for mode, alpha in product(("LA", "RGBA"), (200, 255))
        },
        "png-turned": encoded(drawn(72), "PNG", exif=turned()),
        "png-key": encoded(drawn(72).convert("P"), "PNG", transparency=3),
        "png-16": encoded(Image.fromarray(np.zeros((72, 72), np.uint16)), "PNG"),
        "png-moving": encoded(
            drawn(72), "PNG", save_all=True, append_images=[drawn(72).rotate(90)]
        ),
        "webp": encoded(image, "WEBP"),
        "gif": encoded(drawn(72), "GIF"),
        "small": encoded(drawn(32), "PNG"),
        "huge": resized(png, 50_000, 50_000),
        "wide": resized(png, 20_000, 64),
        "promising": png[:33] + (10**9).to_bytes(4, "big") + png[37:],
        "ended": png[:33] + png[-12:] + png[33:],
        "cut": jpeg[: len(jpeg) // 2],
        "cut-png": png[: len(png) // 2],
        "hole": jpeg[: scan + 200] + jpeg[-400:],
        "head": jpeg[:scan],
        "empty": b"",
    }


def forms():
    """Name to a form's body that is not one file."""
    whole = form(("file", b"x"))
    return {
        "form-none": form(),
        "form-other": form(("image", b"x")),
        "form-two": form(("file", b"x"), ("file", b"y")),
        "form-cut": whole[:-6],
        "form-not": b"no form at all",
        "form-bare": whole.replace(b"Content-Disposition", b"X-Nothing"),
    }


def drawn(height_px=128, width_px=None):
    return Image.fromarray(draw_lesion(0, height_px=height_px, width_px=width_px or height_px))


def veiled(mode, alpha):
    image = drawn(72).convert(mode)
    image.putalpha(alpha)
    return image


def turned():
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = 6
    return exif


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def form(*parts):
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="a.jpg"\r\n\r\n%b\r\n'
        % (BOUNDARY, name.encode(), content)
        for name, content in parts
    )
    return body + b"--%b--\r\n" % BOUNDARY


def resized(png, width_px, height_px):
    """The same data under a header that promises another size."""
    start = len(_PNG_SIGNATURE) + 8
    return with_checksums(png[:start] + struct.pack(">II", width_px, height_px) + png[start + 8 :])


def with_checksums(content):
    """
    Write into each chunk of a PNG file the checksum that it should have.

    Without it nearly every change of a PNG file ends at its first check.
    """
    start = content.find(_PNG_SIGNATURE)
    if start < 0:
        return content
    mended = bytearray(content)
    start += len(_PNG_SIGNATURE)
    while start + 12 <= len(mended):
        end = start + 8 + int.from_bytes(mended[start : start + 4], "big")
        if end + 4 > len(mended):
            break
        mended[end : end + 4] = zlib.crc32(mended[start + 4 : end]).to_bytes(4, "big")
        start = end + 4
    return bytes(mended)
