"""``/healthz`` for whoever restarts the process, ``/readyz`` for whoever waits for an answer."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Literal

from fastapi import APIRouter

from device.api import problems
from device.api.schemas import Health, Ready, responses
from device.core.errors import NotReadyError
from device.core.ports import Appliance, Readiness

OK: Literal["ok"] = "ok"


def add_routes(router: APIRouter, appliance: Appliance) -> None:
    """Add the routes that tell how *appliance* is."""
    readiness = SharedCheck(appliance.readiness)

    @router.head("/healthz", include_in_schema=False)
    @router.get(
        "/healthz",
        tags=["health"],
        summary="Whether the process is alive",
        responses=responses(is_public=True, examples={"ok": {"value": {"status": "ok"}}}),
    )
    async def healthz() -> Health:
        """Answer at once, whatever camera and model do; needs no token."""
        return Health()

    @router.head("/readyz", include_in_schema=False)
    @router.get(
        "/readyz",
        tags=["health"],
        summary="Whether a picture would be answered",
        responses=responses(
            NotReadyError.slug,
            examples={
                "ready": {
                    "value": {
                        "status": "ready",
                        "parts": {"model": "ok", "camera": "ok", "history": "ok"},
                        "software_version": "0.1.0",
                    }
                }
            },
        ),
    )
    async def readyz() -> Ready:
        """Run the model's self-test, see that the camera delivers and the history takes a row."""
        found = await readiness.run()
        wrong = {"model": found.model, "camera": found.camera, "history": found.history}
        if found.is_ready:
            return Ready(
                parts=dict.fromkeys(wrong, OK), software_version=appliance.software_version
            )
        told = [f"{part}: {text}" for part, text in wrong.items() if text is not None]
        raise problems.Refused(
            NotReadyError.slug,
            f"not ready: {'; '.join(told)}",
            members={"parts": {part: OK if text is None else text for part, text in wrong.items()}},
        )


class SharedCheck:
    """
    Runs a slow check in a thread, once at a time; whoever asks meanwhile shares the result.

    Args:
        check: Blocks for as long as a capture may take.

    Threads: the event loop's; *check* runs in one of its own, for which the end of the process
    does not wait, as it would for the loop's pool.
    """

    def __init__(self, check: Callable[[], Readiness]) -> None:
        self._check = check
        self._running: asyncio.Future[Readiness] | None = None

    async def run(self) -> Readiness:
        """Result of the check that runs now, or of a fresh one."""
        if self._running is None:
            self._running = asyncio.get_running_loop().create_future()
            self._running.add_done_callback(self._forget)
            threading.Thread(
                target=self._work, args=(self._running,), name="readiness", daemon=True
            ).start()
        # One who goes away does not take the check from the others.
        return await asyncio.shield(self._running)

    def _work(self, running: asyncio.Future[Readiness]) -> None:
        tell: Callable[[], None]
        try:
            tell = partial(running.set_result, self._check())
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            tell = partial(running.set_exception, error)
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            running.get_loop().call_soon_threadsafe(tell)

    def _forget(self, _done: asyncio.Future[Readiness]) -> None:
        self._running = None
