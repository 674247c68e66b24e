"""Things to be compared take turns in one run, so that whatever disturbs it disturbs all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Work = Callable[[], object]
_LEAST = 3
_WARM_UP = 2


def in_turns(
    contestants: Mapping[str, Work],
    *,
    rounds: int,
    turn_s: float,
    step: Callable[[], None] = lambda: None,
) -> dict[str, list[float]]:
    """
    Time every contestant in every round, another one first each time.

    Args:
        contestants: What is timed, by name.
        rounds: At least 5 for a figure that counts.
        turn_s: A turn goes on until so much time is over, and for at least three repetitions.
        step: Told after each round.

    Returns:
        For each contestant one figure a round: the median of its repetitions, milliseconds.
    """
    for work in contestants.values():
        for _ in range(_WARM_UP):
            work()
    names = list(contestants)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % max(1, len(names))
        for name in names[first:] + names[:first]:
            found[name].append(_turn_ms(contestants[name], turn_s))
        step()
    return found


def _turn_ms(work: Work, turn_s: float) -> float:
    spent_ns: list[int] = []
    ends_ns = time.perf_counter_ns() + round(turn_s * 1e9)
    while len(spent_ns) < _LEAST or time.perf_counter_ns() < ends_ns:
        began_ns = time.perf_counter_ns()
        work()
        spent_ns.append(time.perf_counter_ns() - began_ns)
    return statistics.median(spent_ns) / 1e6
