"""The pages of the lists of campaigns, and of the operations on one."""

from dataclasses import dataclass
from functools import partial

from api.campaigns.requests import NO_SUCH_CAMPAIGN, shown_campaigns
from api.campaigns.views import CampaignPageView, OperationPageView, operation_view
from api.dependencies import Dependencies
from api.http.cursors import encode_cursor
from api.http.headers import HttpRequest
from api.http.query import convert_page, convert_parameter, parse_choice, parse_query, read_id
from domain.campaigns import CampaignStatus
from domain.errors import InvalidRequest, NotFound, Problem
from domain.ids import is_campaign_id
from store.audit import names_of_keys
from store.campaigns.campaigns import find_campaign, list_campaigns
from store.campaigns.operations import list_operations


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A page of a list: how many entries it has at most, and the id before which it begins."""

    limit: int
    before_id: str | None
    status: CampaignStatus | None = None
    tag: str | None = None


def read_list_query(request: HttpRequest) -> PageQuery:
    """Return what page a request asks for. Raises InvalidRequest with every problem."""
    query, query_problems = parse_query(request)
    problems: list[Problem] = []
    before_id, limit = convert_page(query, problems, read_id)
    status = convert_parameter(query, problems, "status", partial(parse_choice, CampaignStatus))
    if problems or query_problems:
        raise InvalidRequest([*problems, *query_problems])
    return PageQuery(limit, before_id, status, query.get("tag"))


async def list_page(deps: Dependencies, workspace_id: str, page: PageQuery) -> CampaignPageView:
    """Return a page of the campaigns of a workspace."""
    async with deps.database.reading() as session:
        campaigns = await list_campaigns(
            session, workspace_id, page.limit + 1, before_id=page.before_id, status=page.status, tag=page.tag
        )
    views = await shown_campaigns(deps, campaigns[: page.limit])
    cursor = encode_cursor({"id": views[-1]["id"]}) if len(campaigns) > page.limit else None
    return CampaignPageView(campaigns=views, cursor=cursor, hasMore=cursor is not None)


async def operations_page(
    deps: Dependencies, workspace_id: str, campaign_id: str, request: HttpRequest
) -> OperationPageView:
    """Return a page of the operations on a campaign, also on one that was deleted. Raises InvalidRequest, NotFound."""
    page = read_list_query(request)
    if not is_campaign_id(campaign_id):
        raise NotFound(NO_SUCH_CAMPAIGN)
    async with deps.database.reading() as session:
        operations = await list_operations(
            session, workspace_id, page.limit + 1, campaign_id=campaign_id, before_id=page.before_id
        )
        if not operations and await find_campaign(session, workspace_id, campaign_id) is None:
            raise NotFound(NO_SUCH_CAMPAIGN)
        names = await names_of_keys(session, (operation.actor_id for operation in operations))
    views = [operation_view(operation, names) for operation in operations[: page.limit]]
    cursor = encode_cursor({"id": views[-1]["id"]}) if len(operations) > page.limit else None
    return OperationPageView(operations=views, cursor=cursor, hasMore=cursor is not None)
