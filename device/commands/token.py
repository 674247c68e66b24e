"""``python -m device token``: who may ask the box over the network, and who may no more."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping

from device.core.access import Role, TokenKeeping
from device.core.errors import AccessError, EdgeDermError
from device.core.ports import HistoryUse
from device.settings import Settings, load_settings

ACTOR = "command line"
"""In the audit trail."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the verbs below ``token``."""
    verbs = parser.add_subparsers(dest="token_verb", required=True, metavar="WHAT")
    for name, function in VERBS.items():
        text = (function.__doc__ or "").strip().splitlines()[0]
        verb = verbs.add_parser(name, help=text, description=text)
        if name == "add":
            verb.add_argument("name", metavar="NAME", help="whose it is, or which program's")
            verb.add_argument(
                "--role", type=Role, choices=list(Role), default=Role.READ, metavar="ROLE",
                help=f"{', '.join(role.value for role in Role)}; read if not said",
            )  # fmt: skip
        if name == "revoke":
            verb.add_argument("id", metavar="ID", help="as `token list` shows it")


def run(options: argparse.Namespace) -> int:
    """Make, list and revoke the tokens that the REST interface asks for."""
    from device import compose

    settings = load_settings(options.settings)
    VERBS[options.token_verb](compose.open_tokens(settings.server), settings, options)
    return 0


def add(tokens: TokenKeeping, settings: Settings, options: argparse.Namespace) -> None:
    """Make a token and print it: this once, it cannot be looked up later."""
    token, secret = tokens.add(name=options.name, role=options.role)
    print(secret, flush=True)
    print(
        f"role {token.role.value}, id {token.token_id}; shown this once, so keep it where "
        "passwords are kept",
        file=sys.stderr,
    )
    _note(settings, f"token added ({token.role.value})", token.token_id)


def list_tokens(tokens: TokenKeeping, _settings: Settings, _options: argparse.Namespace) -> None:
    """Print the tokens that are not revoked, the oldest first, one JSON object a line."""
    for token in tokens.all():
        line = {
            "id": token.token_id,
            "name": token.name,
            "role": token.role.value,
            "created_at": token.created_at.isoformat(),
        }
        print(json.dumps(line), flush=True)


def revoke(tokens: TokenKeeping, settings: Settings, options: argparse.Namespace) -> None:
    """Let the holder of a token in no more; a running box knows it at once."""
    token = tokens.revoke(options.id)
    if token is None:
        raise AccessError(
            f"expected the id of a token, found {options.id!r}; `token list` shows them"
        )
    print(json.dumps({"revoked": token.token_id, "name": token.name}), flush=True)
    _note(settings, "token revoked", token.token_id)


VERBS: Mapping[str, Callable[[TokenKeeping, Settings, argparse.Namespace], None]] = {
    "add": add,
    "list": list_tokens,
    "revoke": revoke,
}


def _note(settings: Settings, act: str, subject: str) -> None:
    """Tell the audit trail; what is done stays done where there is none."""
    from device import compose

    try:
        with compose.open_history(settings.history, HistoryUse.NOTE) as archive:
            archive.note(act, subject, actor=ACTOR).result()
    except EdgeDermError as error:
        print(f"done, but not in the audit trail: {error}", file=sys.stderr)
