"""What every answer tells a browser not to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_OF_THE_PAGE = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # blob: shows a picture before it is sent.
    "img-src": "'self' blob:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
}
PAGE_POLICY = "; ".join(f"{name} {value}" for name, value in _OF_THE_PAGE.items())
"""Of the page: nothing from elsewhere, no script or style between the lines of HTML, no frame."""
_POLICIES = {
    "text/html": PAGE_POLICY,
    # The browser's own viewer is an embedded page, which a policy of 'none' keeps from loading.
    "application/pdf": "frame-ancestors 'none'",
}
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
ALWAYS: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        # Not no-referrer: with that, forms of the page itself would come from Origin "null".
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)


def policy_for(content_type: str) -> str:
    """Content security policy of an answer of this media type, parameters ignored."""
    return _POLICIES.get(content_type.partition(";")[0].strip().lower(), _NOTHING)
