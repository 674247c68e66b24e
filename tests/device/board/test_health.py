"""Temperature and power from the kernel's files; what is not there is left out."""

import pytest

from device.board.health import read_health
from device.core.board import BoardHealth

pytestmark = pytest.mark.portable

THROTTLED = "sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled"
NAMES = ("under_voltage", "frequency_capped", "throttled", "soft_temperature_limit")


@pytest.fixture
def write(tmp_path):
    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path

    return write


def test_a_machine_that_shows_nothing_has_no_figures(tmp_path):
    assert read_health(tmp_path) == BoardHealth()


def test_this_machine_can_be_looked_at():
    assert all(-50 < one < 150 for one in read_health().temperatures_celsius.values())


def test_every_sensor_has_a_name_of_its_own(write):
    for number, (kind, milli) in enumerate(
        [("cpu-thermal", "51540"), ("gpu-thermal", "-1000"), ("gpu-thermal", "48000")]
    ):
        write(f"sys/class/thermal/thermal_zone{number}/type", f"{kind}\n")
        root = write(f"sys/class/thermal/thermal_zone{number}/temp", f"{milli}\n")
    assert read_health(root).temperatures_celsius == {
        "cpu-thermal": 51.54,
        "gpu-thermal": -1.0,
        "gpu-thermal thermal_zone2": 48.0,
    }


def test_a_sensor_that_sleeps_is_left_out(write):
    write("sys/class/thermal/thermal_zone0/type", "cv0-thermal\n")
    root = write("sys/class/thermal/thermal_zone1/temp", "not a number\n")
    assert read_health(root).temperatures_celsius == {}


def test_a_zone_without_a_name_has_its_number(write):
    root = write("sys/class/thermal/thermal_zone0/temp", "1000\n")
    assert read_health(root).temperatures_celsius == {"thermal_zone0": 1.0}


@pytest.mark.parametrize(
    ("text", "now", "since_start"),
    [
        ("0", set(), set()),
        ("1", {"under_voltage"}, set()),
        ("50005", {"under_voltage", "throttled"}, {"under_voltage", "throttled"}),
        ("e0008", {"soft_temperature_limit"}, set(NAMES) - {"under_voltage"}),
        ("f000f", set(NAMES), set(NAMES)),
        ("0x20002\n", {"frequency_capped"}, {"frequency_capped"}),
    ],
)
def test_a_raspberry_pi_tells_what_holds_it_back(write, text, now, since_start):
    health = read_health(write(THROTTLED, text))
    assert health.flags == {name: name in now for name in NAMES}
    assert health.flags_since_start == {name: name in since_start for name in NAMES}


@pytest.mark.parametrize("text", ["", "what", "-"])
def test_what_is_no_number_tells_nothing(write, text):
    health = read_health(write(THROTTLED, text))
    assert health.flags == {}
    assert health.flags_since_start == {}


@pytest.mark.parametrize(("alarm", "is_low"), [("0\n", False), ("1\n", True)])
def test_the_voltage_monitor_is_asked_where_the_firmware_shows_nothing(write, alarm, is_low):
    write("sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    write("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")
    write("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    health = read_health(write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm))
    assert health.flags == {"under_voltage": is_low}
