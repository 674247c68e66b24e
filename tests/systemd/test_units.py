"""The units say what the rest of the repository counts on."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from device.service.worker import LONGEST_TURN_S
from device.settings import CameraSettings

UNITS = Path(__file__).resolve().parents[2] / "systemd"


def options(name):
    """All assignments of a unit or drop-in, in their order."""
    text = (UNITS / name).read_text()
    return re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)


@pytest.fixture
def service():
    return options("edgederm.service")


def test_the_service_is_watched_and_comes_back(service):
    found = dict(service)
    assert found["Type"] == "notify"
    assert found["Restart"] == "always"
    assert found["WatchdogSec"] == "10"
    # A hung process is replaced within 20 s: watchdog, abort, start again.
    assert sum(int(found[name]) for name in ("WatchdogSec", "TimeoutAbortSec", "RestartSec")) < 17


def test_it_may_take_its_time_where_a_part_may(service):
    found = dict(service)
    assert int(found["TimeoutStopSec"]) >= 20
    assert LONGEST_TURN_S > 15  # The history's own limit for one answer.
    assert CameraSettings().stuck_exit_s > float(found["WatchdogSec"])


def test_only_cameras_and_lines_can_be_opened(service):
    assert ("DevicePolicy", "closed") in service
    allowed = {value for key, value in service if key == "DeviceAllow"}
    assert allowed == {"char-video4linux rw", "char-media rw", "char-gpiochip rw"}


def test_nothing_goes_out_but_to_this_machine(service):
    assert ("IPAddressDeny", "any") in service
    assert [value for key, value in service if key == "IPAddressAllow"] == ["localhost"]


def test_the_firewall_is_started_with_the_box_only_where_it_is_on(service):
    """The play writes these lines into the box's drop-in there, and not elsewhere."""
    assert "edgederm-firewall.service" not in [value for key, value in service if key == "Wants"]
    assert options("edgederm.service.d/firewall.conf") == [("Wants", "edgederm-firewall.service")]
    # Before it in any case.
    assert "edgederm-firewall.service" in dict(service)["After"].split()


def test_every_relaxation_of_a_drop_in_has_its_reason():
    for file in (UNITS / "edgederm.service.d").glob("*.conf"):
        lines = file.read_text().splitlines()
        assert lines[0].startswith("# For "), file
        assert any(line.startswith("#") for line in lines[1:]) or file.stem == "reboot", file


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd: sudo apt install systemd"
)
@pytest.mark.parametrize(
    ("drop_in", "most"),
    # Who wants a clock that can be set pays for it with one capability.
    [(None, 1.8), ("libcamera", 1.8), ("reboot", 1.8), ("jetson", 1.8), ("clock", 2.0)],
)
def test_the_exposure_is_below_the_bar(tmp_path, drop_in, most):
    """As far as systemd can tell without a board; make e2e measures it on one."""
    unit = shutil.copy(UNITS / "edgederm.service", tmp_path)
    if drop_in is not None:
        (tmp_path / "edgederm.service.d").mkdir()
        shutil.copy(UNITS / f"edgederm.service.d/{drop_in}.conf", tmp_path / "edgederm.service.d")
    answer = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for edgederm.service: ([\d.]+)", answer.stdout)
    assert found, answer.stdout + answer.stderr
    assert float(found[1]) <= most
