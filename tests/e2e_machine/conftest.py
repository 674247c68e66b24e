"""One machine for all tests of a half, in the order in which they stand; what it said is kept."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.e2e.board import ROOT, empty_folder
from tests.e2e_machine.deployment import Deployment
from tests.e2e_machine.machine import Machine
from tests.measured import sources

ARTIFACTS = ROOT / "var/e2e-machine"
HALF = os.environ.get("EDGEDERM_E2E_HALF", "")
"""Of the tests, which run in two halves side by side, see ``__main__.py``."""
TIMES = "times.json"
FOUND = pytest.StashKey[dict]()


@pytest.fixture(scope="session")
def times(pytestconfig):
    """What was measured, by name, and of what; durations in seconds; written down at the end."""
    return pytestconfig.stash.setdefault(FOUND, sources())


def pytest_sessionfinish(session, exitstatus):
    """Write down what was measured, for ``__main__.py``."""
    if found := session.config.stash.get(FOUND, None):
        found["tests passed"] = session.testscollected - session.testsfailed
        (ARTIFACTS / HALF / TIMES).write_text(json.dumps(found, indent=2) + "\n")


@pytest.fixture(scope="session")
def board(tmp_path_factory, times):
    if not HALF:
        pytest.fail("say: make e2e-machine")
    image = Path(os.environ["EDGEDERM_E2E_IMAGE"])
    made = Machine(tmp_path_factory.mktemp("controller"), empty_folder(ARTIFACTS / HALF), image)
    try:
        times["cold boot, to a login"] = made.start()
        made.let_in()
        yield made
        made.keep_journal()
    finally:
        made.cut()


@pytest.fixture(scope="session")
def deployment(board):
    return Deployment(board)


@pytest.fixture
def token(deployment):
    if deployment.token is None:
        pytest.fail("the deployment did not get so far")
    return deployment.token


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Note how long each test took, whatever came of it."""
    began_s = time.monotonic()
    try:
        return (yield)
    finally:
        with (ARTIFACTS / HALF / "tests.txt").open("a") as file:
            file.write(f"{time.monotonic() - began_s:7.1f} s  {item.name}\n")
