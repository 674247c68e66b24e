"""Write the shipped samples as JPEG files: ``python -m device.drawing FOLDER``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from device.drawing.sample_files import file_name, sample_jpeg
from device.drawing.samples import SAMPLES


def main(arguments: list[str] | None = None) -> int:
    """Draw each sample at 1024 x 768 into the folder named on the command line; exit status 0."""
    parser = argparse.ArgumentParser(
        prog="python -m device.drawing", description="Write the drawn sample pictures as JPEG."
    )
    parser.add_argument("folder", type=Path, help="where the files go; made if it is missing")
    folder: Path = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        path, content = folder / file_name(sample), sample_jpeg(sample)
        path.write_bytes(content)
        print(f"{path}: {len(content)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
