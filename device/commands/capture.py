"""``python -m device capture``: one picture by the daemon's own way, and what is known of it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from device.core.values import Capture, QualityReport
from device.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "picture",
        type=Path,
        metavar="FILE",
        help="PNG to write; what is known of it goes to FILE.json, and to the terminal",
    )


def run(options: argparse.Namespace) -> int:
    """Take one picture as the box would, write it and say what the quality gate makes of it."""
    from device import compose

    settings = load_settings(options.settings)
    capture, quality, png = compose.take_picture(settings)
    told = json.dumps(_metadata(capture, quality), indent=2)
    try:
        options.picture.write_bytes(png)
        options.picture.with_name(f"{options.picture.name}.json").write_text(told + "\n")
    except OSError as error:
        print(
            f"edgederm capture: cannot write {options.picture} ({error.strerror}); name a folder "
            "that exists and may be written",
            file=sys.stderr,
        )
        return 1
    print(told)
    for reason in quality.reasons:
        print(f"to be taken again: {reason.text}", file=sys.stderr)
    return 0


def _metadata(capture: Capture, quality: QualityReport) -> dict[str, object]:
    return {
        "source": capture.source,
        "name": capture.name,
        "captured_at": capture.captured_at.isoformat(),
        "capture_ms": None if capture.capture_ns is None else round(capture.capture_ns / 1e6, 1),
        "exposure_us": capture.exposure_us,
        "analog_gain": capture.analog_gain,
        "color_gains": capture.color_gains,
        "quality": {
            name: getattr(quality, name)
            for name in (
                "brightness",
                "saturated_share",
                "contrast",
                "sharpness",
                "softness",
                "line_share",
                "glare_share",
                "middle_contrast",
                "outline_outside",
            )
        },
        "reasons": [{"code": each.code, "text": each.text} for each in quality.reasons],
        "advice": [{"code": each.code, "text": each.text} for each in quality.advice],
    }
