"""``/healthz`` for whoever restarts the process, ``/readyz`` for whoever waits for an answer."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from device.api import problems
from device.api.schemas import Health, Ready, responses
from device.api.waiting import SharedCheck
from device.core.errors import NotReadyError
from device.core.ports import Appliance

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
                        "provider": "cpu",
                        "model": {
                            "name": "student",
                            "version": "1.1.0",
                            "sha256": "9f86d081884c7d659a2feaa0c55ad015"
                            "a3bf4f1b2b0b822cd15d6c15b0f00a08",
                            "source": "installed",
                            "is_on_trial": True,
                            "instead_of": None,
                        },
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
                parts=dict.fromkeys(wrong, OK),
                provider=appliance.provider,
                model=appliance.models.running(),
                software_version=appliance.software_version,
            )
        told = [f"{part}: {text}" for part, text in wrong.items() if text is not None]
        raise problems.Refused(
            NotReadyError.slug,
            f"not ready: {'; '.join(told)}",
            members={"parts": {part: OK if text is None else text for part, text in wrong.items()}},
        )
