"""
Build the FastAPI application from an appliance.

All routes are coroutines: they hand work to the ports' own threads and wait for futures, so no
pool of threads stands between HTTP and the one worker.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from device.api import problems
from device.api.listening import Listeners
from device.api.routes import (
    administration,
    classify,
    clock,
    health,
    lesions,
    metrics,
    model,
    page,
    preview,
    results,
    session,
    state,
)
from device.api.schemas import Problem
from device.api.security import Guard, Rules
from device.api.security.roles import needed_role
from device.api.security.sessions import Sessions
from device.api.security.throttle import Throttle
from device.api.upload import Uploads
from device.core.document import NOTICE
from device.core.errors import EdgeDermError
from device.core.ports import Appliance

API_VERSION = "1"
"""Of the interface; grows when a client has to change."""


def build_application(appliance: Appliance, *, rules: Rules, max_upload_bytes: int) -> FastAPI:
    """
    Join routes, guard and error handlers.

    Args:
        appliance: Composed and running; it stays the caller's to close.
        rules: Who may ask.
        max_upload_bytes: Largest body of a request.

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
    sessions = Sessions(rules.tokens, is_secure=rules.is_secure)
    throttle = Throttle()
    appliance.figures.expect(problems.KINDS)
    app.add_middleware(
        Guard,
        rules=rules,
        sessions=sessions,
        throttle=throttle,
        count=appliance.figures.responded,
    )
    app.add_exception_handler(EdgeDermError, problems.answer_edgederm_error)
    app.add_exception_handler(problems.Refused, problems.answer_refusal)
    app.add_exception_handler(HTTPException, problems.answer_http_exception)
    app.add_exception_handler(RequestValidationError, problems.answer_validation_error)
    uploads = Uploads(max_bytes=max_upload_bytes)
    listeners = Listeners(appliance.bulletin, appliance.state)
    with _old_models_left_out():
        classify.add_routes(app.router, appliance, uploads=uploads)
        preview.add_routes(app.router, appliance)
        health.add_routes(app.router, appliance)
        model.add_routes(app.router, appliance)
        results.add_routes(app.router, appliance)
        lesions.add_routes(app.router, appliance)
        metrics.add_routes(app.router, appliance.figures)
        state.add_routes(app.router, appliance, listeners=listeners)
        page.add_routes(app.router, max_upload_bytes=max_upload_bytes)
        session.add_routes(app.router, rules=rules, sessions=sessions, throttle=throttle)
        administration.add_routes(app.router, appliance, tokens=rules.tokens)
        clock.add_routes(app.router, appliance)

    @app.head("/openapi.json", include_in_schema=False)
    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return JSONResponse(describe(app, is_token_needed=rules.is_token_needed))

    return app


@contextmanager
def _old_models_left_out() -> Iterator[None]:
    """
    Let FastAPI find no ``pydantic.v1`` while it looks at the routes.

    It asks of every field whether it is a model of that kind, to refuse it, and loads a second
    pydantic for the question: 1.6 MB, and on a small board a quarter of a second.
    """
    if "pydantic.v1" in sys.modules:
        yield
        return
    sys.modules["pydantic.v1"] = None  # type: ignore[assignment] # how Python marks what cannot be imported
    try:
        yield
    finally:
        del sys.modules["pydantic.v1"]


def describe(app: FastAPI, *, is_token_needed: bool) -> dict[str, Any]:
    """Return the OpenAPI document; built when first asked for, because it takes a moment."""
    document = app.openapi()
    components = document["components"]
    components["schemas"].setdefault("Problem", Problem.model_json_schema())
    components["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "Needed beyond loopback, or where `server.require_token` is set. The "
            "scope is the least role that a token must have: `read`, `operate` or `admin`.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "edgederm",
            "description": "What `POST /login` gives to a browser; `__Host-edgederm` over TLS.",
        },
    }
    without: list[dict[str, list[str]]] = [] if is_token_needed else [{}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            role = needed_role(method.upper(), path)
            operation["security"] = (
                []
                if role is None
                else [{"token": [role.value]}, {"session": [role.value]}, *without]
            )
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _without_null(parameter["schema"])
    return document


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Nothing in an address is null: what is not given is left out."""
    choices = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**choices[0], **{name: value for name, value in schema.items() if name != "anyOf"}}
