"""The box on a virtual machine, as the playbook brings it there."""

import json
import os
import re
import time

from tests.bundles import Signer, a_key_folder
from tests.e2e.board import PATIENCE
from tests.e2e_machine.machine import SAMPLES

SETTINGS = {
    "camera": {"kind": "v4l2", "device": "/dev/video10", "width_px": 640, "height_px": 480},
    "panel": {
        "kind": "gpiod", "chip": "edgederm-sim",
        "button": "BUTTON", "red": "LED_RED", "green": "LED_GREEN", "blue": "LED_BLUE",
    },
    "server": {"host": "0.0.0.0"},  # noqa: S104 - the board's own network
}  # fmt: skip


class Deployment:
    """Deploys to a machine, and holds what the first deployment showed."""

    def __init__(self, board):
        self.board = board
        self.token = None
        (key,) = a_key_folder(board.folder / "keys", Signer()).glob("*.pub")
        self.variables = {
            "appliance_lan": ["10.99.0.0/24"],
            "appliance_watch_s": 5,
            "appliance_model_keys": [str(key)],
        }

    def bring(self, **settings):
        """
        Run the playbook on a fresh board, with other *settings* than usual.

        Returns:
            How long it took in seconds, and what the playbook counted.
        """
        self.board.show(SAMPLES / "1-nevus.jpg")
        self.board.root("systemctl restart virtual-camera")
        began_s = time.monotonic()
        variables = {**self.variables, "appliance_settings": {**SETTINGS, **settings}}
        done, counts = self.board.play("deploy", self.board.inventory(variables))
        shown = r"shown this once: (edgederm-[a-z2-7]{8}-[a-z2-7]{32})"
        (self.token,) = re.findall(shown, done.stdout)
        return round(time.monotonic() - began_s, 1), counts


def rows(board, token):
    """Return the history of the box, the newest first, as it is told over the network."""
    found, cursor = [], ""
    while cursor is not None:
        status, page = board.ask(f"/results?limit=200{cursor}", token=token)
        if status != 200:
            raise RuntimeError(f"the history answers {status}: {page}")
        found += page["results"]
        cursor = None if page["next"] is None else f"&cursor={page['next']}"
    return found


def measured(found):
    """Return a file of results: *found*, and under what circumstances it was found."""
    about = {
        "whole run": round(time.time() - int(os.environ["EDGEDERM_E2E_BEGAN"])),
        "patience": PATIENCE,
        "load at the end": round(os.getloadavg()[0], 1),
    }
    prepared = json.loads(os.environ["EDGEDERM_E2E_PREPARED"])
    return json.dumps({**prepared, **found, **about}, indent=2) + "\n"
