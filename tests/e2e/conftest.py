"""One board for all tests of a half, in the order in which they stand; what it said is kept."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bundles import Signer, a_key_folder, newer
from tests.e2e.board import PATIENCE, ROOT, Board, empty_folder
from tests.measured import sources

HALF = os.environ.get("EDGEDERM_E2E_HALF", "")
"""Of the tests, which run in two halves side by side, see ``run.sh``."""
ARTIFACTS = ROOT / "var/e2e" / HALF

SETTINGS = {
    # Pictures in place of a camera, which the tests take away; and limits that are met soon.
    "camera": {"kind": "replay", "path": "/srv/pictures", "timeout_s": 0.5, "stuck_exit_s": 3},
    "server": {"host": "0.0.0.0"},  # noqa: S104 - the board's own network
    # Far more than a board can hold, so that one picture meets its memory limit.
    "picture": {"max_pixels": 200_000_000},
}


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, help="how often the service is killed under load")
    parser.addoption("--results", type=Path, help="see results.py")


FOUND = pytest.StashKey[dict]()


@pytest.fixture(scope="session")
def times(pytestconfig):
    """What was measured, by name, and of what; durations in seconds; written down at the end."""
    return pytestconfig.stash.setdefault(FOUND, sources())


def pytest_sessionfinish(session, exitstatus):
    """Write down what was measured, for ``results.py``."""
    found = session.config.stash.get(FOUND, None)
    if found and exitstatus == 0:
        found["tests passed"] = session.testscollected
        (ARTIFACTS / "times.json").write_text(json.dumps(found, indent=2) + "\n")


@pytest.fixture(scope="session")
def board(tmp_path_factory, times):
    if "EDGEDERM_E2E_ROOT" not in os.environ:
        pytest.fail("say: make e2e")
    made = Board(tmp_path_factory.mktemp("controller"), empty_folder(ARTIFACTS))
    began_s = time.monotonic()
    try:
        made.start()
        times["board booted"] = round(time.monotonic() - began_s, 1)
        made.let_in()
        made.put_samples()
        # A disk of its own for the state, small enough to be filled.
        made.root("mkdir /var/lib/edgederm; mount -t tmpfs -o size=64m tmpfs /var/lib/edgederm")
        yield made
        made.keep_journal()
    finally:
        made.stop()


@pytest.fixture(scope="session")
def signed(tmp_path_factory):
    """A key and a bundle as an operator makes them."""
    folder = tmp_path_factory.mktemp("bundles")
    (folder / "words").write_text("correct horse battery staple")
    words = ("--passphrase-file", folder / "words")
    model = ROOT / "device/models/student.onnx"
    named = ("--model", model, "--key", folder / "clinic.key", "--version", newer())
    for verb in (("keygen", "clinic"), ("bundle", *named)):
        command = [sys.executable, "-m", "training", *verb, "--out", folder, *words]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (bundle,) = folder.glob("*.edm")
    return {"bundle": bundle, "key": folder / "clinic.pub"}


@pytest.fixture(scope="session")
def variables(signed, tmp_path_factory):
    """What the inventory says of every board; bundles of ``tests.bundles`` are trusted too."""
    (second,) = a_key_folder(tmp_path_factory.mktemp("keys") / "keys", Signer()).glob("*.pub")
    return {
        "appliance_settings": SETTINGS,
        "appliance_lan": ["10.99.0.0/16"],
        # Half the time of a real box; what dies in these tests dies at once.
        "appliance_watch_s": round(5 * min(PATIENCE, 2)),
        "appliance_model_keys": [str(signed["key"]), str(second)],
    }


@pytest.fixture
def inventory(board, variables):
    return board.inventory(variables)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A clone of this repository in which a test may commit; releases are kept in one place."""
    folder = tmp_path_factory.mktemp("checkout") / "edgederm"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    (folder / "var").mkdir()
    (folder / "var/releases").symlink_to(ROOT / "var/releases")
    yield folder
    shutil.rmtree(folder)


def commit(checkout, name, change):
    """Change a file of the clone, and commit it."""
    file = checkout / name
    file.write_text(change(file.read_text()))
    subprocess.run(
        [
            "git", "-C", checkout, "-c", "user.name=e2e", "-c", "user.email=e2e",
            "commit", "-qam", name,
        ],
        check=True,
    )  # fmt: skip


def current(board, link="current"):
    """The release that is linked, if any."""
    return board.root(f"readlink /opt/edgederm/{link}", check=False).strip()


@pytest.fixture(scope="session")
def secrets():
    """What the first deployment showed: a dictionary with ``token``; None if it failed."""
    return {}


def deploy_first(board, inventory, secrets):
    """Deploy to a fresh board; returns what the playbook said."""
    secrets["token"] = None
    done, _ = board.play("deploy", inventory)
    (secrets["token"],) = re.findall(
        r"shown this once: (edgederm-[a-z2-7]{8}-[a-z2-7]{32})", done.stdout
    )
    return done.stdout


@pytest.fixture
def token(board, inventory, secrets):
    """A token of the board, which is deployed to if no test did that before."""
    if "token" not in secrets:
        deploy_first(board, inventory, secrets)
    if secrets["token"] is None:
        pytest.fail("the deployment did not get so far")
    return secrets["token"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Note how long each test took, whatever came of it."""
    began_s = time.monotonic()
    try:
        return (yield)
    finally:
        if "times" in item.funcargs or "board" in item.funcargs:
            log = Path(ARTIFACTS / "tests.txt")
            with log.open("a") as file:
                file.write(f"{time.monotonic() - began_s:7.1f} s  {item.name}\n")
