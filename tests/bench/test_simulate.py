"""From what an emulator counted to a figure; the emulator itself is not needed."""

import numpy as np
import pytest

from bench.counted import network
from bench.simulate import (
    CLOCKS_GHZ,
    INSTRUCTIONS_PER_CYCLE,
    Count,
    count_of,
    read_total,
    report,
    time_range_ms,
)
from device.settings import SHIPPED_MODEL


def counts(*, inference=10_000_000, stages=5_000_000, noise=0.0):
    parts = {"inference": inference, "all_stages": stages}
    return {
        part: Count(instructions=number, noise=noise, simulated_low_ms=1.0, simulated_high_ms=2.0)
        for part, number in parts.items()
    }


def test_what_the_start_takes_is_not_counted():
    found = count_of([2_000_000_020, 2_000_000_220, 2_000_000_420], (2, 22, 42))
    assert found.instructions == 10
    assert found.noise == 0.0


def test_the_noise_is_how_far_the_halves_are_apart():
    assert count_of([0, 99, 200], (0, 1, 2)).noise == pytest.approx(0.02)


def test_the_time_is_a_range_of_the_named_clocks_and_instructions_in_a_cycle():
    low_ms, high_ms = time_range_ms(1e9)
    assert low_ms == pytest.approx(1e3 / (INSTRUCTIONS_PER_CYCLE[1] * CLOCKS_GHZ[1]))
    assert high_ms == pytest.approx(1e3 / (INSTRUCTIONS_PER_CYCLE[0] * CLOCKS_GHZ[0]))


def test_the_count_of_all_cores_is_read():
    assert read_total("cpu 0 insns: 12\ntotal insns: 12345\n") == 12345


def test_an_emulator_that_counted_nothing_is_no_zero():
    with pytest.raises(ValueError, match="total insns"):
        read_total("")


def test_a_result_says_that_it_is_simulated_and_meets_the_bars():
    found = report(counts(), {}, macs=20_000_000, model="student 1")
    assert "no board" in found["simulated"]
    assert found["instructions_per_mac"] == 0.5
    assert found["missed"] == []


@pytest.mark.parametrize(
    ("found", "bar"),
    [
        (counts(inference=15_000_000), "instructions_per_mac"),
        (counts(stages=30_000_000), "stages_over_inference"),
        (counts(noise=0.01), "noise"),
    ],
)
def test_a_bar_that_is_missed_is_named(found, bar):
    assert report(found, {}, macs=20_000_000, model="student 1")["missed"] == [bar]


def test_another_form_may_not_be_noisier_either():
    forms = {"int8": counts(noise=0.01)["inference"]}
    assert report(counts(), forms, macs=20_000_000, model="student 1")["missed"] == ["noise"]


def test_a_file_runs_by_itself_as_often_as_it_is_asked():
    run = network(SHIPPED_MODEL)
    first, second = run(), run()
    assert all(np.array_equal(*pair) for pair in zip(first, second, strict=True))
