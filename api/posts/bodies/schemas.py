"""The bodies of the contract, strict about names and types."""

import json
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from api.http.suggest import unknown_platform, unknown_zone
from api.views import QUEUE_ID
from domain.moves import parse_delay
from domain.post import PUBLISH_WITHIN_S
from domain.schedule import parse_shift, zone_names
from domain.workspaces import MAX_ITEMS, MAX_TEXT
from platforms.registry import platforms

_MAX_ROOT_SETTINGS = 16_000
"""Characters of root-level settings as JSON: they are checked for each of up to 100 targets."""
SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 60, 30 * 24 * 60 * 60
_LONGEST_URL = 2048
LONGEST_NAME = 255


def _bad(sentence: str) -> PydanticCustomError:
    # pydantic formats the template; the sentence is not one.
    return PydanticCustomError("rule", "{sentence}", {"sentence": sentence})


def _platform(name: str) -> str:
    if name not in platforms():
        raise _bad(unknown_platform(name))
    return name


def _zone(name: str) -> str:
    if name not in zone_names():
        raise _bad(unknown_zone(name))
    return name


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isprintable() or " " in url:
        raise _bad("must be an http or https URL")
    return url


def _short(settings: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(settings, ensure_ascii=False)) > _MAX_ROOT_SETTINGS:
        raise _bad(f"may be at most {_MAX_ROOT_SETTINGS:,} characters of JSON")
    return settings


def check_duration(text: str) -> str:
    """Return a duration by which times move. Raises ValueError for a text that is none."""
    try:
        parse_shift(text)
    except ValueError:
        raise _bad("must be an ISO 8601 duration of weeks, days, hours and minutes, such as P1D or -PT90M") from None
    return text


def _delay(text: str) -> str:
    try:
        parse_delay(text)
    except ValueError:
        raise _bad("must be an ISO 8601 duration of weeks, days, hours and minutes, from PT1M to P365D") from None
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise _bad("must not be empty")
    return text


PlatformName = Annotated[str, AfterValidator(_platform), WithJsonSchema({"type": "string", "enum": list(platforms())})]
Zone = Annotated[str, AfterValidator(_zone)]
WebAddress = Annotated[
    str,
    Field(max_length=_LONGEST_URL),
    AfterValidator(_web_address),
    WithJsonSchema({"type": "string", "format": "uri", "maxLength": _LONGEST_URL}),
]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
RootSettings = Annotated[dict[str, Any], AfterValidator(_short)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_not_blank)]
NameOrAddress = Annotated[str, Field(min_length=1, max_length=_LONGEST_URL), AfterValidator(_not_blank)]


def body_config(title: str, *examples: dict[str, Any]) -> ConfigDict:
    """Return the configuration of a body's model: its name in the document, and bodies that show its uses."""
    return ConfigDict(title=title, json_schema_extra={"examples": list(examples)})


class RequestModel(BaseModel):
    """A model of a request body: camelCase names, no unknown fields, no values of other types than documented."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=False,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        model_title_generator=lambda model: model.__name__.removesuffix("Body"),
    )


class MediaBody(RequestModel):
    """One image, video, GIF or document."""

    model_config = ConfigDict(title="MediaItem")

    type: Literal["image", "video", "gif", "document"] = Field(examples=["image"])
    """What the file is; a `document` (PDF, Word, PowerPoint) only if the platform accepts one."""
    url: WebAddress = Field(examples=["https://example.com/photo.jpg"])
    """The address at which the file can be fetched without a login."""
    alt_text: Text | None = Field(None, examples=["A lighthouse at dawn"])
    """A description for people who cannot see it."""


class TargetBody(RequestModel):
    """One account that the post goes to."""

    platform: PlatformName = Field(description="The platform.", examples=["instagram"])
    account_id: Name = Field(description="A connected account of that platform.", examples=["ig_123"])
    custom_content: Text | None = Field(None, examples=["Platform-specific caption override"])
    """Replaces `content` for this account."""
    custom_media: list[MediaBody] | None = Field(None, max_length=MAX_ITEMS)
    """Replaces `mediaItems` for this account."""
    platform_specific_data: dict[str, Any] | None = Field(None, examples=[{}])
    """The platform's own settings; they win over the root-level ones."""


class AfterBody(RequestModel):
    """The post that another one waits for."""

    model_config = ConfigDict(title="FollowPost")

    post_id: Name | None = Field(None, examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"])
    """A post of the workspace."""
    external_id: Name | None = Field(None, examples=["campaign-7/row-12"])
    """Instead of `postId`, in a request with many rows only: the `externalId` of another row, or of a post of the
    workspace."""
    delay: Annotated[str, AfterValidator(_delay), Field(max_length=40)] | None = Field(None, examples=["PT2H"])
    """How long after it: an ISO 8601 duration of at most 365 days. Weeks and days are days in `timezone`. Right after
    it without one."""
    on_failure: Literal["skip", "wait"] = Field("skip", examples=["skip"])
    """If it fails: `skip` leaves this post a draft with a `skipReason`, `wait` waits until a retry has published it."""


_TARGET = {"platform": "twitter", "accountId": "tw_456"}
_POSTS: tuple[dict[str, Any], ...] = (
    {
        "content": "Hello from SocialSyncerAPI!",
        "mediaItems": [{"type": "image", "url": "https://example.com/photo.jpg"}],
        "platforms": [{"platform": "instagram", "accountId": "ig_123"}, _TARGET],
        "publishNow": True,
        "scheduledFor": None,
        "isDraft": False,
        "timezone": "UTC",
        "tags": ["marketing"],
        "tiktokSettings": {},
        "facebookSettings": {},
    },
    {
        "content": "Scheduled post",
        "platforms": [_TARGET],
        "publishNow": False,
        "scheduledFor": "2030-02-01T09:00",
        "timezone": "America/New_York",
    },
    {"content": "Posted in the next free slot", "platforms": [_TARGET], "queue": "next"},
    {
        "content": "Posted two hours after another post",
        "platforms": [_TARGET],
        "after": {"postId": "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2", "delay": "PT2H", "onFailure": "skip"},
    },
)


class PostBody(RequestModel):
    """A post to create."""

    model_config = body_config("CreatePost", *_POSTS)

    content: Text | None = Field(None, examples=["Hello from SocialSyncerAPI!"])
    """The text. Optional when media is attached or all platforms have customContent."""
    media_items: list[MediaBody] | None = Field(
        None, max_length=MAX_ITEMS, examples=[[{"type": "image", "url": "https://example.com/photo.jpg"}]]
    )
    """Images, videos or GIFs."""
    platforms: list[TargetBody] | None = Field(None, max_length=MAX_ITEMS)
    """The accounts that it is published to; required unless it is a draft."""
    publish_now: bool | None = Field(None, description="Publish immediately and wait for the outcome.", examples=[True])
    scheduled_for: str | None = Field(None, examples=["2030-02-01T14:00", "2030-02-01T14:00:00Z"])
    """When to publish: an ISO 8601 date and time, at most 5 years ahead. With an offset or Z it is that instant;
    without one it is wall time in `timezone` (a time that a clock change skips moves forward by the gap; of a repeated
    time the first counts). Up to 5 minutes ago counts as now."""
    queue: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] | None = Field(
        None, examples=["next", QUEUE_ID]
    )
    """Instead of `scheduledFor`: the first free slot of a queue, at least a minute ahead. `next` is the queue of the
    post's accounts; a queue's id names any other. The post's `timezone` is the queue's."""
    after: AfterBody | None = None
    """Instead of `scheduledFor`: another post. This one is a draft that `waitsFor` it, and is scheduled once that one
    is public."""
    is_draft: bool | None = Field(None, examples=[False])
    """Keep as a draft. A post without `publishNow`, `scheduledFor` and `queue` is one too."""
    timezone: Zone | None = Field(None, description="IANA time zone; UTC by default.", examples=["America/New_York"])
    tags: list[Name] | None = Field(None, max_length=MAX_ITEMS, examples=[["marketing"]])
    """Your own labels; the list can be filtered by them."""
    tiktok_settings: RootSettings | None = Field(None, description="Settings for all TikTok targets.", examples=[{}])
    facebook_settings: RootSettings | None = Field(None, examples=[{}])
    """Settings for all Facebook targets."""
    external_id: Name | None = Field(None, examples=["campaign-7/row-12"])
    """Your own id of the post, unique in your workspace as long as the post exists. A repeat of the same body answers
    the existing post, for ever; another body with the id is 409."""
    campaign_id: Name | None = Field(None, examples=["cmp_019bc10e51307c4f8d2b7f3a6c0e9d41"])
    """The campaign that the post is part of. Its `timezone` is the post's default, and its rules are the post's: when
    it may be due, and that a campaign that has not been started has drafts only."""
    publish_within: int | None = Field(
        None,
        ge=SHORTEST_WINDOW_S,
        le=LONGEST_WINDOW_S,
        description=(
            "Seconds after its time in which the post may still be published, if its platform, its account or this "
            f"service is unavailable. After that it fails rather than appear stale. "
            f"{PUBLISH_WITHIN_S} (24 hours) by default."
        ),
        examples=[PUBLISH_WITHIN_S],
    )


class PatchBody(PostBody):
    """The fields of a post to change. A field that is left out stays as it is."""

    model_config = body_config(
        "UpdatePost",
        {"scheduledFor": "2030-02-02T09:00:00", "timezone": "America/New_York"},
        {"content": "A text that the platform takes"},
        {"publishNow": True},
    )

    shift_by: Annotated[str, AfterValidator(check_duration), Field(max_length=40)] | None = Field(
        None, examples=["P1D"]
    )
    """How far to move the post's time: an ISO 8601 duration such as `P1D`, `-P1W` or `PT90M`. Weeks and days move the
    wall time in `timezone`, so 09:00 stays 09:00 when clocks change; hours and minutes move the instant."""


class ValidateBody(PostBody):
    """A post to check without creating it."""

    model_config = body_config("ValidatePost", *_POSTS, _POSTS[1] | {"checkMedia": True})

    check_media: bool = Field(False, examples=[True])
    """Also check the files, as publishing would: whether they can be fetched and are what the platforms take. It is
    done if nothing else is wrong, and takes up to 25 seconds."""


class NamedTarget(RequestModel):
    """One target of a post."""

    platform: PlatformName = Field(description="The target's platform.", examples=["twitter"])
    account_id: Name = Field(description="The target's account.", examples=["tw_456"])


class RetryBody(RequestModel):
    """The failed targets to try again."""

    model_config = body_config("RetryPost", {}, {"platforms": [_TARGET]})

    platforms: list[NamedTarget] | None = Field(None, min_length=1, max_length=MAX_ITEMS)
    """Those that are meant; all that failed if left out."""


class ResolveBody(RequestModel):
    """A person's decision about an unconfirmed target."""

    model_config = ConfigDict(title="ResolveTarget")

    platform: PlatformName = Field(description="The target's platform.", examples=["telegram"])
    account_id: Name = Field(description="The target's account.", examples=["tg_123"])
    outcome: Literal["published", "not_published"] = Field(examples=["not_published"])
    """`not_published` makes the target one that can be retried."""
    platform_post_id: NameOrAddress | None = Field(None, examples=["42"])
    """The post's id on the platform, or the address of its page, if it is known."""


class EditBody(RequestModel):
    """The new text of a published tweet."""

    model_config = ConfigDict(title="EditPost")

    content: Text = Field(description="The new text.", examples=["Hello from SocialSyncerAPI! (edited)"])
