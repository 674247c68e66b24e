"""``python -m device.drawing`` writes the pictures that ship."""

from pathlib import Path

import cv2
import numpy as np

import device.drawing
from device.drawing.__main__ import main

SHIPPED = Path(device.drawing.__file__).parents[1] / "samples"
LARGEST_BYTES = 150_000


def test_the_shipped_samples_are_what_the_command_writes(tmp_path, capsys):
    assert main([str(tmp_path)]) == 0
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in SHIPPED.glob("*.jpg"))
    told = capsys.readouterr().out
    assert all(name in told for name in written)
    for name in written:
        assert (SHIPPED / name).stat().st_size < LARGEST_BYTES
        drawn, shipped = (
            cv2.imread(str(folder / name)).astype(int) for folder in (tmp_path, SHIPPED)
        )
        assert drawn.shape == (768, 1024, 3)
        # JPEG encoders differ in rounding between versions of OpenCV.
        assert np.abs(drawn - shipped).mean() < 1.0
