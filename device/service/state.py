"""How the box is, put together from what its parts know already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from device import __version__
from device.core.panel import LightState, Panel
from device.core.state import RunningModel, StateDocument

OK = "ok"


class Part(Protocol):
    """A part that remembers what was wrong with it; never waits."""

    @property
    def last_problem(self) -> str | None:
        """None if it worked when it was used or asked last."""
        ...


def take_state(
    parts: Mapping[str, Part],
    *,
    panel: Panel | None,
    waiting: Callable[[], int],
    model: Callable[[], RunningModel],
    is_updating: Callable[[], bool],
    certificate_sha256: str | None,
) -> StateDocument:
    """
    Take a snapshot.

    Args:
        parts: By name.
        panel: Whose light tells the state, where there is one.
        waiting: Pictures that are examined or wait for it.
        model: Which one answers.
        is_updating: Whether another one is being installed.
        certificate_sha256: Fingerprint of the certificate that the server shows.

    Threads: any; never waits.
    """
    count = waiting()
    problems = {name: part.last_problem for name, part in parts.items()}
    if panel is not None:
        status = panel.status()
        state = status.state
        problems["panel"] = status.problem
    elif is_updating():
        state = LightState.UPDATING
    elif any(problems.values()):
        state = LightState.FAULT
    else:
        state = LightState.BUSY if count else LightState.READY
    return StateDocument(
        state=state,
        waiting=count,
        parts={name: problem or OK for name, problem in problems.items()},
        software_version=__version__,
        model=model(),
        certificate_sha256=certificate_sha256,
    )
