"""The endpoints under /v1/series."""

from datetime import datetime
from functools import partial

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.dependencies import Dependencies, Deps
from api.endpoint import Endpoint
from api.http.body_validation import read_valid
from api.http.headers import HttpRequest
from api.http.moments import read_moment
from api.http.operation import WITH_BODY, Operation
from api.http.parameters import KEY, PREFER_PAUSED, page, query, required
from api.http.query import Query, cut_page
from api.http.request import read_keyed_request, read_request
from api.pauses.actions import pause, resume
from api.pauses.routes import pause_wait
from api.pauses.schemas import PauseView, ResumeBody
from api.posts.once import key_of_request
from api.series.actions import SeriesRequests, require_series
from api.series.bodies import PatchSeriesBody, PauseSeriesBody, PreviewBody, SeriesBody
from api.series.views import (
    LONGEST_TIME,
    DeletedSeriesView,
    OccurrenceListView,
    PreviewView,
    SeriesChangeView,
    SeriesListView,
    SeriesView,
    change_view,
    existing_zones,
    preview,
    series_entry,
    show_occurrences,
    show_series,
)
from api.views import respond_privately
from domain.errors import Conflict, InvalidRequest, Problem
from domain.pauses import series_gate
from domain.series import AHEAD, LEAST_AHEAD, MOST_AHEAD
from store.pauses.pauses import find_pause_under_way
from store.series.rows import list_series, series_rules

_ID = "{seriesId}"
_BOUND = {"type": "string", "maxLength": 40}
_RULE = ("startsTooEarly", "skipMissing", "unsupportedRecurrence", "noOccurrence", *WITH_BODY)


class SeriesEndpoints(Controller):
    """The series of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Operation(
        route="POST /v1/series",
        description=(
            "Posts that recur by a rule. Each occurrence is a post like any other, which can be changed and deleted "
            f"alone. Posts exist {AHEAD.days} days ahead, at least the next {LEAST_AHEAD} and at most {MOST_AHEAD}. "
            "Their wall times stay the same when clocks change."
        ),
        answer=SeriesView,
        errors=(*_RULE, "campaignUnknown", "campaignEnded", "tooManySeries", "platformRule"),
        status=201,
        body=SeriesBody,
        parameters=(required(KEY),),
    )
    async def create_series(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create a series."""
        payload, key = await read_keyed_request(request, partial(read_valid, SeriesBody))
        keyed = key_of_request(request, workspace_id, key, payload)
        series_id, is_replay = await _requests(request, workspace_id, deps).create(payload, keyed)
        return respond_privately(await show_series(deps, workspace_id, series_id), 201, replayed=is_replay)

    @Endpoint(
        route="POST /v1/series/preview",
        errors=_RULE,
    )
    async def preview_series(self, body: PreviewBody) -> PreviewView:
        """See the occurrences of rules before they are used.

        The next occurrences of rules, with their instants. Nothing is created.
        """
        return preview(body)

    @Endpoint(
        route="GET /v1/series",
        errors=("wrongQuery",),
        parameters=(
            query(
                "campaignId",
                "Only series of this campaign.",
                {"type": "string", "minLength": 1},
                "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41",
            ),
            *page("series"),
        ),
    )
    async def list_series(self, query: Query, workspace_id: str, deps: Dependencies) -> SeriesListView:
        """List series.

        The newest first, without their posts.
        """
        before_id, campaign_id, most = query["cursor"], query["campaignId"], query["limit"] + 1
        async with deps.database.reading() as session:
            rows = await list_series(session, workspace_id, most, before_id=before_id, campaign_id=campaign_id)
            page, cursor = cut_page(rows, query["limit"])
            views = [await series_entry(session, series) for series in page]
        return SeriesListView(series=views, cursor=cursor, hasMore=cursor is not None)

    @Endpoint(route=f"GET /v1/series/{_ID}", errors=("seriesNotFound",))
    async def get_series(self, series_id: str, workspace_id: str, deps: Dependencies) -> SeriesView:
        """Get a series.

        With the rules in effect, changes to come, and the next occurrences.
        """
        return await show_series(deps, workspace_id, series_id)

    @Endpoint(
        route=f"GET /v1/series/{_ID}/occurrences",
        errors=("wrongQuery", "seriesNotFound"),
        parameters=(
            query("from", "The first day or time, in the series' zone unless it has an offset.", _BOUND, "2030-03-01"),
            query("to", "The last day or the time of the end, at most 366 days later.", _BOUND, "2030-03-31"),
        ),
    )
    async def list_occurrences(
        self, query: Query, series_id: str, workspace_id: str, deps: Dependencies
    ) -> OccurrenceListView:
        """List the occurrences of a series.

        Those with posts, those that get one when their time is near, and those that have none, with the reason. Without
        `from` and `to`: from now to `madeUntil`. Past occurrences are listed for 400 days.
        """
        async with deps.database.reading() as session:
            series = await require_series(session, workspace_id, series_id)
        first, end = _read_time(query, series_rules(series).segments[-1].timezone)
        return await show_occurrences(deps, workspace_id, series_id, first, end)

    @Operation(
        route=f"PATCH /v1/series/{_ID}",
        answer=SeriesChangeView,
        errors=(*_RULE, "seriesNotFound", "seriesChanged", "platformRule"),
        body=PatchSeriesBody,
    )
    async def update_series(
        self, request: HttpRequest, series_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Change a series.

        Posts follow the change: new ones are made, others get the new content or time, others are deleted. A post that
        was changed by itself stays as it is, and one that was deleted never returns. `from` lets a change begin later.
        With `dryRun` the answer says what would be done.
        """
        payload = await read_request(request, partial(read_valid, PatchSeriesBody))
        with existing_zones():
            change, warnings, body = await _requests(request, workspace_id, deps).change(series_id, payload)
        series = await show_series(deps, workspace_id, series_id)
        return respond_privately(change_view(change, warnings, series, dry_run=body.dry_run))

    @Endpoint(
        route=f"POST /v1/series/{_ID}/pause",
        answer=PauseView,
        errors=("seriesNotFound",),
        status=201,
        other_status=200,
        body_required=False,
        parameters=(PREFER_PAUSED,),
    )
    async def pause_series(
        self, request: HttpRequest, series_id: str, body: PauseSeriesBody, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Pause a series.

        No post of the series is sent until it is resumed. Posts that fall due are held. 200 is a pause that was under
        way already.
        """
        async with deps.database.reading() as session:
            await require_series(session, workspace_id, series_id)
        view, is_new = await pause(
            deps, workspace_id, series_gate(series_id), body.reason, request_actor(request), pause_wait(request)
        )
        return respond_privately(view, 201 if is_new else 200)

    @Endpoint(route=f"POST /v1/series/{_ID}/resume", errors=("seriesNotFound", "seriesNotPaused"))
    async def resume_series(
        self, request: HttpRequest, series_id: str, workspace_id: str, deps: Dependencies
    ) -> PauseView:
        """Resume a series.

        Posts that fell due during the pause become drafts with a `skipReason`; the others are sent in time.
        """
        async with deps.database.reading() as session:
            await require_series(session, workspace_id, series_id)
            under_way = await find_pause_under_way(session, workspace_id, series_gate(series_id))
        if under_way is None:
            raise Conflict(_NOT_PAUSED)
        return await resume(deps, workspace_id, under_way.id, ResumeBody(missed="skip"), request_actor(request))

    @Endpoint(
        route=f"DELETE /v1/series/{_ID}",
        errors=("wrongQuery", "seriesNotFound", "unsentPosts"),
        parameters=(
            query(
                "posts",
                "`keep`: posts that are not sent yet stay, as posts of their own. `delete`: they are deleted. Required "
                "if there are any.",
                {"type": "string", "enum": ["keep", "delete"]},
                "delete",
            ),
        ),
    )
    async def delete_series(
        self, request: HttpRequest, query: Query, series_id: str, workspace_id: str, deps: Dependencies
    ) -> DeletedSeriesView:
        """Delete a series.

        Posts whose publishing has begun stay. For the others, say `posts`.
        """
        deleted = await _requests(request, workspace_id, deps).delete(series_id, query["posts"])
        return DeletedSeriesView(id=series_id, deleted=True, deletedPosts=deleted)


_NOT_PAUSED = Problem("The series is not paused", "conflict")


def _requests(request: HttpRequest, workspace_id: str, deps: Dependencies) -> SeriesRequests:
    return SeriesRequests(deps, workspace_id, request_actor(request))


def _read_time(query: Query, zone: str) -> tuple[datetime | None, datetime | None]:
    """Return the first instant of a query, and the one before which it ends."""
    problems: list[Problem] = []
    bounds = []
    for name, is_end in (("from", False), ("to", True)):
        bound = read_moment(name, query[name], zone, problems, end=is_end) if query[name] else None
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
