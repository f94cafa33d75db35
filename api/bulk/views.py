"""The answers to a request that concerns many posts."""

from typing import Literal

from pydantic import ConfigDict, Field

from api.posts.answers.views import ErrorView, Moment, ProblemView, View
from domain.post import PostStatus


class BulkItemView(View):
    """The result for one post of a request that concerns many."""

    model_config = ConfigDict(title="BulkItem")

    optional_fields = frozenset({"externalId", "status", "scheduledFor", "replayed", "retryAfter", "error"})

    position: int = Field(description="Its place in the request, or among the posts that match; from 0.", examples=[0])
    http_status: int = Field(description="The status that a request for this post alone answers.", examples=[201])
    id: str | None = Field(
        description="The post; null if none was created.", examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"]
    )
    external_id: str = Field(description="Your own id, if given.", examples=["campaign-7/row-12"])
    status: PostStatus = Field(description="The post's status; left out if it was deleted or refused.")
    scheduled_for: Moment | None = Field(description="The instant it is scheduled for.")
    replayed: Literal[True] = Field(description="Always true: an earlier request did it, and this is its answer.")
    retry_after: int = Field(description="Seconds after which to try this post again, if it may help.", examples=[5])
    error: ErrorView = Field(description="What it was refused with; at most 10 of its problems are listed.")


class BulkResultView(View):
    """The results for each post of a request that concerns many."""

    model_config = ConfigDict(title="BulkResult")

    total: int = Field(description="Posts that the request concerned.", examples=[60])
    succeeded: int = Field(description="Of these, how many were answered 200 or 201.", examples=[59])
    failed: int = Field(description="How many were refused.", examples=[1])
    results: list[BulkItemView] = Field(description="One entry per post, in the order of the request.")
    cursor: str | None = Field(
        description="If more posts match than one request takes: send it for the next of them.",
        examples=["eyJpZCI6InBvc3RfYWJjMTIzIn0"],
    )
    has_more: bool = Field(description="Whether more posts match.", examples=[False])


class ItemVerdictView(View):
    """The verdict on one post of a request that validates many."""

    model_config = ConfigDict(title="BulkValidationItem")

    optional_fields = frozenset({"externalId"})

    position: int = Field(description="Its place in the request; from 0.", examples=[0])
    external_id: str = Field(description="Your own id, if given.", examples=["campaign-7/row-12"])
    valid: bool = Field(description="Whether it would be accepted.", examples=[False])
    errors: list[ProblemView] = Field(description="Why not; at most 10.")
    warnings: list[ProblemView] = Field(
        description="What may fail when it is published, or be shown otherwise than it was given; at most 10."
    )


class BulkVerdictView(View):
    """The verdicts on each post of a request that validates many."""

    model_config = ConfigDict(title="BulkValidation")

    total: int = Field(description="Posts of the request.", examples=[60])
    succeeded: int = Field(description="Of these, how many would be accepted.", examples=[59])
    failed: int = Field(description="How many would be refused.", examples=[1])
    results: list[ItemVerdictView] = Field(description="One entry per post, in the order of the request.")
