"""
The command line: serve, classify, inspect, capture, doctor, panel-test, history, token, model.

Nothing heavy is imported before a verb needs it, so that help and errors come at once.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from device.commands import capture, doctor, history, model, token
from device.core.document import NOTICE, AnswerDocument
from device.core.errors import EdgeDermError
from device.settings import ModelSettings, Settings, load_settings

_LONGEST_WAIT_S = 600


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one verb.

    Args:
        arguments: Without the program's name; those of the process if None.

    Returns:
        Exit status: 0 done, 1 something could not be answered, 2 wrong usage.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        status = VERBS[options.verb](options)
        sys.stdout.flush()
        return status
    except EdgeDermError as error:
        print(f"edgederm {options.verb}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader went away, as `| head -1` does; nor shall Python complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def serve(options: argparse.Namespace) -> int:
    """Run the box until a signal says stop."""
    from device import compose

    settings = load_settings(options.settings)
    print(NOTICE, file=sys.stderr)
    compose.serve(settings)
    return 0


def classify(options: argparse.Namespace) -> int:
    """Answer for each file with one JSON object a line, in the order given."""
    from device import compose
    from device.core.stopwatch import Recorder
    from device.core.values import Capture
    from device.examine import examine

    settings = load_settings(options.settings)
    classifier = compose.load_classifier(_model_settings(settings, options.model))
    status = 0
    for name in options.files:
        try:
            capture = Capture(
                source="file",
                captured_at=datetime.now(timezone.utc),
                encoded=Path(name).read_bytes(),
                name=name,
            )
            answer = examine(
                capture,
                classifier,
                Recorder(time.perf_counter_ns),
                max_pixels=settings.picture.max_pixels,
            )
        except OSError as error:
            line: dict[str, object] = {"file": name, "error": f"cannot read ({error.strerror})"}
            status = 1
        except EdgeDermError as error:  # This picture has no answer; the others may have one.
            line = {"file": name, "error": str(error)}
            status = 1
        else:
            document = AnswerDocument.from_answer(answer)
            line = {"file": name, **document.model_dump(mode="json")}
        # ASCII alone: a file's name need not be UTF-8, nor the terminal.
        print(json.dumps(line), flush=True)
    return status


def inspect(options: argparse.Namespace) -> int:
    """Print a model's contract after it has passed its own golden case."""
    from device import compose

    classifier = compose.load_classifier(ModelSettings(path=options.model_file))
    print(
        json.dumps(
            {
                "file": str(options.model_file),
                "sha256": classifier.identity.sha256,
                "size_bytes": options.model_file.stat().st_size,
                "golden_difference": classifier.self_test(),
                "contract": classifier.manifest.model_dump(mode="json"),
            },
            indent=2,
        )
    )
    return 0


def panel_test(options: argparse.Namespace) -> int:
    """Show every state of the light in turn, then wait for a press of the button."""
    from device import compose

    settings = load_settings(options.settings)
    pressed = compose.walk_panel(
        settings.panel, state_s=options.seconds, press_s=options.wait, say=_say
    )
    return 0 if pressed else 1


VERBS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "serve": serve,
    "classify": classify,
    "inspect": inspect,
    "capture": capture.run,
    "doctor": doctor.run,
    "panel-test": panel_test,
    "history": history.run,
    "token": token.run,
    "model": model.run,
}
ARGUMENTS: Mapping[str, Callable[[argparse.ArgumentParser], None]] = {
    "capture": capture.add_arguments,
    "doctor": doctor.add_arguments,
    "history": history.add_arguments,
    "token": token.add_arguments,
    "model": model.add_arguments,
}
"""Of the verbs that have a file of their own."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m device", description=f"EdgeDerm on the board. {NOTICE}"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, function in VERBS.items():
        text = (function.__doc__ or "").strip()
        verb = verbs.add_parser(name, help=text, description=f"{text} {NOTICE}")
        if name == "inspect":
            verb.add_argument("model_file", type=Path, metavar="MODEL", help="an ONNX file")
            continue
        verb.add_argument(
            "--settings", type=Path, metavar="FILE", help="TOML file; see docs/settings.md"
        )
        if name in ARGUMENTS:
            ARGUMENTS[name](verb)
        if name == "panel-test":
            for option, default, text in (
                ("--seconds", 4.0, "for each state of the light"),
                ("--wait", 20.0, "for the press"),
            ):
                verb.add_argument(
                    option, type=_seconds, default=default, metavar="S", help=f"{text}, {default:g}"
                )
        if name == "classify":
            verb.add_argument("--model", type=Path, metavar="MODEL", help="another ONNX file")
            verb.add_argument("files", nargs="+", metavar="FILE", help="JPEG or PNG pictures")
    return parser


def _seconds(text: str) -> float:
    """Read a time that ends: above zero, at most ten minutes."""
    seconds = float(text)
    if not 0 < seconds <= _LONGEST_WAIT_S:
        raise argparse.ArgumentTypeError(f"expected 0 to {_LONGEST_WAIT_S} seconds, found {text}")
    return seconds


def _say(line: str) -> None:
    print(line, flush=True)


def _model_settings(settings: Settings, path: Path | None) -> ModelSettings:
    if path is None:
        return settings.model
    return ModelSettings(path=path, threads=settings.model.threads)
