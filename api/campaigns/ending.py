"""The end and the deletion of campaigns."""

from collections.abc import Sequence

from api.campaigns.requests import CampaignRequest, DoneOperation
from api.campaigns.views import DeletedCampaignView
from api.http.headers import HttpRequest
from api.http.query import convert_parameter, parse_choice, parse_query
from api.posts.answers.answer import Answer
from api.views import write_json
from domain.campaigns import CampaignStatus, UnsentPosts
from domain.errors import Conflict, InvalidRequest, Problem
from store.campaigns.lifecycle import count_unsent, delete_campaign, end_campaign
from store.posts.changes import WorkflowOfPost

_ENDED = Problem("The campaign has ended before", "campaign_ended")
_PAUSED = Problem(
    "The campaign is paused, so its posts would not stay as they are: end the pause first, or delete them", "paused"
)


async def end(request: CampaignRequest, campaign_id: str) -> Answer:
    """End a campaign, or answer as the first request with this key. Raises NotFound, Conflict."""
    async with request.deps.database.transaction() as session:
        operation = await request.known(session)
        if operation is None:
            campaign = await request.locked_campaign(session, campaign_id)
            if campaign.status == CampaignStatus.ENDED:
                raise Conflict(_ENDED)
            operation_id, result = await end_campaign(session, campaign, request.actor, request.keyed)
            operation = DoneOperation(operation_id, campaign_id, result)
    request.deps.closed_gates.forget()
    return await request.answer(operation)


def read_unsent(request: HttpRequest) -> UnsentPosts | None:
    """Return what a request says of the posts of a campaign that it deletes. Raises InvalidRequest."""
    query, query_problems = parse_query(request)
    problems: list[Problem] = []
    unsent = convert_parameter(query, problems, "posts", lambda text: parse_choice(UnsentPosts, text))
    if problems or query_problems:
        raise InvalidRequest([*problems, *query_problems])
    return unsent


async def delete(request: CampaignRequest, campaign_id: str, unsent: UnsentPosts | None) -> Answer:
    """Delete a campaign, or answer as the first request with this key. Raises NotFound, Conflict."""
    deps = request.deps
    with_workflow: Sequence[WorkflowOfPost] = ()
    async with deps.database.transaction() as session:
        operation = await request.known(session)
        if operation is None:
            campaign = await request.locked_campaign(session, campaign_id, alone=True)
            count = await count_unsent(session, campaign)
            if count and unsent is None:
                sentence = f"The campaign has {count:,} posts that are not published: say posts=keep or posts=delete"
                raise Conflict(Problem(sentence, "campaign_has_unsent_posts", "posts"))
            if count and unsent is UnsentPosts.KEEP and campaign.status == CampaignStatus.PAUSED:
                raise Conflict(_PAUSED)
            deleted = await delete_campaign(session, campaign, unsent, request.actor, request.keyed)
            operation = DoneOperation(deleted.operation_id, campaign_id, deleted.result)
            with_workflow = deleted.with_workflow
    deps.delivery.deliver_deleted(with_workflow)
    deps.closed_gates.forget()
    view = DeletedCampaignView(
        id=operation.campaign_id, deleted=True, operationId=operation.id, result=dict(operation.result)
    )
    return Answer(200, write_json(view), replayed=operation.is_replay)
