"""One machine for all tests, in the order in which they stand; what it said is kept."""

import os
import time
from pathlib import Path

import pytest

from tests.e2e.board import ROOT, empty_folder
from tests.e2e_machine.deployment import Deployment, measured
from tests.e2e_machine.machine import Machine
from tests.measured import sources

ARTIFACTS = ROOT / "var/e2e-machine"


def pytest_addoption(parser):
    parser.addoption("--results", type=Path, help="keep what was measured, if all tests passed")


FOUND = pytest.StashKey[dict]()


@pytest.fixture(scope="session")
def times(pytestconfig):
    """What was measured, by name, and of what; durations in seconds; written down at the end."""
    return pytestconfig.stash.setdefault(FOUND, sources())


def pytest_sessionfinish(session, exitstatus):
    """Write down what was measured."""
    if not (found := session.config.stash.get(FOUND, None)):
        return
    text = measured({**found, "tests passed": session.testscollected - session.testsfailed})
    (ARTIFACTS / "times.json").write_text(text)
    if session.config.option.results and exitstatus == 0:
        session.config.option.results.write_text(text)


@pytest.fixture(scope="session")
def board(tmp_path_factory, times):
    if "EDGEDERM_E2E_IMAGE" not in os.environ:
        pytest.fail("say: make e2e-machine")
    empty_folder(ARTIFACTS)
    image = Path(os.environ["EDGEDERM_E2E_IMAGE"])
    made = Machine(tmp_path_factory.mktemp("controller"), ARTIFACTS, image)
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
        with (ARTIFACTS / "tests.txt").open("a") as file:
            file.write(f"{time.monotonic() - began_s:7.1f} s  {item.name}\n")
