"""``/login``, ``/logout`` and ``/session``: a browser trades its token for a cookie and back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from device.api import problems, small_body
from device.api.caller import address_of, caller_of
from device.api.schemas import Login, Session, responses
from device.api.security.guard import checked_token
from device.api.security.rules import Rules
from device.api.security.sessions import Sessions
from device.api.security.throttle import Throttle
from device.core.access import Caller
from device.core.errors import AccessError


def add_routes(router: APIRouter, *, rules: Rules, sessions: Sessions, throttle: Throttle) -> None:
    """Add the routes of a browser's session."""

    @router.post(
        "/login",
        tags=["session"],
        summary="Trade a token for a cookie",
        responses=responses(
            problems.CROSS_SITE,
            problems.THROTTLED,
            problems.UNAUTHORIZED,
            AccessError.slug,
            *small_body.PROBLEMS,
            is_public=True,
        ),
        response_model=Session,
        openapi_extra=small_body.described(Login),
    )
    async def login(request: Request) -> Response:
        """
        Log a browser in for twelve hours, or until token or session end.

        The cookie is `HttpOnly` and `SameSite=Strict`, and `Secure` where the box speaks TLS.
        """
        sent = await small_body.receive(request, Login)
        token = checked_token(rules, throttle, sent.token, address_of(request))
        described = _described(Caller(role=token.role, token=token), rules)
        return JSONResponse(
            described.model_dump(mode="json"), headers={"Set-Cookie": sessions.begin(token)}
        )

    @router.post(
        "/logout",
        tags=["session"],
        summary="Give the cookie back",
        status_code=204,
        response_class=Response,
        responses=responses(problems.CROSS_SITE, is_public=True),
    )
    async def logout(request: Request) -> Response:
        """End the session, whether there is one or not."""
        cookie = sessions.end(request.headers.get("cookie", ""))
        return Response(status_code=204, headers={"Set-Cookie": cookie})

    @router.head("/session", include_in_schema=False)
    @router.get(
        "/session",
        tags=["session"],
        summary="Who asks, as the box sees it",
        responses=responses(),
    )
    async def session(request: Request) -> Session:
        """Tell the page what whoever holds it may do, or with `unauthorized` to log in first."""
        return _described(caller_of(request), rules)


def _described(caller: Caller, rules: Rules) -> Session:
    token = caller.token
    return Session(
        role=caller.role,
        name=None if token is None else token.name,
        token_id=None if token is None else token.token_id,
        is_token_needed=rules.is_token_needed,
    )
