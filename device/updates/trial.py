"""When a model on trial is good: after it has worked for a while without a fault."""

from __future__ import annotations

import logging
from collections.abc import Callable

PART = "model"
_log = logging.getLogger(__name__)


class TrialWatch:
    """
    Hears how the parts are, and decides once.

    Args:
        needed_s: For how long the model must have worked without a fault.
        clock_s: Monotonic seconds.
        good: Called when it has; says whether that could be written down.
        failed: Called with what is wrong when it did not; says the same.

    What could not be written down is tried again at the next look: else the trial would go on
    for good, and a power cut weeks later would end it.

    Threads: that of the watch.
    """

    def __init__(
        self,
        *,
        needed_s: float,
        clock_s: Callable[[], float],
        good: Callable[[], bool],
        failed: Callable[[str], bool],
    ) -> None:
        self._needed_s = needed_s
        self._clock_s = clock_s
        self._good = good
        self._failed = failed
        self._since_s = clock_s()
        self._fault: str | None = None
        self._is_over = False

    def report(self, part: str, problem: str | None) -> None:
        """Take what the watch found; a camera that fails is not the model's fault."""
        if part != PART or self._is_over:
            return
        if self._fault is None and problem is not None:
            self._fault = problem  # The first one decides, also if it passes.
            _log.error("event=model.trial_failed detail=%r", problem)
        if self._fault is not None:
            self._is_over = self._failed(self._fault)
        elif self._clock_s() - self._since_s >= self._needed_s:
            self._is_over = self._good()
            if self._is_over:
                _log.info("event=model.trial_good after_s=%g", self._needed_s)
