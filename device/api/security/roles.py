"""Which role an address asks for; what is not listed asks for the highest."""

from __future__ import annotations

import re

from device.core.access import Role

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing; a browser sends them without asking anybody."""
PUBLIC_PATHS = frozenset({"/", "/favicon.ico", "/healthz"})
PUBLIC_FOLDER = "/assets/"
"""The page's shell and what it is made of: the same on every box, so no secret."""
LOGIN, LOGOUT = "/login", "/logout"
_OPERATE = {
    "GET": re.compile(r"/classify|/preview(\..*)?|/results\.csv"),
    "POST": re.compile(r"/classify"),
    "PATCH": re.compile(r"/results/[^/]*"),
}
_ADMIN_ONLY = re.compile(r"/(audit|tokens)(/.*)?")


def needed_role(method: str, path: str) -> Role | None:
    """
    Return the least role that may do this; None where nobody needs a token.

    Args:
        method: Of the request, in capitals.
        path: Without query, percent signs decoded.
    """
    if method in SAFE_METHODS and is_shell(path):
        return None
    if method == "POST" and path in {LOGIN, LOGOUT}:
        return None
    if _ADMIN_ONLY.fullmatch(path):
        return Role.ADMIN
    operate = _OPERATE.get("GET" if method == "HEAD" else method)
    if operate is not None and operate.fullmatch(path):
        return Role.OPERATE
    return Role.READ if method in SAFE_METHODS else Role.ADMIN


def is_shell(path: str) -> bool:
    """Whether this is liveness or a part of the page, which every browser may load."""
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_FOLDER)
