"""
Build the FastAPI application from an appliance.

All routes are coroutines: they hand work to the ports' own threads and wait for futures, so no
pool of threads stands between HTTP and the one worker.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from device.api import problems
from device.api.guard import Guard
from device.api.routes import classify, health, lesions, model, results
from device.api.schemas import Problem
from device.api.upload import Uploads
from device.core.document import NOTICE
from device.core.errors import EdgeDermError
from device.core.ports import Appliance

API_VERSION = "1"
"""Of the interface; grows when a client has to change."""


def build_application(
    appliance: Appliance, *, token: str | None, max_upload_bytes: int, is_loopback: bool
) -> FastAPI:
    """
    Join routes, guard and error handlers.

    Args:
        appliance: Composed and running; it stays the caller's to close.
        token: That clients must send; None if none is needed.
        max_upload_bytes: Largest body of a request.
        is_loopback: Whether only this machine can reach the server; see :class:`Guard`.

    Threads: everything it builds runs on the event loop's.
    """
    app = FastAPI(
        title="EdgeDerm",
        summary="A skin-lesion classifier in a box",
        description=NOTICE,
        version=API_VERSION,
        # The documentation pages load their scripts from elsewhere, and a box has no elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Guard, token=token, is_loopback=is_loopback)
    app.add_exception_handler(EdgeDermError, problems.answer_edgederm_error)
    app.add_exception_handler(problems.Refused, problems.answer_refusal)
    app.add_exception_handler(HTTPException, problems.answer_http_exception)
    app.add_exception_handler(RequestValidationError, problems.answer_validation_error)
    uploads = Uploads(max_bytes=max_upload_bytes)
    classify.add_routes(app.router, appliance, uploads=uploads)
    health.add_routes(app.router, appliance)
    model.add_routes(app.router, appliance)
    results.add_routes(app.router, appliance)
    lesions.add_routes(app.router, appliance)

    @app.head("/openapi.json", include_in_schema=False)
    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return JSONResponse(describe(app))

    return app


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document; built when first asked for, because it takes a moment."""
    document = app.openapi()
    components = document["components"]
    components["schemas"].setdefault("Problem", Problem.model_json_schema())
    components["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "Needed if the box has one; always beyond loopback.",
        }
    }
    document["security"] = [{"token": []}, {}]
    return document
