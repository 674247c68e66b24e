"""The walls around the service, each with a control that shows that the test would see a gap."""

import json
import re

import pytest


def inside(board, program, *, unit=True):
    """Run Python as the service is run, or as the same user without the walls."""
    walls = ""
    if unit:
        text = board.root("systemctl cat edgederm")
        section = text[text.index("[Service]") :]
        wanted = (
            r"^((?:Protect|Private|Restrict|System|Memory|NoExec|Lock|Capab|Device|NoNew)\w*=.*)$"
        )
        found = re.findall(wanted, section, re.MULTILINE)
        walls = " ".join(f"-p '{line}'" for line in found)
    return board.root(
        f"systemd-run --quiet --wait --pipe --collect -p User=edgederm -p StateDirectory=edgederm "
        "-p StateDirectoryMode=0700 "
        f"{walls} /usr/bin/python3 -c '{program}' 2>&1",
        check=False,
    )


def test_the_score_is_below_the_bar(board, times):
    text = board.root("systemd-analyze security edgederm --no-pager", check=False)
    score = float(re.search(r"Overall exposure level for edgederm.service: ([\d.]+)", text)[1])
    times["systemd-analyze security"] = score
    assert score <= 1.8


def test_the_units_are_understood_whole(board):
    text = board.root(
        "systemd-analyze verify /etc/systemd/system/edgederm*.service 2>&1", check=False
    )
    assert [line for line in text.splitlines() if "edgederm" in line] == []


@pytest.mark.parametrize(
    ("program", "refused"),
    [
        ('open("/etc/shadow-copy", "w")', "Read-only file system|Permission denied"),
        ('open("/opt/edgederm/x", "w")', "Read-only file system"),
        ('import os; print(os.listdir("/home"))', r"\[\]|Permission denied"),
        (
            'import ctypes, mmap; mmap.mmap(-1, 4096, prot=7); print("mapped")',
            "Permission denied|not permitted",
        ),
        ("import os; os.unshare(os.CLONE_NEWUSER)", "not permitted"),
        ("import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "not supported"),
        ('import os; os.setuid(0); print("root")', "not permitted"),
    ],
)
def test_what_the_service_does_not_need_is_refused(board, program, refused):
    assert re.search(refused, inside(board, program)), program


def test_without_the_walls_it_is_not(board):
    """The control."""
    assert "mapped" in inside(
        board, 'import mmap; mmap.mmap(-1, 4096, prot=7); print("mapped")', unit=False
    )
    assert "technician" in inside(board, 'import os; print(os.listdir("/home"))', unit=False)


def test_the_service_begins_no_connection(board):
    """Not even to this machine, whose resolver would carry things out."""
    program = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        's.sendto(b"x", ("{}", 53)); print("se" + "nt")'
    )
    for address in ("10.99.0.1", "127.0.0.1"):
        assert "sent" not in inside(board, program.format(address), unit=False)
    board.root("systemctl stop edgederm-firewall")
    try:
        assert "sent" in inside(board, program.format("127.0.0.1"), unit=False)
    finally:
        board.root("systemctl start edgederm-firewall")
    assert "sent" not in inside(board, program.format("127.0.0.1"), unit=False)


def test_the_state_is_the_services_alone(board):
    assert board.root("stat -c '%a %U' /var/lib/edgederm").strip() == "700 edgederm"
    assert "Permission denied" in board.root(
        "runuser -u technician -- ls /var/lib/edgederm 2>&1", check=False
    )
    rows = board.root("edgederm history list 2>/dev/null").splitlines()
    assert json.loads(rows[0])["result"]
