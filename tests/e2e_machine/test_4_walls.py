"""Walls that a container cannot show: the real kernel enforces them, and each has its control."""

import socket
import threading

import pytest

from tests.e2e_machine.machine import OUTSIDE

GROUP = "/sys/fs/cgroup/system.slice/edgederm.service"
PORT = 5300


class Listener:
    """Hears what reaches an address beyond the practice's network."""

    def __init__(self):
        self.heard = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((OUTSIDE, PORT))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            self.heard.add(self._socket.recv(100).decode())


@pytest.fixture(scope="module")
def listener():
    return Listener()


def send(board, words, *, user, inside):
    """Let a process on the board send *words* out, in the service's control group or beside it."""
    enter = f"echo $$ > {GROUP}/cgroup.procs; " if inside else ""
    to = f"/dev/udp/{OUTSIDE}/{PORT}"
    return board.root(
        f"{enter}exec setpriv --reuid {user} --regid {user} --clear-groups "
        f"bash -c 'echo -n {words} > {to} && echo sent' 2>&1",
        check=False,
    )


def test_nothing_leaves_the_service(board, token, listener):
    """Of two walls, IPAddressDeny= and nftables, either alone is enough; with neither it leaves."""
    firewall_alone = send(board, "firewall-alone", user="edgederm", inside=False)
    filter_alone = send(board, "filter-alone", user="root", inside=True)
    both = send(board, "both", user="edgederm", inside=True)
    neither = send(board, "neither", user="root", inside=False)
    assert "sent" in neither
    for answer in (firewall_alone, filter_alone, both):
        assert "not permitted" in answer or "Permission denied" in answer or "unreachable" in answer
        assert "sent" not in answer
    assert listener.heard == {"neither"}
    assert board.answers(token)  # Who asks it is answered.


def test_without_the_firewall_the_user_gets_out(board, listener):
    """The control of the firewall, broken on purpose."""
    board.root("systemctl stop edgederm-firewall")
    try:
        assert "sent" in send(board, "broken-firewall", user="edgederm", inside=False)
    finally:
        board.root("systemctl start edgederm-firewall")
    assert "broken-firewall" in listener.heard
    assert "sent" not in send(board, "mended-firewall", user="edgederm", inside=False)


def test_without_the_filter_the_group_gets_out(board, token, listener):
    """The control of IPAddressDeny=, broken on purpose."""
    board.root("systemctl set-property --runtime edgederm.service IPAddressAllow=any")
    try:
        assert "sent" in send(board, "broken-filter", user="root", inside=True)
    finally:
        board.root(
            "rm -rf /run/systemd/system.control/edgederm.service.d; systemctl daemon-reload; "
            "systemctl restart edgederm"
        )
    assert "broken-filter" in listener.heard
    assert "sent" not in send(board, "mended-filter", user="root", inside=True)
    assert board.answers(token)


def test_devices_other_than_cameras_and_lines_are_closed(board):
    read = "dd if=/dev/vda of=/dev/null bs=1 count=1 2>&1"
    assert "not permitted" in board.root(f"echo $$ > {GROUP}/cgroup.procs; {read}", check=False)
    assert "1 byte" in board.root(read)  # The control.


def test_memory_processes_and_processor_are_limited(board):
    """What the kernel holds the service to, and that it does."""
    limits = board.root(f"cd {GROUP}; cat memory.max pids.max cpu.max").split()
    assert limits == [str(480 * 2**20), "128", "200000", "100000"]
    command = "systemd-run --quiet --wait --pipe --collect -p MemoryMax=480M -p MemorySwapMax=64M"
    grow = "/usr/bin/python3 -c 'print(len(bytearray({} << 20)))' 2>&1"
    assert str(300 << 20) in board.root(f"{command} {grow.format(300)}", check=False)
    assert str(700 << 20) not in board.root(f"{command} {grow.format(700)}", check=False)
    fork = "for i in $(seq 9); do sleep 1 & done; wait"
    tight = board.root(
        f"systemd-run --quiet --wait --pipe --collect -p TasksMax=5 sh -c '{fork}' 2>&1",
        check=False,
    )
    assert "fork" in tight.lower()
