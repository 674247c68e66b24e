"""The walls around the service, each with a control that shows that the test would see a gap."""

import hashlib
import json
import re
import socket
import ssl

import pytest

from device.access.certificate import own_certificate
from tests.e2e.board import call, wait_for

WALLS = (
    "Protect", "Private", "Restrict", "System", "Memory", "NoExec", "Lock", "Capab", "Device",
    "NoNew", "Tasks",
)  # fmt: skip
"""How the unit's lines begin that make them; ``Tasks`` and ``Memory`` are its limits."""
DEVICE = "/dev/edgederm-test"
THREADS = """
import threading, time
for _ in range(200):
    threading.Thread(target=time.sleep, args=(1,)).start()
print("all " + "of it")
"""
BUSY = """
import time
end = time.monotonic() + 2
while time.monotonic() < end:
    pass
print(time.process_time() / 2)
"""


def inside(board, program, *, unit=True, but=""):
    """
    Run Python as the service is run, or as the same user without the walls.

    Args:
        board: Where.
        program: In Python.
        unit: Whether with the walls of the unit.
        but: One of them, otherwise.
    """
    walls = ""
    if unit:
        text = board.root("systemctl cat edgederm")
        section = text[text.index("[Service]") :]
        wanted = "|".join(WALLS)
        found = re.findall(rf"^((?:{wanted})\w*=.*)$", section, re.MULTILINE)
        walls = " ".join(f"-p '{line}'" for line in [*found, *([but] if but else [])])
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


@pytest.mark.parametrize(
    ("program", "wall"),
    [
        ('len(b"x" * (600 << 20)); print("all " + "of it")', "MemoryMax=infinity"),
        (THREADS, "TasksMax=infinity"),
        (f'open("{DEVICE}", "rb", buffering=0); print("all " + "of it")', f"DeviceAllow={DEVICE}"),
    ],
    ids=["memory", "tasks", "devices"],
)
def test_a_limit_holds_and_only_because_it_is_there(board, program, wall):
    """A limit may be ignored without a word: each is broken once, and the same then succeeds."""
    # A device that is no camera and no line, and that everybody might open but for the unit.
    board.root(f"test -c {DEVICE} || mknod -m 666 {DEVICE} c 10 237")
    assert "all of it" not in inside(board, program)
    assert "all of it" in inside(board, program, but=wall)


def test_the_share_of_the_processor_is_limited(board):
    """The unit's is two cores, all of some machines; the twentieth of one shows that it works."""
    share = float(inside(board, BUSY, but="CPUQuota=5%"))
    assert share < 0.15
    assert float(inside(board, BUSY)) > 2 * share
    assert board.service("CPUQuotaPerSecUSec") == "2s"


def test_the_hardware_watchdog_is_fed_where_it_is_wanted(board):
    """A container has none; that the board's own bites is for the machine tier."""
    told = board.root("systemctl show --property=RuntimeWatchdogUSec --value").strip()
    assert told == "14s"


def test_the_service_begins_no_connection(board):
    """Not even to this machine, whose resolver would carry things out."""
    program = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        's.sendto(b"x", ("{}", 53)); print("se" + "nt")'
    )
    for address in (board.here, "127.0.0.1"):
        assert "sent" not in inside(board, program.format(address), unit=False)
    board.root("systemctl stop edgederm-firewall")
    try:
        assert "sent" in inside(board, program.format("127.0.0.1"), unit=False)
    finally:
        board.root("systemctl start edgederm-firewall")
    assert "sent" not in inside(board, program.format("127.0.0.1"), unit=False)


def test_the_firewall_leaves_the_rest_of_the_board_alone(board):
    """IPv6 looks for neighbours with packets that are nobody's."""
    there = "fd00:ed::2"
    call("ip", "addr", "add", "fd00:ed::1/64", "dev", f"ve-{board.name}", "nodad")
    board.root(f"ip addr add {there}/64 dev host0 nodad")
    assert board.root("systemctl is-active edgederm-firewall") == "active\n"

    def is_reached():
        board.root("ip neigh flush dev host0")
        try:
            with socket.create_connection((there, 22), timeout=3) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    # The control: what excepts one user from a refusal of everything.
    board.root(
        "nft 'table inet control { chain output { type filter hook output priority filter; "
        'meta skuid != "edgederm" accept; ct state established,related accept; reject; }; }\''
    )
    try:
        assert not is_reached()
    finally:
        board.root("nft delete table inet control")
    wait_for(is_reached, 20)  # Who was not found is not looked for again at once.


def with_the_service(board):
    """Say whether the firewall is there when the service was started anew."""
    board.root("systemctl restart edgederm")
    return board.root("systemctl is-active edgederm-firewall", check=False).strip()


def test_a_firewall_that_is_on_starts_with_the_box(board):
    board.root("systemctl stop edgederm-firewall")
    assert with_the_service(board) == "active"


def test_the_state_is_the_services_alone(board):
    assert board.root("stat -c '%a %U' /var/lib/edgederm").strip() == "700 edgederm"
    assert "Permission denied" in board.root(
        "runuser -u technician -- ls /var/lib/edgederm 2>&1", check=False
    )
    rows = board.root("edgederm history list 2>/dev/null").splitlines()
    assert json.loads(rows[0])["result"]


@pytest.fixture(scope="module")
def otherwise(board, variables, tmp_path_factory):
    """The box as another inventory wants it; booleans are texts, as on the command line."""
    given = own_certificate(tmp_path_factory.mktemp("given"), ["practice.example"])
    inventory = board.inventory(
        {
            **variables,
            "appliance_firewall": "false",
            "appliance_reboot_when_failing": "false",
            "appliance_certificate": str(given.certificate),
            "appliance_key": str(given.key),
        }
    )
    try:
        board.play("deploy", inventory, "--diff")
        yield inventory, given
    finally:
        board.play("deploy", board.inventory(variables))


def test_a_firewall_that_is_switched_off_stays_off(board, otherwise):
    assert with_the_service(board) == "inactive"
    assert board.service("StartLimitAction") == "none"
    inventory, _ = otherwise
    _, counts = board.play("deploy", inventory)
    assert counts["changed"] == 0


def test_an_operators_certificate_is_the_one_that_is_shown(board, otherwise):
    _, given = otherwise
    shown = ssl.get_server_certificate((board.there, 8000))
    assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest() == given.sha256
    assert board.root("stat -c '%a %U %G' /etc/edgederm/tls.pem") == "640 root edgederm\n"
    played = sorted(board.artifacts.glob("play-*"))
    assert "PRIVATE KEY" not in "".join(path.read_text() for path in played)
