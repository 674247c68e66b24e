"""Versions have an order, or are none."""

import pytest

from device.bundle import parse_version

pytestmark = pytest.mark.portable


def test_versions_are_ordered_by_number():
    words = ["0.0.9", "0.1.0", "0.9.9", "0.10.0", "1.0.0", "1.0.10", "10.0.0"]
    assert sorted(set(words), key=parse_version) == words


@pytest.mark.parametrize("text", ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.0-rc1", "01.0.0", "1.0.١", "1.0.0\n", "1.0.1234567"])  # fmt: skip  # noqa: E501 - one row of cases
def test_anything_else_is_no_version(text):
    assert parse_version(text) is None
