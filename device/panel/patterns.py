"""
How the light says what it says: the one table of colors and blinking.

Every state has a rhythm of its own, so that it is told apart without seeing colors, and a color or
pair of colors of its own.  The more a result asks for attention the more often it flashes: once for
``retake``, twice for ``uncertain``, three times for ``malignant``; ``benign`` is lit and winks.
Nothing flashes more than three times within a second, the limit that keeps a flashing light safe
for people with photosensitive epilepsy (WCAG 2.2, success criterion 2.3.1:
https://www.w3.org/TR/WCAG22/#three-flashes-or-below-threshold).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from device.core.panel import LightState
from device.panel.lines import Color

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One color for a while."""

    color: Color
    ms: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """Steps that follow each other over and over, and how a person would say it."""

    words: str
    steps: tuple[Step, ...]

    @property
    def period_ms(self) -> int:
        """Until it begins again."""
        return sum(step.ms for step in self.steps)

    def color_at(self, elapsed_ns: int) -> Color:
        """Return the color *elapsed_ns* after the pattern began."""
        return self._at(elapsed_ns)[0]

    def until_change_ns(self, elapsed_ns: int) -> int | None:
        """Return how long that color still lasts; None for ever."""
        return None if len(self.steps) == 1 else self._at(elapsed_ns)[1]

    def _at(self, elapsed_ns: int) -> tuple[Color, int]:
        left_ns = elapsed_ns % (self.period_ms * _NS_PER_MS)
        for step in self.steps:
            left_ns -= step.ms * _NS_PER_MS
            if left_ns < 0:
                break
        return step.color, -left_ns


def _flashes(words: str, color: Color, count: int) -> Pattern:
    """Flash *count* times, then pause."""
    flash = (Step(color, 250), Step(Color.OFF, 250))
    return Pattern(words, flash * count + (Step(Color.OFF, 1000),))


PATTERNS: Mapping[LightState, Pattern] = MappingProxyType(
    {
        LightState.STARTING: Pattern(
            "white, slow and even", (Step(Color.WHITE, 1000), Step(Color.OFF, 1000))
        ),
        LightState.READY: Pattern("cyan, steady", (Step(Color.CYAN, 1000),)),
        LightState.BUSY: Pattern(
            "blue, quick and even", (Step(Color.BLUE, 200), Step(Color.OFF, 200))
        ),
        LightState.BENIGN: Pattern(
            "green, lit with a wink every three seconds",
            (Step(Color.GREEN, 2700), Step(Color.OFF, 300)),
        ),
        LightState.MALIGNANT: _flashes("red, three flashes and a pause", Color.RED, 3),
        LightState.UNCERTAIN: _flashes("yellow, two flashes and a pause", Color.YELLOW, 2),
        LightState.RETAKE: _flashes("magenta, one flash and a pause", Color.MAGENTA, 1),
        LightState.FAULT: Pattern(
            "a long red and a short blue, and a pause",
            (
                Step(Color.RED, 750),
                Step(Color.OFF, 250),
                Step(Color.BLUE, 250),
                Step(Color.OFF, 1000),
            ),
        ),
        LightState.UPDATING: Pattern(
            "a long white and a long blue, and a pause",
            (
                Step(Color.WHITE, 750),
                Step(Color.OFF, 250),
                Step(Color.BLUE, 750),
                Step(Color.OFF, 1000),
            ),
        ),
    }
)

REFUSAL = Pattern(
    "one white flash between two dark moments",
    (Step(Color.OFF, 300), Step(Color.WHITE, 400), Step(Color.OFF, 300)),
)
"""Shown once, whatever the state, for a press that is not taken."""
