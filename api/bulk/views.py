"""The answers to a request that concerns many posts."""

from typing import Annotated, Literal, NotRequired

from typing_extensions import TypedDict

from api.errors import ErrorView, ProblemView
from api.views import Moment, described, view
from domain.post import PostStatus


@view("BulkItem")
class BulkItemView(TypedDict):
    """The result for one post of a request that concerns many."""

    position: Annotated[int, described("Its place in the request, or among the posts that match; from 0.", 0)]
    httpStatus: Annotated[int, described("The status that a request for this post alone answers.", 201)]
    id: Annotated[str | None, described("The post; null if none was created.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]
    externalId: NotRequired[Annotated[str, described("Your own id, if given.", "campaign-7/row-12")]]
    status: NotRequired[Annotated[PostStatus, described("The post's status; left out if it was deleted or refused.")]]
    scheduledFor: NotRequired[Annotated[Moment | None, described("The instant it is scheduled for.")]]
    replayed: NotRequired[
        Annotated[Literal[True], described("Always true: an earlier request did it, and this is its answer.")]
    ]
    retryAfter: NotRequired[Annotated[int, described("Seconds after which to try this post again, if it may help.", 5)]]
    error: NotRequired[
        Annotated[ErrorView, described("What it was refused with; at most 10 of its problems are listed.")]
    ]


@view("BulkResult")
class BulkResultView(TypedDict):
    """The results for each post of a request that concerns many."""

    total: Annotated[int, described("Posts that the request concerned.", 60)]
    succeeded: Annotated[int, described("Of these, how many were answered 200 or 201.", 59)]
    failed: Annotated[int, described("How many were refused.", 1)]
    results: Annotated[list[BulkItemView], described("One entry per post, in the order of the request.")]
    cursor: Annotated[
        str | None,
        described(
            "If more posts match than one request takes: send it for the next of them.", "eyJpZCI6InBvc3RfYWJjMTIzIn0"
        ),
    ]
    hasMore: Annotated[bool, described("Whether more posts match.", False)]


@view("BulkValidationItem")
class ItemVerdictView(TypedDict):
    """The verdict on one post of a request that validates many."""

    position: Annotated[int, described("Its place in the request; from 0.", 0)]
    externalId: NotRequired[Annotated[str, described("Your own id, if given.", "campaign-7/row-12")]]
    valid: Annotated[bool, described("Whether it would be accepted.", False)]
    errors: Annotated[list[ProblemView], described("Why not; at most 10.")]
    warnings: Annotated[
        list[ProblemView],
        described("What may fail when it is published, or be shown otherwise than it was given; at most 10."),
    ]


@view("BulkValidation")
class BulkVerdictView(TypedDict):
    """The verdicts on each post of a request that validates many."""

    total: Annotated[int, described("Posts of the request.", 60)]
    succeeded: Annotated[int, described("Of these, how many would be accepted.", 59)]
    failed: Annotated[int, described("How many would be refused.", 1)]
    results: Annotated[list[ItemVerdictView], described("One entry per post, in the order of the request.")]
