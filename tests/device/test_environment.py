"""Importing device sets three limits before the libraries that read them once, and no others."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import device

pytestmark = pytest.mark.portable
ROOT = Path(__file__).resolve().parents[2]

LIMITS = {
    "OPENCV_IO_MAX_IMAGE_PIXELS": "201000000",
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "5",
    "ORT_DISABLE_TELEMETRY": "1",
}


def run(program: str, **environment: str) -> str:
    """What *program* prints in a fresh interpreter that knows none of the limits."""
    bare = {name: value for name, value in os.environ.items() if name not in LIMITS}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**bare, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_exactly_the_documented_variables_are_set():
    program = (
        "import os; before = dict(os.environ); import device; "
        "import json; print(json.dumps(dict(os.environ.items() - before.items())))"
    )
    assert json.loads(run(program)) == LIMITS


def test_what_the_owner_set_stays():
    program = "import device, os; print(os.environ['OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT'])"
    assert run(program, OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT="1").strip() == "1"


def test_opencv_refuses_more_pixels_and_takes_the_largest_setting():
    """A PNG of a few bytes whose header promises much; 200 million is the settings' maximum."""
    program = """
import struct, zlib
import device
import cv2, numpy as np

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

def promise(width, height):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    png = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"")
    try:
        cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error as error:
        return "CV_IO_MAX_IMAGE_PIXELS" in str(error)
    return False

print(promise(20_000, 10_000), promise(20_000, 10_060))
"""
    assert run(program).split() == ["False", "True"]


def test_the_version_is_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == device.__version__
