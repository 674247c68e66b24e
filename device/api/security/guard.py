"""
What holds for every request, whatever its address: who may ask, and what every answer carries.

A box in a room is asked by browsers as well, and a browser also runs other people's pages.  In
this order: the name by which the box was called (an attacker's name may point to its address), a
token that stands where it must not, whose token or session it is, whether another site made the
browser ask, and whether the role will do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from device.api import problems
from device.api.security.headers import ALWAYS, policy_for
from device.api.security.names import Names
from device.api.security.roles import SAFE_METHODS, is_shell, needed_role
from device.api.security.rules import Rules
from device.api.security.sessions import Sessions
from device.api.security.throttle import Throttle
from device.core.access import Caller, Role, Token
from device.core.errors import EdgeDermError

_FOREIGN_SITES = frozenset({"cross-site", "same-site"})
_TOKEN_PARAMETERS = frozenset({"token", "access_token", "auth", "authorization", "bearer"})
_CHALLENGE = 'Bearer realm="edgederm"'
_LOG = logging.getLogger(__name__)


def _count_nothing(_status: int, _slug: str | None) -> None:
    """Where nobody keeps figures."""


class Guard:
    """
    ASGI middleware around the whole application, and its outermost error handler.

    Args:
        app: What is guarded.
        rules: Who may ask.
        sessions: Of browsers that logged in.
        throttle: Of wrong tokens; the route that logs in shares it.
        count: Told the status of every answer, and the problem's slug if it is one.

    Threads: the event loop's.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        rules: Rules,
        sessions: Sessions,
        throttle: Throttle,
        count: Callable[[int, str | None], None] = _count_nothing,
    ) -> None:
        self._app = app
        self._rules = rules
        self._names = Names(rules.names, is_loopback=rules.is_loopback)
        self._sessions = sessions
        self._throttle = throttle
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens further in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        has_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                headers = MutableHeaders(scope=message)
                # Only the page's files may be kept by a browser, and they say so themselves.
                headers.update({name: ALWAYS[name] for name in ALWAYS if name not in headers})
                headers["Content-Security-Policy"] = policy_for(headers.get("content-type", ""))
                self._count(message["status"], state.get(problems.SLUG))
            await send(message)

        try:
            state["caller"] = self._admit(scope)
            state["is_admitted"] = partial(self._is_still_admitted, state["caller"], scope)
            await self._app(scope, receive, send_with_headers)
        except problems.Refused as refusal:
            await refusal.response()(scope, receive, send_with_headers)
        except EdgeDermError as error:  # The tokens cannot be read: nobody is let in.
            await problems.error_response(error)(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            # The server cancels what did not end within its grace, and nothing else does.
            if not has_started:
                await problems.stopping_response()(scope, receive, send_with_headers)
        except Exception:
            # One of the two broad handlers of the device: a bug ends here, as "no answer".
            _LOG.exception("event=api.internal method=%s", scope["method"])
            if has_started:
                raise  # Too late for another answer; the server ends the connection.
            await problems.internal_response()(scope, receive, send_with_headers)

    def _admit(self, scope: Scope) -> Caller | None:
        """
        Return who asks, None for what is public.

        Raises:
            Refused: The request must not reach the application.
            AccessError: The file of the tokens cannot be used.
        """
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        host = headers.get("host", "")
        if not self._names.know(host):
            raise problems.Refused(
                problems.UNKNOWN_HOST,
                f"host refused: expected {self._names}, found {host[:256]!r}",
            )
        _refuse_token_in_address(scope["query_string"])
        role = needed_role(method, path)
        caller = None if role is None else self._caller(headers, _address(scope))
        self._check_site(scope, headers)
        if role is not None and caller is not None and not caller.role.covers(role):
            raise problems.Refused(
                problems.FORBIDDEN,
                f"refused: expected a token of the role {role.value}, found one of the role "
                f"{caller.role.value}; ask whoever looks after the box",
            )
        return caller

    def _caller(self, headers: Headers, address: str) -> Caller:
        if not self._rules.is_token_needed:
            return Caller(role=Role.ADMIN, token=None)
        authorization = headers.get("authorization")
        if authorization is not None:
            token = self._bearer(authorization, address)
        else:
            found = self._sessions.holder(headers.get("cookie", ""))
            if found is None:
                raise problems.Refused(
                    problems.UNAUTHORIZED,
                    "send the box's token as 'Authorization: Bearer ...', or log in",
                    {"WWW-Authenticate": _CHALLENGE},
                )
            token = found
        return Caller(role=token.role, token=token)

    def _is_still_admitted(self, caller: Caller | None, scope: Scope) -> bool:
        """Whether token and session that opened a stream would open it again."""
        if caller is None or caller.token is None:
            return True
        headers = Headers(scope=scope)
        try:
            if "authorization" in headers:
                return self._rules.tokens.holds(caller.token.token_id) is not None
            return self._sessions.holder(headers.get("cookie", "")) is not None
        except EdgeDermError:
            return False

    def _bearer(self, authorization: str, address: str) -> Token:
        scheme, _, given = authorization.partition(" ")
        given = given.strip(" \t")
        if scheme.lower() != "bearer" or not given:
            raise problems.Refused(
                problems.UNAUTHORIZED,
                "send the box's token as 'Authorization: Bearer ...', or log in",
                {"WWW-Authenticate": _CHALLENGE},
            )
        return checked_token(self._rules, self._throttle, given, address)

    def _check_site(self, scope: Scope, headers: Headers) -> None:
        """Refuse what another site made the browser ask; the shell is for everybody."""
        is_safe = scope["method"] in SAFE_METHODS
        if is_safe and is_shell(scope["path"]):
            return
        site = headers.get("sec-fetch-site", "").lower()
        origin = headers.get("origin")
        own = f"{scope.get('scheme', 'http')}://{headers.get('host', '')}".lower()
        is_foreign = site in _FOREIGN_SITES or (origin is not None and origin.lower() != own)
        # A browser states the origin of everything that is not safe.  What carries its cookie and
        # none of the two is no browser's, or that of a browser which was made to hide it.
        hides = (
            not is_safe
            and origin is None
            and site != "same-origin"
            and "authorization" not in headers
            and self._sessions.value_in(headers.get("cookie", "")) is not None
        )
        if is_foreign or hides:
            raise problems.Refused(
                problems.CROSS_SITE,
                "refused: another web site made the browser ask; open this box's own address",
            )


def checked_token(rules: Rules, throttle: Throttle, secret: str, address: str) -> Token:
    """
    Return the token that *secret* is.

    Raises:
        Refused: It is none, or too many from this address were wrong just now.
        AccessError: The file of the tokens cannot be used.
    """
    wait_s = throttle.wait_s(address)
    if wait_s:
        raise problems.Refused(
            problems.THROTTLED,
            f"too many wrong tokens came from {address}; try again in {wait_s} s",
            {"Retry-After": str(wait_s)},
        )
    token = rules.tokens.find(secret)
    if token is None:
        throttle.failed(address)
        _LOG.warning("event=api.wrong_token address=%s", address)
        raise problems.Refused(
            problems.UNAUTHORIZED,
            "the token is none of this box's; it may have been revoked",
            {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'},
        )
    return token


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return "unknown" if client is None else str(client[0])


def _refuse_token_in_address(query: bytes) -> None:
    pairs = query.decode("latin-1").replace(";", "&").split("&")
    names = {unquote_plus(pair.partition("=")[0]).lower() for pair in pairs}
    if names & _TOKEN_PARAMETERS:
        raise problems.Refused(
            problems.BAD_REQUEST,
            "refused: a token in an address ends in logs and histories; revoke it, and send "
            "another one in a header",
        )
