"""The snapshot is made of what the parts know, and of the light where there is one."""

from types import MappingProxyType, SimpleNamespace

import pytest

from device.core.panel import LightState, PanelStatus
from device.core.state import RunningModel
from device.service.state import take_state

pytestmark = pytest.mark.portable


MODEL = RunningModel(
    name="test", version="1.0.0", sha256="0", source="shipped", is_on_trial=False, instead_of=None
)


def snapshot(*, problem=None, waiting=0, panel=None, is_updating=False):
    parts = {"model": SimpleNamespace(last_problem=None)}
    parts["camera"] = SimpleNamespace(last_problem=problem)
    return take_state(
        parts,
        panel=panel,
        waiting=lambda: waiting,
        model=lambda: MODEL,
        is_updating=lambda: is_updating,
        certificate_sha256="ab",
    )


@pytest.mark.parametrize(
    ("problem", "waiting", "state"),
    [
        (None, 0, LightState.READY),
        (None, 2, LightState.BUSY),
        ("gone", 0, LightState.FAULT),
        ("gone", 2, LightState.FAULT),
    ],
)
def test_without_a_light_the_parts_tell_the_state(problem, waiting, state):
    found = snapshot(problem=problem, waiting=waiting)
    assert found.state is state
    assert found.waiting == waiting
    assert found.parts == {"model": "ok", "camera": problem or "ok"}
    assert found.certificate_sha256 == "ab"
    assert found.model is MODEL


def test_without_a_light_an_update_is_told_before_all_else():
    assert snapshot(problem="gone", waiting=2, is_updating=True).state is LightState.UPDATING


def test_a_light_tells_the_state_itself():
    status = PanelStatus(
        state=LightState.MALIGNANT,
        problem="the chip is gone",
        counts=MappingProxyType({}),
        reopened=0,
        presses=(),
        changes=(),
    )
    found = snapshot(problem="gone", panel=SimpleNamespace(status=lambda: status))
    assert found.state is LightState.MALIGNANT
    assert found.parts["panel"] == "the chip is gone"
