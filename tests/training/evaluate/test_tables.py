"""What a table's cell says, and what it does not pretend to know."""

import pytest

from device.core.manifest import Metric
from training.evaluate.disturbances import DISTURBANCES, NEVER_TRAINED_ON
from training.evaluate.tables import cell, limits


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (None, "-"),
        (Metric(value=0.9196, low=0.9021, high=0.9364), "0.920 (0.902 to 0.936)"),
        (Metric(value=1.0, low=1.0, high=1.0), "1.000 (no interval)"),
        (Metric(value=0.0, low=0.0, high=0.0), "0.000 (no interval)"),
        (Metric(value=1.0, low=0.9, high=1.0), "1.000 (0.900 to 1.000)"),
    ],
)
def test_a_share_that_no_draw_changes_is_not_said_to_be_sure(metric, words):
    assert cell(metric) == words


def test_limits_are_written_as_is_asked():
    assert limits(Metric(value=0.5, low=0.25, high=0.75), ".1%") == "25.0% to 75.0%"


def test_what_is_said_to_be_new_is_among_the_disturbances():
    assert {*NEVER_TRAINED_ON} < {*DISTURBANCES}
