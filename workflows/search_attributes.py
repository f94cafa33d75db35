"""Every search attribute that operators can query by, registered from here and nowhere else.

They are never encrypted: ids and states only, no content.
"""

import json
from collections.abc import Iterable, Sequence

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from domain.plan import Plan
from domain.post import PostStatus

POST_STATUS = SearchAttributeKey.for_keyword("PostStatus")
WORKSPACE = SearchAttributeKey.for_keyword("Workspace")
PLATFORMS = SearchAttributeKey.for_keyword_list("Platforms")
ACCOUNTS = SearchAttributeKey.for_keyword_list("Accounts")
TAGS = SearchAttributeKey.for_keyword_list("Tags")
DUE_AT = SearchAttributeKey.for_datetime("DueAt")

REGISTRY: dict[str, str] = {
    POST_STATUS.name: "Keyword",
    WORKSPACE.name: "Keyword",
    PLATFORMS.name: "KeywordList",
    ACCOUNTS.name: "KeywordList",
    TAGS.name: "KeywordList",
    DUE_AT.name: "Datetime",
}
"""Name and type as `temporal operator search-attribute create` takes them."""

_LONGEST_KEYWORD = 255
"""Bytes that PostgreSQL visibility keeps of a keyword; a longer tag stays out rather than fail the start."""

_LARGEST_VALUE = 2048
"""Bytes of JSON that Temporal takes as one value (limit.searchAttributesSizeOfValueLimit); what is more stays out."""


def _unique(values: Iterable[str]) -> list[str]:
    found, size = list[str](), len("[]")
    for value in dict.fromkeys(values):
        size += len(json.dumps(value)) + len(",")
        if size > _LARGEST_VALUE:
            break
        if 0 < len(value.encode()) <= _LONGEST_KEYWORD:
            found.append(value)
    return found


def attributes_of(plan: Plan, status: PostStatus) -> TypedSearchAttributes:
    """Return what a post's workflow can be found by."""
    lists: Sequence[tuple[SearchAttributeKey[Sequence[str]], list[str]]] = (
        (PLATFORMS, _unique(target.platform for target in plan.targets)),
        (ACCOUNTS, _unique(target.account_id for target in plan.targets)),
        (TAGS, _unique(plan.tags)),
    )
    return TypedSearchAttributes(
        [
            SearchAttributePair(POST_STATUS, status.value),
            SearchAttributePair(WORKSPACE, plan.workspace_id),
            SearchAttributePair(DUE_AT, plan.due_at),
            *(SearchAttributePair(key, values) for key, values in lists if values),
        ]
    )
