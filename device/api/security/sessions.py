"""A browser's login: a random cookie instead of the token, known to this process alone."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from device.core.access import Token, Tokens

SESSION_S = 12 * 3600
"""A shift; then the token is asked for again.  A restart of the box ends every session."""
MOST_OF_A_TOKEN = 16
"""Sessions of one token at a time; the oldest ends first."""
_LONGEST_COOKIES = 4096
"""Characters of the header; a browser that sends more sends somebody else's."""
_VALUE_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Session:
    token_id: str
    ends_s: float


class Sessions:
    """
    All logins of a box.

    Args:
        tokens: A session ends when its token is revoked.
        is_secure: Whether the box speaks TLS alone: then the cookie is never sent without it.
        clock_s: Monotonic seconds.

    Threads: the event loop's.
    """

    def __init__(
        self, tokens: Tokens, *, is_secure: bool, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._tokens = tokens
        self._is_secure = is_secure
        self._clock_s = clock_s
        # Under the hash of the cookie's value: looking one up takes no longer for a near miss.
        self._sessions: dict[bytes, _Session] = {}

    @property
    def cookie_name(self) -> str:
        """With the prefix that lets no neighbour set it, where TLS allows for one."""
        return "__Host-edgederm" if self._is_secure else "edgederm"

    def begin(self, token: Token) -> str:
        """Log the holder of *token* in; returns the ``Set-Cookie`` header."""
        self._forget_ended()
        same = [key for key, one in self._sessions.items() if one.token_id == token.token_id]
        for key in same[: max(0, len(same) - MOST_OF_A_TOKEN + 1)]:
            del self._sessions[key]
        value = secrets.token_urlsafe(_VALUE_BYTES)
        session = _Session(token.token_id, self._clock_s() + SESSION_S)
        self._sessions[_digest(value)] = session
        return self._cookie(value, SESSION_S)

    def end(self, cookies: str) -> str:
        """Log out; returns the ``Set-Cookie`` header that takes the cookie back."""
        value = self.value_in(cookies)
        if value is not None:
            self._sessions.pop(_digest(value), None)
        return self._cookie("", 0)

    def holder(self, cookies: str) -> Token | None:
        """
        Return the token of whoever sends this ``Cookie`` header; None without a session.

        Raises:
            AccessError: The file of the tokens cannot be used.
        """
        value = self.value_in(cookies)
        session = None if value is None else self._sessions.get(_digest(value))
        if session is None or self._clock_s() >= session.ends_s:
            return None
        return self._tokens.holds(session.token_id)

    def value_in(self, cookies: str) -> str | None:
        """Find our cookie; None where there is none, or several: then one is somebody else's."""
        if len(cookies) > _LONGEST_COOKIES:
            return None
        pairs = (pair.strip(" \t").partition("=") for pair in cookies.split(";"))
        found = [value for name, _, value in pairs if name == self.cookie_name]
        return found[0] if len(found) == 1 and found[0] else None

    def _forget_ended(self) -> None:
        now_s = self._clock_s()
        self._sessions = {
            key: one
            for key, one in self._sessions.items()
            if now_s < one.ends_s and self._tokens.holds(one.token_id) is not None
        }

    def _cookie(self, value: str, age_s: int) -> str:
        secure = "; Secure" if self._is_secure else ""
        return (
            f"{self.cookie_name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict"
            f"{secure}"
        )


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()
