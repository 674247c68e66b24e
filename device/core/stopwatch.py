"""How long each stage took, for the answer and the bench."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType


class Recorder:
    """
    Fills the role ``Stopwatch`` and keeps what it was told.

    Args:
        clock_ns: Monotonic nanoseconds; ``time.perf_counter_ns`` outside of tests.
        earlier_ns: Stages that somebody else timed before; they count into ``total``.

    Threads: one.
    """

    def __init__(
        self, clock_ns: Callable[[], int], *, earlier_ns: Mapping[str, int] | None = None
    ) -> None:
        self._clock_ns = clock_ns
        self._stage_ns: dict[str, int] = dict(earlier_ns or {})
        self._started_ns = clock_ns() - sum(self._stage_ns.values())

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block and add it to what *name* has already."""
        started_ns = self._clock_ns()
        try:
            yield
        finally:
            spent_ns = self._clock_ns() - started_ns
            self._stage_ns[name] = self._stage_ns.get(name, 0) + spent_ns

    def stages(self) -> Mapping[str, int]:
        """Nanoseconds by stage in the order of their first start, ``total`` last."""
        total_ns = self._clock_ns() - self._started_ns
        return MappingProxyType({**self._stage_ns, "total": total_ns})
