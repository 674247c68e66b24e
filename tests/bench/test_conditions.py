"""What spoils a run is said in words; a quiet run says nothing."""

import pytest

from bench.conditions import Meter, Watch, warnings
from bench.results import BenchError, Moment, Section


def moments(*each, **fields):
    usual = {"celsius": 50.0, "clock_mhz": 1800.0, "flags": (), "load": 0.1, "watt": None}
    return [Moment(at_s=float(n), **{**usual, **fields, **one}) for n, one in enumerate(each)]


def warned(*each, waited_share=0.0, load=0.1, governors=("performance",)):
    return warnings(
        moments(*each),
        waited_share=waited_share,
        load=load,
        governors=governors,
        limit_celsius=80.0,
    )


def test_a_quiet_cool_board_gives_no_warning():
    assert warned({}, {}, {}, {}) == ()


@pytest.mark.parametrize(
    ("each", "others", "word"),
    [
        ({}, {"waited_share": 0.3}, "30% of the run"),
        ({}, {"waited_share": None, "load": 3.0}, "load was 3.0"),
        ({}, {"governors": ("ondemand",)}, "ondemand"),
        ({"flags": ("under_voltage",)}, {}, "under_voltage"),
        ({"clock_mhz": 600.0}, {}, "down to 600 MHz"),
        ({"celsius": 81.0}, {}, "81 °C"),
    ],
)
def test_what_spoils_a_run_is_named(each, others, word):
    found = warned({}, {}, each, {}, **others)
    assert len(found) == 1
    assert word in found[0]


def test_the_watch_looks_at_once_and_sums_up():
    with Watch(None, limit_celsius=None) as watch:
        pass
    assert len(watch.moments) == 1
    assert watch.condition().moments == watch.moments


def test_a_watch_reads_clock_and_heat_where_the_kernel_shows_them(tmp_path):
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("61500\n")
    (zone / "type").write_text("cpu-thermal\n")
    for number, khz in enumerate((1800000, 1500000)):
        core = tmp_path / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        core.mkdir(parents=True)
        (core / "scaling_cur_freq").write_text(f"{khz}\n")
        (core / "scaling_governor").write_text("ondemand\n")
    with Watch(None, limit_celsius=60.0, root=tmp_path) as watch:
        pass
    condition = watch.condition()
    assert (condition.moments[0].celsius, condition.moments[0].clock_mhz) == (61.5, 1500.0)
    assert any("ondemand" in warning for warning in condition.warnings)
    assert any("60 °C" in warning for warning in condition.warnings)


SECTIONS = {
    "idle": Section(began_s=0.0, ended_s=10.0),
    "stages": Section(began_s=10.0, ended_s=20.0),
}


def test_a_log_of_a_meter_is_read_by_the_parts_of_the_run(tmp_path):
    log = tmp_path / "watts.csv"
    log.write_text("time,watts\n1005,2.0\n1012,4.0\n1018,6.0\n1019,\n9999,50\n")
    energy = Meter(log).energy(1000.0, (), SECTIONS, answers=("stages", 0.02))
    assert (energy.idle_watt, energy.watt) == (2.0, {"idle": 2.0, "stages": 5.0})
    assert energy.millijoule_per_answer == pytest.approx(100)


def test_a_log_may_write_the_time_as_people_do(tmp_path):
    log = tmp_path / "watts.csv"
    log.write_text("1970-01-01T00:16:45+00:00,3\n")
    assert Meter(log).readings(1000.0, ()) == [(5.0, 3.0)]


def test_a_driver_is_read_while_the_run_goes_on(tmp_path):
    file = tmp_path / "power1_input"
    file.write_text("2500000\n")
    meter = Meter(file)
    assert meter.now() == 2.5
    assert meter.readings(0.0, moments({"watt": 2.5}, {"watt": None})) == [(0.0, 2.5)]


def test_a_meter_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BenchError, match="--energy"):
        Meter(tmp_path / "nothing")
