"""A bar is met by the median of its ratios, and only where both sides were measured."""

import pytest

from bench.bars import bars
from bench.contest import DECODE, JPEG, OURS, PLAIN, PREPROCESSING, RESIZE, STUDENT, USUAL
from bench.limits import PRODUCT
from tests.bench.builders import a_contestant, a_memory, a_result, a_start


def found(result):
    return {bar.name: bar for bar in bars(result)}


def test_nothing_measured_is_no_bar_met():
    assert bars(a_result()) == []


def test_networks_are_measured_by_the_student_run_by_run():
    result = a_result(
        networks=(
            a_contestant(STUDENT, 1.0, 2.0, 1.0, 1.0, 1.0, macs=1),
            a_contestant("MobileNetV2", 11.0, 22.0, 9.0, 12.0, 11.0, macs=1),
            a_contestant("MobileNetV3-Small", 3.0, 6.0, 3.0, 3.0, 3.0, macs=1),
            # The model has as many multiply-adds as the product: the best library's time counts.
            a_contestant(f"{PRODUCT}NumPy", 0.5, 1.0, 2.0, 0.9, 0.9),
            a_contestant(f"{PRODUCT}torch", 0.8, 2.0, 0.8, 0.8, 0.8),
        )
    )
    v2, v3, peak = bars(result)
    assert v2.ratios == (11.0, 11.0, 9.0, 12.0, 11.0)
    assert (v2.median, v2.is_met, v3.is_met) == (11.0, True, False)
    assert peak.ratios == pytest.approx((2.0, 2.0, 1.25, 1.25, 1.25))
    assert peak.is_met


def test_ways_are_measured_by_ours():
    times = {OURS: 2, PLAIN: 7, USUAL: 29, PREPROCESSING: 4, RESIZE: 1, JPEG: 26, DECODE: 20}
    result = a_result(ways=tuple(a_contestant(name, *[ms] * 5) for name, ms in times.items()))
    verdicts = [(bar.median, bar.is_met) for bar in bars(result)]
    assert verdicts == [(14.5, False), (3.5, True), (3.0, True), (1.3, True)]


def test_the_box_is_measured_by_bare_processes():
    result = a_result(
        start=a_start([400.0] * 5, [620.0] * 5),
        memory=a_memory(steady_mb=(125.0,) * 5, bare_mb=(100.0,) * 5),
    )
    ready, memory = bars(result)
    assert (ready.median, ready.is_met) == (1.55, False)
    assert (memory.median, memory.is_met) == (1.25, True)
    assert "1000 answers" in memory.name
