"""A kernel that hangs: the board's own watchdog resets it, and the box comes back by itself."""

import contextlib
import subprocess
import time

from tests.e2e.board import wait_for
from tests.e2e_machine.deployment import rows

HANG = (
    "echo 0 > /proc/sys/kernel/panic; echo 1 > /proc/sys/kernel/sysrq; sync; "
    "(sleep 1; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &"
)


def hang(board):
    """Let the kernel crash and stand still."""
    board.root(HANG)
    time.sleep(3)
    board.forget()


def console(board):
    return max(board.artifacts.glob("console-*.log")).read_text(errors="replace")


def test_a_kernel_that_hangs_is_reset_and_the_box_answers_again(board, token, times):
    assert "i6300ESB" in board.root("cat /sys/class/watchdog/watchdog0/identity")
    assert board.root("systemctl show -p RuntimeWatchdogUSec --value").strip() == "14s"
    assert board.answers(token)
    kept = {row["id"] for row in rows(board, token)}
    boot = board.root("cat /proc/sys/kernel/random/boot_id")
    began_s = time.monotonic()
    hang(board)

    def came_back():
        return board.is_up() and board.root("cat /proc/sys/kernel/random/boot_id") != boot

    wait_for(came_back, 240)
    wait_for(lambda: board.answers(token), 120)
    times["kernel hung, to an answer"] = round(time.monotonic() - began_s, 1)
    assert kept <= {row["id"] for row in rows(board, token)}


def test_without_food_from_systemd_nothing_is_reset(board):
    """The control: it is the watchdog that did it, and not QEMU or the kernel."""
    board.root(
        "echo '[Manager]\nRuntimeWatchdogSec=off' > /etc/systemd/system.conf.d/zz-off.conf; "
        "systemctl daemon-reexec"
    )
    hang(board)
    began = len(console(board))
    time.sleep(45)
    assert "Linux version" not in console(board)[began:]
    with contextlib.suppress(subprocess.TimeoutExpired):
        assert not board.is_up()
