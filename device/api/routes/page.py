"""
``/``: the page for people, made of files that lie beside this package as they are sent.

The page's address never changes, so a browser asks each time whether the page did.  All that it
is made of lies below ``/assets/`` and the digest of all of it: a browser keeps that for good, and
an update, which is another digest, never meets what an earlier one left behind.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fastapi import APIRouter, Request
from fastapi.responses import Response

from device.api import problems

FOLDER = Path(__file__).parents[1] / "page"
TEXTS = "texts.json"
"""Every word of the page; a translation of it is a translation of the page."""
ASSETS = "/assets"
_SHELL = "index.html"
_TYPES = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
    }
)
_DIGEST_DIGITS = 16
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"


@dataclass(frozen=True, slots=True)
class Page:
    """The page in memory: about 100 KB, read once when the application is built."""

    shell: str
    """HTML, its texts filled in."""
    digest: str
    """Of all files and of what was filled in."""
    files: Mapping[str, bytes]
    """By path below ``/assets/DIGEST/``."""


def read_page(folder: Path = FOLDER, *, max_upload_bytes: int) -> Page:
    """
    Read the files of the page and fill the shell in.

    Args:
        folder: With the shell, the texts and all that the shell names.
        max_upload_bytes: Largest upload, which the page checks before it sends one.

    Raises:
        KeyError: The shell asks for a text that is not there.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix in _TYPES)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    shell = (folder / _SHELL).read_text(encoding="utf-8")
    summary = hashlib.sha256(f"{max_upload_bytes}\n{shell}".encode())
    for name, content in files.items():
        summary.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    digest = summary.hexdigest()[:_DIGEST_DIGITS]
    values = {
        **json.loads(files[TEXTS]),
        "folder": f"{ASSETS}/{digest}",
        "max_upload_bytes": str(max_upload_bytes),
    }
    filled = re.sub(r"{{([\w.]+)}}", lambda found: html.escape(values[found[1]]), shell)
    return Page(shell=filled, digest=digest, files=MappingProxyType(files))


def add_routes(router: APIRouter, *, max_upload_bytes: int) -> None:
    """Add the routes that hand out the page; they need no token, for it is the same for all."""
    page = read_page(max_upload_bytes=max_upload_bytes)
    tag = f'"{page.digest}"'

    @router.head("/", include_in_schema=False)
    @router.get("/", include_in_schema=False)
    async def shell(request: Request) -> Response:
        return _answer(
            request, page.shell.encode(), "text/html; charset=utf-8", _ASK_EACH_TIME, tag
        )

    @router.head(f"{ASSETS}/{{digest}}/{{name:path}}", include_in_schema=False)
    @router.get(f"{ASSETS}/{{digest}}/{{name:path}}", include_in_schema=False)
    async def asset(request: Request, digest: str, name: str) -> Response:
        content = page.files.get(name)
        if digest != page.digest or content is None:
            raise problems.Refused(
                problems.NOT_FOUND,
                "there is no such file of the page; it may be of an earlier version: reload it",
            )
        media_type = _TYPES[name[name.rindex(".") :]]
        return _answer(request, content, media_type, _FOR_GOOD, tag)


def _answer(request: Request, content: bytes, media_type: str, caching: str, tag: str) -> Response:
    """Send *content*, or say that the browser has it already."""
    headers = {"Cache-Control": caching, "ETag": tag}
    known = request.headers.get("if-none-match", "")
    if tag in {one.strip().removeprefix("W/") for one in known.split(",")}:
        # With its type, for the headers that a browser takes over depend on it.
        return Response(status_code=304, headers=headers, media_type=media_type)
    return Response(content, media_type=media_type, headers=headers)
