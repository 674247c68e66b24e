"""A whole box, and what holds for whatever body somebody sends to it."""

import asyncio
import json
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from device import compose
from device.api.application import describe
from device.core.values import Result
from device.service.memory import use_one_arena
from device.settings import HistorySettings, ServerSettings, Settings
from tests.fuzz.seeds import BOUNDARY, FORM, JPEG, PNG

LONGEST_BYTES = 32 * 1024
"""Of an input; the box takes a little less, so that its limit is reached."""
_MEDIA_TYPES = {
    JPEG: b"image/jpeg",
    PNG: b"image/png",
    FORM: b"multipart/form-data; boundary=" + BOUNDARY,
}
_KINDS = 4
_PIECE_BYTES = 64
_PATH = "/classify"


class UndocumentedError(Exception):
    """The box answered what its OpenAPI document does not promise."""


class Box:
    """
    The box as it ships, asked without a network.

    Args:
        application: Joined to running parts.
    """

    def __init__(self, application):
        self.application = application
        self.answers = Counter()
        self._loop = asyncio.Runner()
        operation = describe(application, is_token_needed=False)["paths"][_PATH]["post"]
        # Nobody else asks this box and nothing of it is broken, so no server error will do.
        self._documented = {
            int(status): codes(answer)
            for status, answer in operation["responses"].items()
            if int(status) < 500
        }

    def ask(self, data):
        """
        Send an input: its kind, the size of its pieces, and its body; returns what came of it.

        Raises:
            UndocumentedError: The answer is neither a result nor a documented refusal.
        """
        media_type, body = read(data)
        status, answer = self._loop.run(self._request(media_type, parted(data, body)))
        said = self._checked(status, answer)
        self.answers[said] += 1
        return said

    def _checked(self, status, answer):
        if status not in self._documented:
            raise UndocumentedError(f"status {status}: {answer[:500]!r}")
        document = json.loads(answer)
        if status != 200:
            if document["code"] not in self._documented[status]:
                raise UndocumentedError(f"status {status} with code {document['code']}")
            return document["code"]
        if not 0.0 <= document["probability_malignant"] <= 1.0:
            raise UndocumentedError(f"probability {document['probability_malignant']}")
        return Result(document["result"]).value

    async def _request(self, media_type, pieces):
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": _PATH,
            "raw_path": _PATH.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", media_type)],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
        }
        waiting = iter(pieces)
        piece = next(waiting)
        said = []

        async def receive():
            nonlocal piece
            if piece is None:
                return {"type": "http.disconnect"}
            sent, piece = piece, next(waiting, None)
            return {"type": "http.request", "body": sent, "more_body": piece is not None}

        async def send(message):
            said.append(message)

        await self.application(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in said)
        return said[0]["status"], body


def read(data):
    """Take an input apart: media type and body."""
    kind, body = data[:1][0] % _KINDS if data else JPEG, data[2:]
    if kind in _MEDIA_TYPES:
        return _MEDIA_TYPES[kind], body
    line, _, body = body.partition(b"\n")
    return line, body


def parted(data, body):
    """Cut a body into the pieces that the input's second byte asks for; 0 leaves it whole."""
    size = _PIECE_BYTES * data[1] if len(data) > 1 else 0
    if not size or not body:
        return [body]
    return [body[start : start + size] for start in range(0, len(body), size)]


def codes(answer):
    """Those that one documented status may carry."""
    (content,) = answer["content"].values()
    return set(content["examples"])


@contextmanager
def open_box(folder):
    """
    Compose a box whose state lies in *folder* and that keeps a few megabytes of pictures.

    It has one arena, as the daemon has: with one for each thread the memory grows whenever a large
    picture meets another thread.
    """
    use_one_arena()
    settings = Settings(
        history=HistorySettings(path=Path(folder), keep_pictures=True, keep_bytes=8_000_000),
        server=ServerSettings(state_path=Path(folder), max_upload_bytes=LONGEST_BYTES - 1024),
    )
    with compose.appliance(settings) as parts:
        yield Box(compose.build_application(parts, settings))
