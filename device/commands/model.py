"""``python -m device model``: take a signed model, look at all of them, return to the last."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from device.core.errors import EdgeDermError
from device.core.ports import HistoryUse
from device.settings import Settings, load_settings

ACTOR = "command line"
"""In the audit trail."""
_PROVE = "prove"
_LIMITS = ("memory_bytes", "cpu_s", "wall_s")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the verbs below ``model``."""
    verbs = parser.add_subparsers(dest="model_verb", required=True, metavar="WHAT")
    for name, function in VERBS.items():
        text = (function.__doc__ or "").strip().splitlines()[0]
        verb = verbs.add_parser(name, help=text, description=text)
        if name in {"install", "verify"}:
            many = "?" if name == "verify" else None
            verb.add_argument("bundle", type=Path, metavar="FILE", nargs=many, help="an .edm file")
        if name == "install":
            verb.add_argument(
                "--force", action="store_true", help="take a version that is not newer too"
            )
        if name == "rollback":
            verb.add_argument(
                "--shipped", action="store_true", help="to the model that came with the software"
            )
    # Started by the box itself, in a process with limits: no verb for people.
    prove = verbs.add_parser(_PROVE)
    prove.add_argument("--keys", type=Path, required=True)
    for name in _LIMITS:
        prove.add_argument(f"--{name.replace('_', '-')}", type=int, required=True)


def run(options: argparse.Namespace) -> int:
    """Install, list, verify and roll back signed models."""
    if options.model_verb == _PROVE:
        return _prove(options)
    return VERBS[options.model_verb](load_settings(options.settings), options)


def install(settings: Settings, options: argparse.Namespace) -> int:
    """Check a bundle, prove its model, and keep it for the next start, on trial."""
    from device import compose_model

    taken, act = compose_model.install_bundle(settings.model, options.bundle, force=options.force)
    _print(taken.model_dump(mode="json"))
    if taken.has_changed:
        _say("it answers after the next start: restart the box")
        _note(settings, act, taken.words)
    return 0


def list_models(settings: Settings, _options: argparse.Namespace) -> int:
    """Print the wanted model, the one before and the shipped one, one JSON object a line."""
    from device import compose_model

    for line in compose_model.list_models(settings.model):
        _print(line)
    return 0


def rollback(settings: Settings, options: argparse.Namespace) -> int:
    """Return to the model before at the next start; or to the shipped one."""
    from device import compose_model

    before, current = compose_model.roll_back(settings.model, to_shipped=options.shipped)
    _print({"current": current, "before": before})
    _say("it answers after the next start: restart the box")
    _note(settings, "model rolled back", current)
    return 0


def verify(settings: Settings, options: argparse.Namespace) -> int:
    """Check a bundle as an installation would, or all that is installed; changes nothing."""
    from device import compose_model

    status = 0
    for line in compose_model.verify_models(settings.model, options.bundle):
        _print(line)
        status = status if line["problem"] is None else 1
    return status


def keys(settings: Settings, _options: argparse.Namespace) -> int:
    """Print the keys whose models are taken, and those that are revoked, one JSON object a line."""
    from device import compose_model

    trust = compose_model.read_keys(settings.model)
    for name in sorted(trust.keys.keys() | trust.revoked):
        _print({"key_id": name, "is_trusted": name in trust.trusted})
    if not trust.trusted:
        _say(f"no key is trusted: no model can be installed; put a .pub file into {trust.place}")
    return 0


VERBS: Mapping[str, Callable[[Settings, argparse.Namespace], int]] = {
    "install": install,
    "list": list_models,
    "rollback": rollback,
    "verify": verify,
    "keys": keys,
}


def _prove(options: argparse.Namespace) -> int:
    """Answer for ``device.updates.proof``: a bundle on standard input, its identity as JSON."""
    from device import compose_model

    limits = {name: getattr(options, name) for name in _LIMITS}
    identity = compose_model.prove_here(sys.stdin.buffer, options.keys, limits)
    _print({"name": identity.name, "version": identity.version, "sha256": identity.sha256})
    return 0


def _print(line: Mapping[str, object]) -> None:
    print(json.dumps(line), flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _note(settings: Settings, act: str, subject: str) -> None:
    """Tell the audit trail; what is done stays done where there is none."""
    from device import compose

    try:
        with compose.open_history(settings.history, HistoryUse.NOTE) as archive:
            archive.note(act, subject, actor=ACTOR).result()
    except EdgeDermError as error:
        print(f"done, but not in the audit trail: {error}", file=sys.stderr)
