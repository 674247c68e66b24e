"""From a fresh machine to a press of the button that is answered by light and history."""

import json
import os
import subprocess
import sys

import pytest

from tests.e2e.board import PATIENCE, ROOT, wait_for
from tests.e2e_machine.deployment import rows
from tests.e2e_machine.machine import SAMPLES

COLORS = {"benign": "g", "malignant": "r", "uncertain": "rg", "retake": "rb"}
"""Which LEDs tell a result; docs/panel.md."""
PICTURES = ("1-nevus.jpg", "2-melanoma.jpg", "6-lens-cap.jpg")


@pytest.fixture(scope="module")
def expected():
    """What this machine answers to the same pictures."""
    done = subprocess.run(
        [sys.executable, "-m", "device", "classify", *(SAMPLES / name for name in PICTURES)],
        cwd=ROOT, check=True, capture_output=True, text=True,
        # The device would take the tests' own variables for its settings.
        env={name: value for name, value in os.environ.items() if "EDGEDERM" not in name},
    )  # fmt: skip
    lines = map(json.loads, done.stdout.splitlines())
    return {name: line["result"] for name, line in zip(PICTURES, lines, strict=True)}


def test_one_command_brings_a_fresh_machine_to_its_first_answer(board, deployment, times):
    times["first deployment"], counts = deployment.bring()
    assert counts["failed"] == counts["unreachable"] == 0
    assert board.answers(deployment.token)


def test_the_box_runs_walled_in_with_camera_and_lines(board, token, times):
    assert board.service("ActiveState", "User") == {"ActiveState": "active", "User": "edgederm"}
    text = board.root("systemd-analyze security edgederm --no-pager", check=False)
    line = next(line for line in text.splitlines() if "Overall exposure level" in line)
    times["systemd-analyze security"] = score = float(line.split(": ")[1].split()[0])
    assert score <= 1.8
    used = board.root("cat /sys/kernel/debug/gpio")
    assert used.count("(edgederm)") == 4  # A button and three LEDs.
    status, body = board.ask("/classify", token=token)
    assert (status, body["source"]) == (200, "v4l2")


@pytest.mark.parametrize("name", PICTURES)
def test_a_press_is_answered_by_light_and_history(board, token, expected, name, times):
    """Pressed and seen in sysfs, with the real kernel between."""
    board.show(SAMPLES / name)
    wait_for(lambda: board.light(1).keys() <= {"gb"}, 60)  # Ready: cyan.
    before = {row["id"] for row in rows(board, token)}
    board.press()

    def answered():
        return [row for row in rows(board, token) if row["id"] not in before]

    times[f"press to the row, {name}"] = round(wait_for(answered, 30), 1)
    (row,) = answered()
    assert (row["source"], row["result"]) == ("v4l2", expected[name])
    # The answer stays lit for 30 seconds; a light that blinks is dark in between.
    seen = board.light(4)
    assert seen.keys() - {""} == {COLORS[row["result"]]}


def test_the_colors_are_told_apart(expected):
    """A control: the pictures do not all ask for one light."""
    assert len({COLORS[result] for result in expected.values()}) == len(PICTURES)


def test_a_button_that_is_not_pressed_asks_nothing(board, token):
    """A control, with a touch shorter than the button's debounce."""
    wait_for(lambda: board.light(1).keys() <= {"gb"}, 60)
    before = len(rows(board, token))
    pull = "/run/lines/sim_gpio17/pull"
    board.root(f"echo pull-down > {pull}; echo pull-up > {pull}; sleep {2 * PATIENCE}")
    assert len(rows(board, token)) == before
