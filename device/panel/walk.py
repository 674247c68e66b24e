"""What a technician sees and does at the panel: every state of the light, then a press."""

from __future__ import annotations

import time
from collections.abc import Callable

from device.core.panel import LightState
from device.panel.button import Button, Press
from device.panel.lines import Lines
from device.panel.patterns import PATTERNS, Pattern

_NS = 1_000_000_000
_LONGEST_PRESS_S = 4.0
"""A press that began in time may go on for so long, enough for a long one."""


def walk(
    lines: Lines,
    *,
    state_s: float,
    press_s: float,
    say: Callable[[str], None],
    press: Callable[[], object] = lambda: None,
    clock_ns: Callable[[], int] = time.monotonic_ns,
) -> bool:
    """
    Show each state in turn, then wait for a press; leaves the light dark.

    Args:
        lines: Not yet open.
        state_s: Seconds for each state.
        press_s: Seconds to wait for the press, while the light says ``ready``.
        say: Tells a person, line by line.
        press: Called when the wait begins; whoever simulates the button presses it here.
        clock_ns: Monotonic nanoseconds, the kernel's clock for edges.

    Returns:
        Whether a press came.

    Raises:
        PanelError: The lines cannot be opened, or failed meanwhile.
    """
    with lines:
        for state in LightState:
            say(f"{state.value}: {PATTERNS[state].words}")
            _play(lines, PATTERNS[state], state_s, clock_ns)
        say(f"now press the button, within {press_s:g} s")
        press()
        found = _play(lines, PATTERNS[LightState.READY], press_s, clock_ns, Button())
    if found is None:
        say("no press came; look at the button's wires and at the settings key panel.button")
        return False
    held_s = (found.released_ns - found.pressed_ns) / _NS
    say(f"a {'long' if found.is_long else 'short'} press, held for {held_s:.2f} s: all is well")
    return True


def _play(
    lines: Lines,
    pattern: Pattern,
    seconds: float,
    clock_ns: Callable[[], int],
    button: Button | None = None,
) -> Press | None:
    """Play *pattern* for some *seconds*, or until *button* has been pressed."""
    began_ns = now_ns = clock_ns()
    end_ns = began_ns + round(seconds * _NS)
    while now_ns < end_ns:
        elapsed_ns = now_ns - began_ns
        lines.light(pattern.color_at(elapsed_ns))
        change_ns = pattern.until_change_ns(elapsed_ns)
        deadlines = [end_ns, *([] if change_ns is None else [now_ns + change_ns])]
        if button is not None and button.deadline_ns is not None:
            deadlines.append(button.deadline_ns)
        edges = lines.wait((min(deadlines) - now_ns) / _NS)
        now_ns = clock_ns()
        if button is None:
            continue
        presses = [button.edge(edge) for edge in edges]
        press = next((each for each in (*presses, button.tick(now_ns)) if each), None)
        if press is not None:
            return press
        if button.deadline_ns is not None:
            end_ns = max(end_ns, began_ns + round((seconds + _LONGEST_PRESS_S) * _NS))
    return None
