"""``/audit`` and ``/tokens``: what an admin looks after."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from device.api import problems
from device.api.caller import caller_of
from device.api.routes.results import OF_THE_BOX, USUAL, Cursor, Limit
from device.api.schemas import AuditPage, TokenDocument, TokenList, responses
from device.api.waiting import outcome
from device.core.access import Tokens
from device.core.document import Document
from device.core.ports import Appliance

TokenId = Annotated[str, Path(max_length=64)]


class AuditQuery(Document):
    """From where on, and how many."""

    cursor: Cursor | None = Field(default=None, description="`next` of the page before.")
    limit: Limit = Field(default=USUAL, description="Most entries of the page.")


def add_routes(router: APIRouter, appliance: Appliance, *, tokens: Tokens) -> None:
    """Add the routes for admins alone."""
    history = appliance.history

    @router.head("/audit", include_in_schema=False)
    @router.get(
        "/audit",
        tags=["administration"],
        summary="Who did what, the newest first",
        responses=responses(problems.INVALID, *OF_THE_BOX),
    )
    async def audit(query: Annotated[AuditQuery, Query()]) -> AuditPage:
        """List erasures, consent, exports, backups, restores, tokens made and revoked."""
        entries, following = await outcome(
            history.audit_page(cursor=query.cursor, limit=query.limit)
        )
        return AuditPage(entries=tuple(entries), next=following)

    @router.head("/tokens", include_in_schema=False)
    @router.get(
        "/tokens",
        tags=["administration"],
        summary="Tokens that are not revoked",
        responses=responses(),
    )
    async def list_tokens() -> TokenList:
        """List whom the box lets in; tokens are made on its command line alone."""
        return TokenList(tokens=tuple(TokenDocument.of(token) for token in tokens.all()))

    @router.delete(
        "/tokens/{token_id}",
        tags=["administration"],
        summary="Revoke a token",
        status_code=204,
        responses=responses(problems.INVALID, problems.TOKEN_NOT_FOUND, *OF_THE_BOX),
    )
    async def revoke_token(token_id: TokenId, request: Request) -> None:
        """Let its holder in no more, from now on, nor any session that began with it."""
        token = tokens.revoke(token_id)
        if token is None:
            raise problems.Refused(
                problems.TOKEN_NOT_FOUND,
                f"expected the id of a token, found {token_id!r}; it may have been revoked",
            )
        # Revoked first: a history that cannot be written must not keep a thief's token alive.
        await outcome(history.note("token revoked", token.token_id, actor=caller_of(request).name))
