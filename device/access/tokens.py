"""
The tokens of a box, hashed, in one file below the state directory.

A token carries 160 random bits, so one round of SHA-256 keeps it: no list of likely words helps
who reads the file.  Nor does the file tell anything about a token but its id, name and role.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from device.core.access import Role, Token
from device.core.errors import AccessError

FILE_NAME = "tokens.json"
LOCK_NAME = "tokens.lock"
PREFIX = "edgederm"
"""So that a token is known for one where it must not be: in a log, in a repository."""
MOST_TOKENS = 64
LONGEST_SECRET = 128
"""Characters; a real one has 50."""
_LARGEST_FILE_BYTES = 64 * 1024
_ID_BYTES, _SECRET_BYTES = 5, 20
_TOKEN = re.compile(rf"{PREFIX}-([a-z2-7]{{8}})-[a-z2-7]{{32}}")
_NOBODY = hashlib.sha256(b"").hexdigest()
_FOREIGN_BITS = stat.S_IRWXG | stat.S_IRWXO

Name = Annotated[
    str, Field(pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,62}[^\s\x00-\x1f\x7f])?$")
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Entry(_Strict):
    token_id: Annotated[str, Field(pattern=r"^[a-z2-7]{8}$")]
    name: Name
    role: Role
    created_at: AwareDatetime
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    def token(self) -> Token:
        return Token(
            token_id=self.token_id, name=self.name, role=self.role, created_at=self.created_at
        )


class _File(_Strict):
    version: Literal[1] = 1
    tokens: Annotated[tuple[_Entry, ...], Field(max_length=MOST_TOKENS)] = ()


class TokenFile:
    """
    Fills the role ``Tokens``, for the command line ``TokenKeeping``.

    Args:
        folder: State directory of the box; made with the first token.
        now: UTC.

    Threads: any, and several processes: changes are made under a lock, and a change by another
    process is seen with the next call.
    """

    def __init__(
        self, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    ) -> None:
        self.path = folder / FILE_NAME
        self._now = now
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._entries: dict[str, _Entry] = {}

    def find(self, secret: str) -> Token | None:
        """See ``device.core.access.Tokens``, for this and what follows."""
        match = _TOKEN.fullmatch(secret[:LONGEST_SECRET])
        entry = self._read().get(match[1]) if match else None
        # A wrong id costs the same hash and the same comparison as a wrong secret.
        found = hashlib.sha256(secret[:LONGEST_SECRET].encode("utf-8", "replace")).hexdigest()
        is_right = hmac.compare_digest(found, entry.sha256 if entry else _NOBODY)
        return entry.token() if entry is not None and is_right else None

    def holds(self, token_id: str) -> Token | None:
        """Return the token of this id."""
        entry = self._read().get(token_id)
        return None if entry is None else entry.token()

    def all(self) -> tuple[Token, ...]:
        """Return all, the oldest first."""
        return tuple(entry.token() for entry in self._read().values())

    def add(self, *, name: str, role: Role) -> tuple[Token, str]:
        """
        Make a token.

        Raises:
            AccessError: The name is none, there are too many, or the file cannot be written.
        """
        token_id, secret = _random(_ID_BYTES), _random(_SECRET_BYTES)
        whole = f"{PREFIX}-{token_id}-{secret}"
        try:
            entry = _Entry(
                token_id=token_id,
                name=name,
                role=role,
                created_at=self._now(),
                sha256=hashlib.sha256(whole.encode()).hexdigest(),
            )
        except ValidationError:
            raise AccessError(
                f"token refused: expected a name of 1 to 64 visible characters, found {name!r}"
            ) from None
        with self._changing() as entries:
            if len(entries) >= MOST_TOKENS:
                raise AccessError(
                    f"token refused: expected fewer than {MOST_TOKENS}, found {len(entries)}; "
                    "revoke one that is not needed any more"
                )
            entries[token_id] = entry
        return entry.token(), whole

    def revoke(self, token_id: str) -> Token | None:
        """Revoke a token."""
        with self._changing() as entries:
            entry = entries.pop(token_id, None)
        return None if entry is None else entry.token()

    def _read(self) -> dict[str, _Entry]:
        with self._lock:
            return self._current()

    def _current(self) -> dict[str, _Entry]:
        """Return what the file says now; it is read again only when it is another one."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            self._seen, self._entries = None, {}
            return self._entries
        except OSError as error:
            raise self._unusable(f"expected to read it, found {error.strerror}") from error
        try:
            status = os.fstat(handle)
            # The rights are looked at each time: who could write could have written.
            self._check(status)
            seen = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if seen != self._seen:
                # Forgotten first: what cannot be read lets nobody in.
                self._seen, self._entries = None, {}
                self._entries = self._parsed(os.read(handle, _LARGEST_FILE_BYTES))
                self._seen = seen
        finally:
            os.close(handle)
        return self._entries

    def _parsed(self, content: bytes) -> dict[str, _Entry]:
        try:
            return {one.token_id: one for one in _File.model_validate_json(content).tokens}
        except ValidationError as error:
            raise self._unusable(
                "expected our list of tokens, found something else; remove it and add the "
                "tokens again"
            ) from error

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise self._unusable("expected a file, found something else")
        if status.st_uid not in {os.geteuid(), 0}:
            raise self._unusable(
                f"expected a file of this user, found one of user {status.st_uid}; use the "
                "command as the user of the service"
            )
        if status.st_mode & _FOREIGN_BITS:
            raise self._unusable(
                f"expected rights for this user alone, found {stat.S_IMODE(status.st_mode):04o}; "
                f"whoever could read or write it is known now: run chmod 600 {self.path}, revoke "
                "its tokens and add new ones"
            )

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _Entry]]:
        """Hand out the entries to be changed, under a lock; then put a new file in place."""
        folder = self.path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = folder.stat().st_uid
            if owner != os.geteuid():
                raise AccessError(
                    f"tokens: expected to be run as the owner of {folder} (user {owner}), found "
                    f"user {os.geteuid()}; say sudo -u '#{owner}' before the command"
                )
            lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(f"expected to write it, found {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._lock:
                entries = dict(self._current())
                yield entries
                self._replace(_File(tokens=tuple(entries.values())))
        finally:
            os.close(lock)

    def _replace(self, content: _File) -> None:
        unfinished = self.path.with_name(f".{FILE_NAME}.unfinished")
        try:
            unfinished.unlink(missing_ok=True)
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content.model_dump_json(indent=1) + "\n")
                file.flush()
                os.fsync(handle)
            unfinished.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._unusable(f"expected to write it, found {error.strerror}") from error

    def _unusable(self, what: str) -> AccessError:
        return AccessError(f"tokens ({self.path}): {what}")


def _random(count: int) -> str:
    return base64.b32encode(secrets.token_bytes(count)).decode().lower()
