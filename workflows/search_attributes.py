"""Every search attribute that operators can query by, registered only from here.

They are never encrypted, so they contain ids and states only, no content.
"""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from domain.plan import Plan
from domain.post import PostStatus
from domain.temporal_limits import LARGEST_SEARCH_ATTRIBUTE, LONGEST_KEYWORD


class Ending(StrEnum):
    """A value of `PostStatus` for a run that has ended because nothing is to be published any more."""

    CANCELLED = "cancelled"
    """An operator cancelled the run before all targets were published."""
    DELETED = "deleted"
    DRAFT = "draft"
    """The post was taken off the schedule."""


POST_STATUS = SearchAttributeKey.for_keyword("PostStatus")
WORKSPACE = SearchAttributeKey.for_keyword("Workspace")
PLATFORMS = SearchAttributeKey.for_keyword_list("Platforms")
ACCOUNTS = SearchAttributeKey.for_keyword_list("Accounts")
TAGS = SearchAttributeKey.for_keyword_list("Tags")
WAITS_FOR = SearchAttributeKey.for_keyword("WaitsFor")
"""What a due post waits for (domain.plan); unset if a worker processes it."""
CAMPAIGN = SearchAttributeKey.for_keyword("Campaign")
"""The id of its campaign; unset if it has none."""
CAMPAIGN_STATUS = SearchAttributeKey.for_keyword("CampaignStatus")
"""The status of a campaign (domain.campaigns), of the campaign's own workflow."""
DUE_AT = SearchAttributeKey.for_datetime("DueAt")

REGISTRY: dict[str, str] = {
    POST_STATUS.name: "Keyword",
    WORKSPACE.name: "Keyword",
    PLATFORMS.name: "KeywordList",
    ACCOUNTS.name: "KeywordList",
    TAGS.name: "KeywordList",
    WAITS_FOR.name: "Keyword",
    CAMPAIGN.name: "Keyword",
    CAMPAIGN_STATUS.name: "Keyword",
    DUE_AT.name: "Datetime",
}
"""Name and type as `temporal operator search-attribute create` takes them."""


def _as_list(values: Iterable[str]) -> list[str]:
    """Return each value once, as many as fit into one search attribute."""
    fitting, size = list[str](), len("[]")
    for value in dict.fromkeys(values):
        size += len(json.dumps(value)) + len(",")
        if size > LARGEST_SEARCH_ATTRIBUTE:
            break
        if 0 < len(value.encode()) <= LONGEST_KEYWORD:
            fitting.append(value)
    return fitting


def post_attributes(plan: Plan, status: PostStatus) -> TypedSearchAttributes:
    """Return the search attributes of a post's workflow."""
    lists: Sequence[tuple[SearchAttributeKey[Sequence[str]], list[str]]] = (
        (PLATFORMS, _as_list(target.platform for target in plan.targets)),
        (ACCOUNTS, _as_list(target.account_id for target in plan.targets)),
        (TAGS, _as_list(plan.tags)),
    )
    return TypedSearchAttributes(
        [
            SearchAttributePair(POST_STATUS, status.value),
            SearchAttributePair(WORKSPACE, plan.workspace_id),
            SearchAttributePair(DUE_AT, plan.due_at),
            *([SearchAttributePair(WAITS_FOR, plan.waits_for.value)] if plan.waits_for else []),
            *([SearchAttributePair(CAMPAIGN, plan.campaign_id)] if plan.campaign_id else []),
            *(SearchAttributePair(key, values) for key, values in lists if values),
        ]
    )
