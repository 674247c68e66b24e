"""How often somebody may be wrong: failures cost, and what was spent comes back slowly."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

FAILURES = 10
"""Wrong tokens from one address before it has to wait."""
REFILL_S = 6.0
"""Seconds after which one more is allowed."""
MOST_ADDRESSES = 1024
"""Remembered at a time; the one that failed longest ago is forgotten first."""
_IPV6_HOME_BITS = 64
"""One household or one machine has as many IPv6 addresses as it likes below these."""


class Throttle:
    """
    A bucket of allowed failures for each address.

    It keeps the log and the processor free of guessing; what keeps guessing hopeless is the
    token's 160 bits.  Who holds a session is not touched, so nobody is locked out of the page.

    Args:
        clock_s: Monotonic seconds.

    Threads: the event loop's.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        # Of each address: failures that count, at that time.
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Whole seconds until this address may try again; 0 if now."""
        over = self._now(_home(address)) - (FAILURES - 1)
        return math.ceil(over * REFILL_S) if over > 0 else 0

    def failed(self, address: str) -> None:
        """Count a wrong token."""
        home = _home(address)
        self._spent[home] = (self._now(home) + 1, self._clock_s())
        self._spent.move_to_end(home)
        if len(self._spent) > MOST_ADDRESSES:
            self._spent.popitem(last=False)

    def _now(self, home: str) -> float:
        count, at_s = self._spent.get(home, (0.0, 0.0))
        return max(0.0, count - (self._clock_s() - at_s) / REFILL_S)


def _home(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_HOME_BITS), strict=False))
    return str(parsed)
