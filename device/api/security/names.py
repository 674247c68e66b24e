"""By which names a box may be called: a page of a name that was made to point here is refused."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::[0-9]{1,5})?", re.IGNORECASE)


class Names:
    """
    The names of one box.

    An address in digits is no name: whoever types it knows where it leads, and no name server
    can make it lead elsewhere.

    Args:
        own: Names that lead to the box, such as ``edgederm.local``.
        is_loopback: Whether only this machine can reach it; then none but this machine's count.
    """

    def __init__(self, own: Collection[str], *, is_loopback: bool) -> None:
        self._own = frozenset() if is_loopback else frozenset(map(str.lower, own))
        self._is_loopback = is_loopback

    def know(self, host: str) -> bool:
        """Whether a ``Host`` header, with or without a port, names this box and nothing else."""
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].strip("[]").lower()
        if name == "localhost" or name in self._own:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback or not self._is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self._is_loopback:
            return "localhost, 127.0.0.1 or [::1]"
        return ", ".join(["the box's address in digits", *sorted(self._own)])
