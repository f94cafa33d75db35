"""The endpoints under /v1/series."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.dependencies import Dependencies, Deps
from api.http.body_validation import read_valid
from api.http.cursors import encode_cursor
from api.http.headers import HttpRequest
from api.http.moments import read_moment
from api.http.operation import serves
from api.http.query import convert_page, convert_parameter, parse_query, read_id, read_query
from api.http.request import read_bare_request, read_body, read_keyed_request, read_request
from api.pauses.actions import pause, resume
from api.pauses.routes import pause_wait
from api.pauses.schemas import ResumeBody
from api.posts.answers.response import respond_privately
from api.series import operations
from api.series.actions import SeriesRequests, require_series
from api.series.bodies import PatchSeriesBody, PauseSeriesBody, PreviewBody, SeriesBody
from api.series.shown import LONGEST_TIME, existing_zones, preview, series_entry, show_occurrences, show_series
from api.series.views import DeletedSeriesView, SeriesListView, change_view
from domain.errors import Conflict, InvalidRequest, Problem
from domain.pauses import series_gate
from store.pauses.pauses import find_pause_under_way
from store.series.rows import list_series, series_rules


class SeriesEndpoints(Controller):
    """The series of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.CREATE_SERIES)
    async def create_series(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create a series."""
        payload, key = await read_keyed_request(request, partial(read_valid, SeriesBody))
        series_id = await _requests(request, workspace_id, deps).create(payload, key)
        return respond_privately(await show_series(deps, workspace_id, series_id), 201)

    @serves(operations.PREVIEW_SERIES)
    async def preview_series(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """See the occurrences of rules before they are used."""
        body = await read_body(request, PreviewBody)
        return respond_privately(preview(body))

    @serves(operations.LIST_SERIES)
    async def list_series(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List series."""
        limit, before_id, campaign_id = _read_page(request)
        async with deps.database.reading() as session:
            rows = await list_series(session, workspace_id, limit + 1, before_id=before_id, campaign_id=campaign_id)
            views = [await series_entry(session, series) for series in rows[:limit]]
        cursor = encode_cursor({"id": rows[limit - 1].id}) if len(rows) > limit else None
        return respond_privately(SeriesListView(series=views, cursor=cursor, hasMore=cursor is not None))

    @serves(operations.GET_SERIES)
    async def get_series(
        self, request: HttpRequest, series_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Get a series."""
        read_query(request)
        return respond_privately(await show_series(deps, workspace_id, series_id))

    @serves(operations.LIST_OCCURRENCES)
    async def list_occurrences(
        self, request: HttpRequest, series_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """List the occurrences of a series."""
        query = read_query(request)
        async with deps.database.reading() as session:
            series = await require_series(session, workspace_id, series_id)
        first, end = _read_time(query, series_rules(series).segments[-1].timezone)
        return respond_privately(await show_occurrences(deps, workspace_id, series_id, first, end))

    @serves(operations.UPDATE_SERIES)
    async def update_series(
        self, request: HttpRequest, series_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Change a series."""
        payload = await read_request(request, partial(read_valid, PatchSeriesBody))
        with existing_zones():
            change, warnings, body = await _requests(request, workspace_id, deps).change(series_id, payload)
        series = await show_series(deps, workspace_id, series_id)
        return respond_privately(change_view(change, warnings, series, dry_run=body.dry_run))

    @serves(operations.PAUSE_SERIES)
    async def pause_series(
        self, request: HttpRequest, series_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Pause a series."""
        body = await read_body(request, PauseSeriesBody)
        async with deps.database.reading() as session:
            await require_series(session, workspace_id, series_id)
        view, is_new = await pause(
            deps, workspace_id, series_gate(series_id), body.reason, request_actor(request), pause_wait(request)
        )
        return respond_privately(view, 201 if is_new else 200)

    @serves(operations.RESUME_SERIES)
    async def resume_series(
        self, request: HttpRequest, series_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Resume a series."""
        await read_bare_request(request)
        async with deps.database.reading() as session:
            await require_series(session, workspace_id, series_id)
            under_way = await find_pause_under_way(session, workspace_id, series_gate(series_id))
        if under_way is None:
            raise Conflict(_NOT_PAUSED)
        return respond_privately(
            await resume(deps, workspace_id, under_way.id, ResumeBody(missed="skip"), request_actor(request))
        )

    @serves(operations.DELETE_SERIES)
    async def delete_series(
        self, request: HttpRequest, series_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Delete a series."""
        query, problems = parse_query(request)
        posts = convert_parameter(query, problems, "posts", _read_posts)
        if problems:
            raise InvalidRequest(problems)
        deleted = await _requests(request, workspace_id, deps).delete(series_id, posts)
        return respond_privately(DeletedSeriesView(id=series_id, deleted=True, deletedPosts=deleted))


_NOT_PAUSED = Problem("The series is not paused", "conflict")


def _requests(request: HttpRequest, workspace_id: str, deps: Dependencies) -> SeriesRequests:
    return SeriesRequests(deps, workspace_id, request_actor(request))


def _read_posts(text: str) -> str:
    if text not in {"keep", "delete"}:
        raise ValueError("must be keep or delete")
    return text


def _read_page(request: HttpRequest) -> tuple[int, str | None, str | None]:
    """Return how many series a page has at most, the id before which it begins, and the campaign."""
    query, problems = parse_query(request)
    before_id, limit = convert_page(query, problems, read_id)
    if problems:
        raise InvalidRequest(problems)
    return limit, before_id, query.get("campaignId")


def _read_time(query: Mapping[str, str], zone: str) -> tuple[datetime | None, datetime | None]:
    """Return the first instant of a query, and the one before which it ends."""
    problems: list[Problem] = []
    bounds = []
    for name, is_end in (("from", False), ("to", True)):
        bound = read_moment(name, query[name], zone, problems, end=is_end) if name in query else None
        if bound is not None and not _FIRST_YEAR <= bound.instant.year <= _LAST_YEAR:
            sentence = f"{name} must be in a year from {_FIRST_YEAR} to {_LAST_YEAR}"
            problems.append(Problem(sentence, "invalid_field_value", name))
        bounds.append(bound.instant if bound else None)
    first, end = bounds
    if first and end and not first < end <= first + LONGEST_TIME:
        sentence = f"to must be after from, by at most {LONGEST_TIME.days} days"
        problems.append(Problem(sentence, "invalid_field_value", "to"))
    if problems:
        raise InvalidRequest(problems)
    return first, end


_FIRST_YEAR, _LAST_YEAR = 2000, 2200
"""Far enough from the ends of the calendar for every time zone."""
