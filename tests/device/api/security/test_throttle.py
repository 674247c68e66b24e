"""Failures cost, what was spent comes back, and memory has an end."""

import pytest

from device.api.security.throttle import FAILURES, MOST_ADDRESSES, REFILL_S, Throttle

pytestmark = pytest.mark.portable


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def throttle(clock):
    return Throttle(clock)


def fail(throttle, address, times):
    for _ in range(times):
        throttle.failed(address)


def test_some_failures_are_free(throttle):
    fail(throttle, "10.0.0.1", FAILURES - 1)
    assert throttle.wait_s("10.0.0.1") == 0
    fail(throttle, "10.0.0.1", 1)
    assert throttle.wait_s("10.0.0.1") == REFILL_S
    assert throttle.wait_s("10.0.0.2") == 0


def test_time_gives_one_back_at_a_time(throttle, clock):
    fail(throttle, "10.0.0.1", FAILURES)
    clock.now_s += REFILL_S - 0.5
    assert throttle.wait_s("10.0.0.1") == 1
    clock.now_s += 0.5
    assert throttle.wait_s("10.0.0.1") == 0
    fail(throttle, "10.0.0.1", 1)
    assert throttle.wait_s("10.0.0.1") == REFILL_S
    clock.now_s += FAILURES * REFILL_S
    fail(throttle, "10.0.0.1", FAILURES - 1)
    assert throttle.wait_s("10.0.0.1") == 0


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("unknown", "testclient", False),
    ],
)
def test_who_owns_many_addresses_is_still_one(throttle, one, other, is_same):
    fail(throttle, one, FAILURES)
    assert (throttle.wait_s(other) > 0) is is_same


def test_memory_has_an_end_and_forgets_the_oldest(throttle):
    for number in range(2 * MOST_ADDRESSES):
        fail(throttle, f"address {number}", FAILURES)
    assert len(throttle._spent) == MOST_ADDRESSES
    assert throttle.wait_s("address 0") == 0
    assert throttle.wait_s(f"address {2 * MOST_ADDRESSES - 1}") > 0
