"""Who may ask the box for what: roles, the tokens that carry them, and who asks right now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol


class Role(str, Enum):
    """What a token is good for; each role may do what those before it may."""

    READ = "read"
    """Look at results, state and figures."""
    OPERATE = "operate"
    """Take and send pictures, add to results, hand out the table of results."""
    ADMIN = "admin"
    """Erase results, read the audit trail, list and revoke tokens, set the clock."""

    def covers(self, needed: Role) -> bool:
        """Whether this role may do what *needed* may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What the box knows of a token; the token itself it does not know."""

    token_id: str
    """Eight letters and digits; part of the token, and no secret."""
    name: str
    """For people: whose it is, or which program's."""
    role: Role
    created_at: datetime
    """UTC, by the box's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the holder of a token, or whoever sits at this machine."""

    role: Role
    token: Token | None
    """None where none is needed."""

    @property
    def name(self) -> str:
        """As it stands in the audit trail."""
        return "api" if self.token is None else f"api: {self.token.name} ({self.token.token_id})"


class Tokens(Protocol):
    """
    The tokens of a box as the edges see them.

    Every call raises AccessError when the file of the tokens cannot be used; then nobody is let
    in.  A change by another process counts from the next call on.  Any thread.
    """

    def find(self, secret: str) -> Token | None:
        """Return the token that *secret* is; compares in constant time."""
        ...

    def holds(self, token_id: str) -> Token | None:
        """Return the token of this id, as long as it is not revoked."""
        ...

    def all(self) -> tuple[Token, ...]:
        """Return all that are not revoked, the oldest first."""
        ...

    def revoke(self, token_id: str) -> Token | None:
        """Revoke a token for good; returns it, or None where there is none of this id."""
        ...


class TokenKeeping(Tokens, Protocol):
    """What the owner of a box may do with tokens besides, on the command line."""

    def add(self, *, name: str, role: Role) -> tuple[Token, str]:
        """Make a token; returns it and its secret, which nobody can look up later."""
        ...
