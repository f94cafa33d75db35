"""The bodies and answers of requests for many posts."""

from dataclasses import replace
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from api.errors import ErrorView, ProblemView
from api.http.body import JsonObject
from api.http.body_validation import read_valid
from api.http.headers import KEY_PATTERN, KEY_RULE, LONGEST_KEY, is_idempotency_key
from api.posts.bodies.parse_patch import find_change_problems
from api.posts.bodies.schemas import LONGEST_NAME, Name, PatchBody, PlatformName, PostBody, RequestModel, body_config
from api.posts.listing import LONGEST_ADDRESS, MOMENT, TARGET_STATUSES, ZONE, read_cursor, read_filter
from api.views import Moment, described, example, view
from domain.codes import ProblemCode
from domain.errors import InvalidRequest, Problem
from domain.post import PostStatus
from domain.workspaces import MAX_ITEMS
from store.posts.list_filters import Filter


@view("BulkItem")
class BulkItemView(TypedDict):
    """The result for one post of a request that concerns many."""

    position: Annotated[int, described("Its place in the request, or among the posts that match; from 0.", 0)]
    httpStatus: Annotated[int, described("The status that a request for this post alone answers.", 201)]
    id: Annotated[str | None, described("The post; null if none was created.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]
    externalId: NotRequired[Annotated[str, described("Your own id, if given.", "campaign-7/row-12")]]
    status: NotRequired[Annotated[PostStatus, described("The post's status; left out if it was deleted or refused.")]]
    scheduledFor: NotRequired[Annotated[Moment | None, described("The instant it is scheduled for.")]]
    replayed: NotRequired[Literal[True]]
    """Always true: an earlier request did it, and this is its answer."""
    retryAfter: NotRequired[Annotated[int, described("Seconds after which to try this post again, if it may help.", 5)]]
    error: NotRequired[ErrorView]
    """What it was refused with; at most 10 of its problems are listed."""


@view("BulkResult")
class BulkResultView(TypedDict):
    """The results for each post of a request that concerns many."""

    total: Annotated[int, described("Posts that the request concerned.", 60)]
    succeeded: Annotated[int, described("Of these, how many were answered 200 or 201.", 59)]
    failed: Annotated[int, described("How many were refused.", 1)]
    results: Annotated[list[BulkItemView], described("One entry per post, in the order of the request.")]
    cursor: Annotated[str | None, example("eyJpZCI6InBvc3RfYWJjMTIzIn0")]
    """If more posts match than one request takes: send it for the next of them."""
    hasMore: Annotated[bool, described("Whether more posts match.", False)]


@view("BulkValidationItem")
class ItemVerdictView(TypedDict):
    """The verdict on one post of a request that validates many."""

    position: Annotated[int, described("Its place in the request; from 0.", 0)]
    externalId: NotRequired[Annotated[str, described("Your own id, if given.", "campaign-7/row-12")]]
    valid: Annotated[bool, described("Whether it would be accepted.", False)]
    errors: Annotated[list[ProblemView], described("Why not; at most 10.")]
    warnings: list[ProblemView]
    """What may fail when it is published, or be shown otherwise than it was given; at most 10."""


@view("BulkValidation")
class BulkVerdictView(TypedDict):
    """The verdicts on each post of a request that validates many."""

    total: Annotated[int, described("Posts of the request.", 60)]
    succeeded: Annotated[int, described("Of these, how many would be accepted.", 59)]
    failed: Annotated[int, described("How many would be refused.", 1)]
    results: Annotated[list[ItemVerdictView], described("One entry per post, in the order of the request.")]


MOST_POSTS = 100
"""Posts of one request: as many as a page of the list holds."""
_KEY = "idempotencyKey"
_EXAMPLE_ID = "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"


class PostItemBody(PostBody):
    """A post to create with others. It needs an `externalId` or an `idempotencyKey`, so that a repeat is safe."""

    model_config = body_config(
        "CreatePostItem",
        {
            "content": "Winter, day 1",
            "platforms": [{"platform": "twitter", "accountId": "tw_456"}],
            "scheduledFor": "2030-12-01T09:00",
            "timezone": "Europe/Berlin",
            "externalId": "winter/row-1",
        },
    )

    idempotency_key: Annotated[str, Field(min_length=1, max_length=LONGEST_KEY, pattern=KEY_PATTERN)] | None = Field(
        None, examples=["winter-row-17"]
    )
    """As the header Idempotency-Key of a request that creates this post alone."""


class PatchItemBody(PatchBody):
    """A post to change with others: its id, and the fields to change."""

    model_config = body_config("UpdatePostItem", {"id": _EXAMPLE_ID, "content": "A text that the platform takes"})

    id: str = Field(description="The post.", examples=[_EXAMPLE_ID])


# An item is read as the body of a request for one post; the document shows their schemas.
_Created = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/PostItemBody"})]
_Changed = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/PatchItemBody"})]
_Change = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/PatchBody"})]
_Status = Annotated[
    Literal["draft", "scheduled", "publishing", "published", "partial", "failed", "held", "unconfirmed"],
    WithJsonSchema({"type": "string", "enum": [*PostStatus, *TARGET_STATUSES]}),
]
_Moment = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class FilterBody(RequestModel):
    """A selection of posts: those that `GET /v1/posts` lists for the same parameters. At least one is required."""

    model_config = ConfigDict(title="PostFilter")

    tag: list[Name] | None = Field(None, min_length=1, max_length=MAX_ITEMS, examples=[["winter"]])
    """Only posts with all of these tags."""
    status: list[_Status] | None = Field(
        None, min_length=1, max_length=len(PostStatus) + len(TARGET_STATUSES), examples=[["scheduled"]]
    )
    """Only posts in one of these statuses, or with a target that is `held` or `unconfirmed`."""
    platform: PlatformName | None = Field(None, description="Only posts with a target there.", examples=["twitter"])
    account_id: Name | None = Field(None, description="Only posts with this account.", examples=["tw_456"])
    external_id: Name | None = Field(None, examples=["campaign-7/row-12"])
    """Only the post with this id of yours."""
    campaign_id: Name | None = Field(None, examples=["cmp_019bc10e51307c4f8d2b7f3a6c0e9d41"])
    """Only posts of this campaign."""
    series_id: Name | None = Field(None, examples=["ser_019bc10e51307c4f8d2b7f3a6c0e9d41"])
    """Only posts of this series."""
    import_id: Name | None = Field(None, examples=["imp_019bc10f27c07a7d4e9a54c1d9e3f0a1"])
    """Only posts that this import has created or changed; for 30 days."""
    platform_post_id: Annotated[str, Field(min_length=1, max_length=LONGEST_ADDRESS)] | None = None
    """Only posts that are public under this id on a platform, or at this address."""
    scheduled_from: _Moment | None = Field(
        None, description=f"Only posts scheduled for then or later. {MOMENT}", examples=["2030-12-03"]
    )
    scheduled_to: _Moment | None = Field(
        None, description=f"Only posts scheduled for then or earlier. {MOMENT}", examples=["2030-12-09"]
    )
    from_date: _Moment | None = Field(
        None, description=f"Only posts created then or later. {MOMENT}", examples=["2026-01-01"]
    )
    to_date: _Moment | None = Field(
        None, description=f"Only posts created then or earlier. {MOMENT}", examples=["2026-01-31T23:59:59Z"]
    )
    updated_since: _Moment | None = Field(
        None, description=f"Only posts that changed then or later. {MOMENT}", examples=["2026-01-15T10:00:00Z"]
    )
    timezone: _Moment | None = Field(None, examples=["Europe/Berlin"])
    """The IANA time zone of dates and of times without an offset; UTC without it."""


class CreateManyBody(RequestModel):
    """Posts to create."""

    model_config = ConfigDict(title="CreatePosts")

    posts: list[_Created] = Field(min_length=1, max_length=MOST_POSTS, description="The posts.")


_FILTER_SAID = "The posts are those that match; at most 100 of them a request, newest first."
_CURSOR_SAID = "From the previous answer, to continue with the posts after those."
_CURSOR_EXAMPLE = "eyJpZCI6InBvc3RfYWJjMTIzIn0"


class UpdateManyBody(RequestModel):
    """Posts to change: either `posts`, each with its own changes, or a `filter` and the `change` of all."""

    model_config = body_config(
        "UpdatePosts",
        {"filter": {"tag": ["winter"], "status": ["scheduled"]}, "change": {"shiftBy": "P1D"}},
        {"posts": [{"id": _EXAMPLE_ID, "content": "A text that the platform takes"}]},
    )

    posts: list[_Changed] | None = Field(None, min_length=1, max_length=MOST_POSTS)
    """The posts, each with the fields to change."""
    filter: FilterBody | None = Field(None, description=_FILTER_SAID)
    change: _Change | None = Field(None, description="What to change of each post that matches.")
    cursor: str | None = Field(None, description=_CURSOR_SAID, examples=[_CURSOR_EXAMPLE])


class SelectManyBody(RequestModel):
    """The posts that a request concerns: either their `ids`, or a `filter`."""

    model_config = body_config(
        "SelectPosts", {"filter": {"tag": ["winter"], "status": ["failed", "partial"]}}, {"ids": [_EXAMPLE_ID]}
    )

    ids: list[str] | None = Field(None, min_length=1, max_length=MOST_POSTS, examples=[[_EXAMPLE_ID]])
    """The posts."""
    filter: FilterBody | None = Field(None, description=_FILTER_SAID)
    cursor: str | None = Field(None, description=_CURSOR_SAID, examples=[_CURSOR_EXAMPLE])


class ValidateManyBody(CreateManyBody):
    """Posts to check without creating them: the body that would create them."""

    model_config = ConfigDict(title="ValidatePosts")

    check_media: bool = Field(False, examples=[True])
    """Also check the files of each post that has no other problem, one post after the other. After 30 seconds the files
    of the others are not checked any more, and their warnings say so."""


def read_create_many(
    payload: JsonObject, model: type[CreateManyBody] = CreateManyBody
) -> list[tuple[JsonObject, str | None]]:
    """Return the bodies of the posts to create, each with its Idempotency-Key. Raises InvalidRequest."""
    body = read_valid(model, payload)
    posts, problems = [], []
    for position, post in enumerate(body.posts):
        own = {name: value for name, value in post.items() if name != _KEY}
        key, where = post.get(_KEY), f"posts.{position}.{_KEY}"
        if key is not None and not (isinstance(key, str) and is_idempotency_key(key)):
            problems.append(_invalid(f"{where} must be {KEY_RULE}", where))
        elif key is None and own.get("externalId") is None:
            where = f"posts.{position}.externalId"
            sentence = f"{where} or {_KEY} is required: without one, a repeat would create it again"
            problems.append(_missing(sentence, where))
        posts.append((own, key))
    problems += _repeated([key for _, key in posts], _KEY)
    problems += _repeated([own.get("externalId") for own, _ in posts], "externalId")
    _refuse(problems)
    return posts


def read_update_many(payload: JsonObject) -> tuple[dict[str, JsonObject], JsonObject, Filter | None]:
    """Return the changes by post id; if a filter says which posts are meant, no changes, the one of all and it.

    Raises InvalidRequest.
    """
    body = read_valid(UpdateManyBody, payload)
    if body.posts is None:
        if body.filter is not None and body.change is None:
            raise InvalidRequest(_missing("change is required beside filter", "change"))
        # A change that is wrong for every post is refused even if no post matches.
        _refuse([problem.within("change") for problem in find_change_problems(body.change or {})])
        return {}, body.change or {}, _build_filter(body.filter, body.cursor, "posts")
    _refuse_beside("posts", {"filter": body.filter, "change": body.change, "cursor": body.cursor})
    problems = []
    for position, post in enumerate(body.posts):
        where = f"posts.{position}.id"
        if "id" not in post:
            problems.append(_missing(f"{where} is required", where))
        elif not isinstance(post["id"], str):
            problems.append(_invalid(f"{where} must be a string", where))
    _refuse(problems)
    _refuse(_repeated([post["id"] for post in body.posts], "id"))
    changes = {post["id"]: {name: value for name, value in post.items() if name != "id"} for post in body.posts}
    return changes, {}, None


def read_select_many(payload: JsonObject) -> tuple[list[str], Filter | None]:
    """Return the ids of the posts that are meant; none if a filter says which. Raises InvalidRequest."""
    body = read_valid(SelectManyBody, payload)
    if body.ids is None:
        return [], _build_filter(body.filter, body.cursor, "ids")
    _refuse_beside("ids", {"filter": body.filter, "cursor": body.cursor})
    return list(dict.fromkeys(body.ids)), None


def _build_filter(body: FilterBody | None, cursor: str | None, other: str) -> Filter:
    if body is None:
        raise InvalidRequest(_missing(f"Either {other} or filter is required", other))
    conditions = body.model_dump(exclude_none=True, by_alias=True)
    if not conditions.keys() - {ZONE}:
        raise InvalidRequest(_missing("filter must say something: an empty one would mean every post", "filter"))
    problems: list[Problem] = []
    lists = {name: value if isinstance(value, list) else [value] for name, value in conditions.items()}
    selection = read_filter(lists, problems, "filter.")
    after = None
    try:
        after = None if cursor is None else read_cursor(cursor)
    except ValueError as error:
        problems.append(_invalid(f"cursor {error}", "cursor"))
    _refuse(problems)
    return replace(selection, after=after)


def _refuse_beside(name: str, others: dict[str, object]) -> None:
    names = [other for other, value in others.items() if value is not None]
    _refuse([_invalid(f"{other} cannot be given beside {name}", other) for other in names])


def _repeated(values: list[object] | list[str | None] | list[str], name: str) -> list[Problem]:
    """Return a problem for each post that is named a second time."""
    seen: set[str] = set()
    problems = []
    for position, value in enumerate(values):
        if not isinstance(value, str):
            continue
        if value in seen:
            where = f"posts.{position}.{name}"
            problems.append(_invalid(f"{where} is in this request already", where))
        seen.add(value)
    return problems


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InvalidRequest(problems[:MOST_POSTS])


_INVALID: ProblemCode = "invalid_field_value"
_MISSING: ProblemCode = "missing_required_field"


def _invalid(sentence: str, param: str) -> Problem:
    return Problem(sentence, _INVALID, param)


def _missing(sentence: str, param: str) -> Problem:
    return Problem(sentence, _MISSING, param)
