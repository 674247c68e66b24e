"""``/results``: what was answered before, to be read, completed and erased."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from device.api import problems, small_body
from device.api.caller import caller_of
from device.api.schemas import responses
from device.api.waiting import outcome
from device.core.ports import Appliance
from device.core.results import (
    LARGEST_INTEGER,
    MOST_RESULTS,
    Annotation,
    ResultDocument,
    ResultFilter,
    ResultPage,
)

USUAL = 50
"""Entries of a page for which nobody stated a number."""
OF_THE_BOX = ("busy", "not-ready", "history")
ONE = (problems.INVALID, "result-not-found", *OF_THE_BOX)
_CSV_TYPE = "text/csv"

Cursor = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
ResultId = Annotated[str, Path(max_length=64)]
Limit = Annotated[int, Field(ge=1, le=MOST_RESULTS)]


class ResultQuery(ResultFilter):
    """Which results, from where on, and how many."""

    cursor: Cursor | None = Field(default=None, description="`next` of the page before.")
    limit: Limit = Field(default=USUAL, description="Most results of the page.")


def add_routes(router: APIRouter, appliance: Appliance) -> None:
    """Add the routes that read and change the history of *appliance*."""
    history = appliance.history

    @router.head("/results", include_in_schema=False)
    @router.get(
        "/results",
        tags=["results"],
        summary="Results, the newest first",
        responses=responses(problems.INVALID, *OF_THE_BOX),
    )
    async def list_results(query: Annotated[ResultQuery, Query()]) -> ResultPage:
        """List what was answered; results that come meanwhile shift no page."""
        return await outcome(history.page(_filter(query), cursor=query.cursor, limit=query.limit))

    @router.get(
        "/results.csv",
        tags=["results"],
        summary="Results as a table",
        responses=responses(problems.INVALID, *OF_THE_BOX, media_type=_CSV_TYPE),
        response_class=StreamingResponse,
    )
    async def export_table(
        query: Annotated[ResultFilter, Query()], request: Request
    ) -> StreamingResponse:
        """Hand out all results that match, the newest first; the audit trail notes it."""
        head = await outcome(history.begin_export(actor=caller_of(request).name))
        first, cursor = await outcome(history.csv_page(query, cursor=None))

        async def lines() -> AsyncIterator[str]:
            yield head + first
            following = cursor
            while following is not None:
                text, following = await outcome(history.csv_page(query, cursor=following))
                yield text

        return StreamingResponse(
            lines(),
            media_type=_CSV_TYPE,
            headers={"Content-Disposition": 'attachment; filename="edgederm-results.csv"'},
        )

    @router.head("/results/{result_id}", include_in_schema=False)
    @router.get(
        "/results/{result_id}",
        tags=["results"],
        summary="One result",
        responses=responses(*ONE),
    )
    async def one_result(result_id: ResultId) -> ResultDocument:
        """Return what was answered, and what was added since."""
        return await outcome(history.result(result_id))

    @router.patch(
        "/results/{result_id}",
        tags=["results"],
        summary="Add to a result",
        responses=responses(*small_body.PROBLEMS, *ONE),
        openapi_extra=small_body.described(Annotation),
    )
    async def change_result(result_id: ResultId, request: Request) -> ResultDocument:
        """
        Set the members that are sent; one left out stays, null clears it.

        What is replaced is erased.  A change of consent goes into the audit trail.
        """
        changes = await small_body.receive(request, Annotation)
        return await outcome(history.annotate(result_id, changes, actor=caller_of(request).name))

    @router.delete(
        "/results/{result_id}",
        tags=["results"],
        summary="Erase a result",
        status_code=204,
        responses=responses(*ONE),
    )
    async def erase_result(result_id: ResultId, request: Request) -> None:
        """Erase it with its picture: gone from the database, its log and its free pages."""
        await outcome(history.delete(result_id, actor=caller_of(request).name))

    files: tuple[tuple[str, str, str, Callable[[str], Future[bytes]], tuple[str, ...]], ...] = (
        ("heatmap.png", "image/png", "Where the model found evidence", history.heatmap, ()),
        (
            "picture.jpg",
            "image/jpeg",
            "The picture, if it was kept",
            history.picture,
            ("picture-not-kept",),
        ),
        (
            "thumbnail.jpg",
            "image/jpeg",
            "The picture in small, if it was kept",
            history.thumbnail,
            ("picture-not-kept",),
        ),
        ("report.pdf", "application/pdf", "One page for a doctor", history.report, ()),
    )
    for name, media_type, summary, make, slugs in files:
        _add_file(router, name, media_type, summary, make, slugs)


def _add_file(
    router: APIRouter,
    name: str,
    media_type: str,
    summary: str,
    make: Callable[[str], Future[bytes]],
    slugs: tuple[str, ...],
) -> None:
    path = f"/results/{{result_id}}/{name}"
    options: dict[str, Any] = {
        "tags": ["results"],
        "summary": summary,
        "responses": responses(*slugs, *ONE, media_type=media_type),
        "response_class": Response,
        "name": name,
        "operation_id": name.replace(".", "_"),
    }

    @router.head(path, include_in_schema=False)
    @router.get(path, **options)
    async def file_of_result(result_id: ResultId) -> Response:
        return Response(await outcome(make(result_id)), media_type=media_type)


def _filter(query: ResultQuery) -> ResultFilter:
    return ResultFilter(**{name: getattr(query, name) for name in ResultFilter.model_fields})
