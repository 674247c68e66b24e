"""``/healthz`` and ``/readyz``."""

import asyncio
import threading

import pytest

from device.api.waiting import SharedCheck
from device.core.ports import Readiness

pytestmark = pytest.mark.portable

READY = Readiness(model=None, camera=None)


def test_health_is_constant_and_asks_nobody(client, box):
    box.ready = Readiness(model="gone", camera="gone")
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert next(box.checks) == 0


def test_ready_names_its_parts_the_model_and_the_software(client, box):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "parts": {"model": "ok", "camera": "ok", "history": "ok"},
        "provider": "cpu",
        "model": box.models.model.model_dump(mode="json"),
        "software_version": "0.1.0",
    }


@pytest.mark.parametrize(
    ("ready", "parts"),
    [
        (
            Readiness(model=None, camera="no frame; plug it in"),
            {"model": "ok", "camera": "no frame; plug it in", "history": "ok"},
        ),
        (
            Readiness(model="self-test failed", camera=None),
            {"model": "self-test failed", "camera": "ok", "history": "ok"},
        ),
        (
            Readiness(model=None, camera=None, history="history (full): no room"),
            {"model": "ok", "camera": "ok", "history": "history (full): no room"},
        ),
        (
            Readiness(model="a", camera="b", history="c"),
            {"model": "a", "camera": "b", "history": "c"},
        ),
    ],
)
def test_a_box_that_is_not_ready_says_which_part(client, box, check_problem, ready, parts):
    box.ready = ready
    answer = client.get("/readyz")
    body = check_problem(answer, 503, "not-ready")
    assert body["parts"] == parts
    for part, text in parts.items():
        assert (f"{part}: {text}" in body["detail"]) == (text != "ok")


def test_a_check_with_a_bug_is_a_503(client, box, check_problem):
    def broken():
        raise RuntimeError("never seen")

    box.check = broken
    check_problem(client.get("/readyz"), 503, "internal")
    del box.check
    assert client.get("/readyz").status_code == 200


def test_those_who_ask_meanwhile_share_one_check_and_the_next_one_gets_a_fresh_one():
    started, may_end, runs = threading.Event(), threading.Event(), []

    def check():
        runs.append(threading.current_thread())
        started.set()
        assert may_end.wait(30)
        return READY

    async def ask():
        shared = SharedCheck(check)
        loop = asyncio.get_running_loop()
        asking = [asyncio.ensure_future(shared.run()) for _ in range(10)]
        await loop.run_in_executor(None, started.wait)
        asking.append(asyncio.ensure_future(shared.run()))
        await asyncio.sleep(0)
        # One who goes away takes nothing from the others.
        asking.pop(0).cancel()
        may_end.set()
        assert await asyncio.gather(*asking) == [READY] * 10
        assert len(runs) == 1
        assert runs[0] is not threading.current_thread()
        assert await shared.run() == READY
        assert len(runs) == 2

    asyncio.run(ask())


def test_a_check_that_hangs_holds_up_no_end():
    """The loop ends without waiting for it, and the check that comes too late tells nobody."""
    may_end, threads = threading.Event(), []

    def check():
        threads.append(threading.current_thread())
        assert may_end.wait(30)
        return READY

    async def ask():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(SharedCheck(check).run(), 0.05)

    asyncio.run(ask())
    assert threads[0].daemon
    assert threads[0].is_alive()
    may_end.set()
    threads[0].join(30)
    assert not threads[0].is_alive()
