"""
The id of a result: its number, which puts results in order, and a secret, which nobody guesses.

The number is the database's own row number, so looking a result up needs no index, and an index
would cost a page of the memory card with every answer.
"""

from __future__ import annotations

import base64
import re
import secrets

from device.core.errors import ResultNotFoundError

_SECRET_BYTES = 10
_ID = re.compile(r"([0-9]{8,18})-([a-z2-7]{16})")


def make_secret() -> str:
    """Eighty random bits as 16 letters and digits."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode().lower()


def make_id(sequence: int, secret: str) -> str:
    """Join the two; as texts, ids sort like their numbers."""
    return f"{sequence:08d}-{secret}"


def parse_id(result_id: str) -> tuple[int, str]:
    """
    Return number and secret.

    Raises:
        ResultNotFoundError: It is no id at all, so there is no such result.
    """
    match = _ID.fullmatch(result_id)
    if match is None:
        raise not_found(result_id)
    return int(match[1]), match[2]


def not_found(result_id: str) -> ResultNotFoundError:
    """What to raise where there is no result of this id."""
    return ResultNotFoundError(
        f"expected the id of a result, found {result_id[:64]!r}; it may have been erased"
    )
