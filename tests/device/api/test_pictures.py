"""Whatever somebody calls a picture is either answered rightly or refused with the reason."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.builders import a_picture

pytestmark = pytest.mark.portable

ROOT = Path(__file__).resolve().parents[3]
JPEG = {"Content-Type": "image/jpeg"}
# How a camera that was turned stores an upright picture: EXIF value to transposition.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def quadrants():
    """Upright: red, green over blue, white; no two of the eight orientations look alike."""
    picture_HWC = np.zeros((120, 120, 3), np.uint8)
    picture_HWC[:60, :60] = (200, 0, 0)
    picture_HWC[:60, 60:] = (0, 200, 0)
    picture_HWC[60:, :60] = (0, 0, 200)
    picture_HWC[60:, 60:] = (200, 200, 200)
    return picture_HWC


def plain():
    return Image.fromarray(a_picture())


def with_alpha(lowest):
    alpha = np.full((150, 200), 255, np.uint8)
    alpha[70, 90] = lowest
    image = plain()
    image.putalpha(Image.fromarray(alpha))
    return image


def png_of_one_color(width_px, height_px):
    """A PNG file of any size, packed row by row."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 3 * width_px)) for _ in range(height_px))
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", rows + packer.flush())
        + chunk(b"IEND", b"")
    )


def animated():
    frames = [Image.new("RGB", (80, 80), (shade, 0, 0)) for shade in (10, 90, 200)]
    return saved(frames[0], "PNG", save_all=True, append_images=frames[1:])


def sixteen_bit(channels):
    shape = (80, 80) if channels == 1 else (80, 80, channels)
    return cv2.imencode(".png", np.full(shape, 30_000, np.uint16))[1].tobytes()


ANSWERED = {
    "jpeg": saved(plain(), "JPEG"),
    "progressive jpeg": saved(plain(), "JPEG", progressive=True),
    "png": saved(plain(), "PNG"),
    "gray jpeg": saved(plain().convert("L"), "JPEG"),
    "gray png": saved(plain().convert("L"), "PNG"),
    "one-bit png": saved(plain().convert("1"), "PNG"),
    "palette png": saved(plain().convert("P"), "PNG"),
    "opaque alpha": saved(with_alpha(255), "PNG"),
    "opaque gray with alpha": saved(with_alpha(255).convert("LA"), "PNG"),
    "smallest": saved(plain().resize((64, 64)), "PNG"),
    "bytes after the end": saved(plain(), "JPEG") + b"\0" * 100,
}
REFUSED = {
    "no bytes": (b"", 422, "picture-empty", "no bytes"),
    "text": (b"<html>not a picture</html>", 422, "picture-not-a-picture", "JPEG or PNG"),
    "gif": (saved(plain(), "GIF"), 422, "picture-not-a-picture", "JPEG or PNG"),
    "bmp": (saved(plain(), "BMP"), 422, "picture-not-a-picture", "JPEG or PNG"),
    "a jpeg's first bytes": (b"\xff\xd8\xff\xe0", 422, "picture-not-a-picture", "damaged"),
    "truncated png": (saved(plain(), "PNG")[:-5000], 422, "picture-truncated", "ends early"),
    "too many pixels": (png_of_one_color(1001, 1000), 413, "picture-too-large", "1001 x 1000"),
    "too small": (saved(plain().resize((63, 64)), "PNG"), 422, "picture-too-small", "63 x 64"),
    "animated": (animated(), 422, "picture-unsupported", "animation of 3 frames"),
    "16-bit gray": (sixteen_bit(1), 422, "picture-unsupported", "8 bits a channel"),
    "16-bit color": (sixteen_bit(3), 422, "picture-unsupported", "8 bits a channel"),
    "cmyk": (saved(plain().convert("CMYK"), "JPEG"), 422, "picture-unsupported", "CMYK"),
    "transparent": (saved(with_alpha(254), "PNG"), 422, "picture-unsupported", "transparent"),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_these_are_answered(client, name):
    answer = client.post("/classify", content=ANSWERED[name], headers=JPEG)
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"] in {"benign", "malignant", "uncertain", "retake"}


@pytest.mark.parametrize("name", REFUSED)
def test_these_are_refused_with_the_reason(client, box, check_problem, name):
    content, status, code, words = REFUSED[name]
    check_problem(client.post("/classify", content=content, headers=JPEG), status, code, words)
    check_problem(client.post("/classify", files={"file": content}), status, code, words)
    assert not box.examiner.classifier.seen


@pytest.mark.parametrize("orientation", STORED)
def test_the_network_sees_every_exif_orientation_upright(client, box, orientation):
    image = Image.fromarray(quadrants())
    if STORED[orientation] is not None:
        image = image.transpose(STORED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(image, "JPEG", quality=98, subsampling=0, exif=exif)
    assert client.post("/classify", content=content, headers=JPEG).status_code == 200
    (seen_HWC,) = box.examiner.classifier.seen
    expected_HWC = cv2.resize(quadrants(), (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(seen_HWC.astype(int) - expected_HWC).mean() < 3


def test_a_gray_picture_reaches_the_network_as_three_equal_channels(client, box):
    client.post("/classify", content=ANSWERED["gray png"], headers=JPEG)
    (seen_HWC,) = box.examiner.classifier.seen
    assert (seen_HWC == seen_HWC[:, :, :1]).all()


def asked(client, content):
    answer = client.post("/classify", content=content, headers=JPEG)
    assert answer.status_code in {200, 413, 422}, answer.text
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"


FUZZ = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@FUZZ
@given(content=st.binary(max_size=2000))
def test_no_bytes_give_a_server_error(client, content):
    asked(client, content)


@FUZZ
@given(
    name=st.sampled_from(["jpeg", "progressive jpeg", "png", "palette png", "opaque alpha"]),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=20
    ),
    keep=st.floats(0, 1),
    is_cut=st.booleans(),
    is_header=st.booleans(),
)
def test_no_damaged_picture_gives_a_server_error(client, name, changes, keep, is_cut, is_header):
    content = bytearray(ANSWERED[name])
    reach = min(len(content), 700) if is_header else len(content)
    for place, value in changes:
        content[int(place * reach)] = value
    asked(client, bytes(content[: int(keep * len(content))] if is_cut else content))


@FUZZ
@given(
    content=st.binary(max_size=500),
    boundary=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
    head=st.binary(max_size=100),
)
def test_no_form_gives_a_server_error(client, content, boundary, head):
    mark = b"--" + boundary.encode()
    body = mark + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n" + mark + b"--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    for sent in (body, content):
        answer = client.post("/classify", content=sent, headers=headers)
        assert 400 <= answer.status_code < 500 or answer.status_code == 200


@FUZZ
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "TRACE"]),
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
    name=st.sampled_from(
        ["Host", "Origin", "Authorization", "Content-Type", "Sec-Fetch-Site", "Content-Encoding"]
    ),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)
def test_no_header_and_no_address_give_a_server_error(client, method, path, name, value):
    for address in ("/classify", "/" + path):
        answer = client.request(
            method,
            httpx_safe(address),
            content=ANSWERED["png"] if method == "POST" else None,
            headers={**JPEG, name: value},
        )
        assert answer.status_code < 500, answer.text


def httpx_safe(path):
    """The part of an address that a client would send."""
    return "/" + path.lstrip("/").replace("?", "").replace("#", "")


# Run in a fresh process, whose peak is its own: refuse text, then the file, then the file again
# in a form, and tell by how many KiB the peak of resident memory rose over the first refusal's.
MEASURE = """
import pathlib, resource, sys
sys.path[:0] = ["tests/device/api"]
from conftest import Box
content = open(sys.argv[1], "rb").read()
box = Box(pathlib.Path(sys.argv[2]))
with box.client() as client:
    def ask(content):
        headers = {"Content-Type": "image/png"}
        answers = [
            client.post("/classify", content=content, headers=headers),
            client.post("/classify", files={"file": content}),
        ]
        return [answer.json()["code"] for answer in answers]
    assert ask(bytes(len(content))) == ["picture-not-a-picture"] * 2
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert ask(content) == ["picture-too-large"] * 2
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
box.close()
"""


def test_a_picture_of_64_megapixels_costs_no_more_memory_than_a_refusal(tmp_path):
    """192 MB of pixels in 190 kB: unpacked, it would raise the peak by at least their number."""
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_of_one_color(8000, 8000))
    assert bomb.stat().st_size < 250 * 1024
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, bomb, tmp_path / "state"],
        cwd=ROOT,
        env={"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 2048
