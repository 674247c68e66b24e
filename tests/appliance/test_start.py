"""What a box loads before it answers: each library costs a small board time and memory."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.portable

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from device import compose
from device.settings import HistorySettings, Settings

settings = Settings(history=HistorySettings(path=sys.argv[1]))
with compose.appliance(settings) as box:
    compose.build_application(box, settings)
    print(*sorted(sys.modules))
"""


def test_a_box_starts_without_what_it_does_not_need(tmp_path):
    """No second pydantic, no masked arrays, no plots, and nothing of the training."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    loaded = set(done.stdout.split())
    assert {"fastapi", "onnxruntime", "cv2"} <= loaded
    unwanted = {"pydantic.v1.main", "numpy.ma", "matplotlib", "torch", "onnx", "training"}
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        unwanted.remove("numpy.ma")  # It came with NumPy itself.
    assert not unwanted & loaded
