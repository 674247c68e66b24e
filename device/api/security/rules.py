"""What a box was told about its callers, in one record."""

from __future__ import annotations

from dataclasses import dataclass

from device.core.access import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Made by ``compose`` from the settings."""

    tokens: Tokens
    is_token_needed: bool
    """Always beyond loopback."""
    is_loopback: bool
    """Whether only this machine can reach the server."""
    is_secure: bool = False
    """Whether the server speaks TLS alone."""
    names: tuple[str, ...] = ()
    """By which the box may be called beyond loopback, besides its addresses in digits."""
