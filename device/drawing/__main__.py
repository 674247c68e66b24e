"""Write the shipped samples as JPEG files: ``python -m device.drawing FOLDER``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2

from device.drawing.samples import SAMPLES, draw_sample

JPEG_QUALITY = 88
"""Of OpenCV's 0 to 100; keeps each sample below 150 kB at 1024 x 768."""


def main(arguments: list[str] | None = None) -> int:
    """Draw each sample at 1024 x 768 into the folder named on the command line; exit status 0."""
    parser = argparse.ArgumentParser(
        prog="python -m device.drawing", description="Write the drawn sample pictures as JPEG."
    )
    parser.add_argument("folder", type=Path, help="where the files go; made if it is missing")
    folder: Path = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(SAMPLES, start=1):
        pixels_HWC = draw_sample(sample.name, height_px=768, width_px=1024)
        # The number keeps the order: a replay goes through its files by name.
        path = folder / f"{number}-{sample.name}.jpg"
        bgr_HWC = cv2.cvtColor(pixels_HWC, cv2.COLOR_RGB2BGR)
        is_encoded, encoded = cv2.imencode(
            ".jpg", bgr_HWC, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        )
        if not is_encoded:
            raise RuntimeError(f"OpenCV could not encode {path.name} as JPEG")
        path.write_bytes(encoded.tobytes())
        print(f"{path}: {encoded.size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
