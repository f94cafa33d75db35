"""Publishing to Instagram: build containers, wait until they are processed, publish one of them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.post import MediaType
from domain.request_limits import Quota
from platforms.base import AccountFacts, Draft, Finding, Identity, Published
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.instagram import errors, rules
from platforms.instagram.rules import (
    InstagramConnection,
    InstagramContext,
    InstagramCredentials,
    InstagramPostType,
    InstagramSettings,
    choose_post_type,
)
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult
from platforms.meta.containers import POST, ContainerDialect, Containers
from platforms.meta.graph import API, GRAPH, Fields, read_quota, required_text
from platforms.meta.platform import ContainerPlatform, add_first_comment
from platforms.rules import FileRule
from platforms.steps.matching import Likeness, MatchingPost, likeness, verdict_of_newest

MEDIA_FIELDS = "id,caption,permalink,timestamp"
PAGE = 50
CONTAINERS = ContainerDialect(
    graph=GRAPH,
    edge="/{user}/media",
    publishing="/{user}/media_publish",
    state="status_code",
    message="status",
    is_gone=errors.is_gone,
    needs_new=errors.needs_new,
    failed=errors.processing_error,
)


def item_fields(draft: Draft[InstagramSettings]) -> list[Fields]:
    """Return the fields that make the containers of a carousel's items; an empty list for every other form."""
    return (
        [_fields_of_one_item(draft, index) for index in range(len(draft.media))]
        if choose_post_type(draft) is InstagramPostType.CAROUSEL
        else []
    )


def _fields_of_one_item(draft: Draft[InstagramSettings], index: int) -> Fields:
    video = draft.media[index].type is MediaType.VIDEO
    # Whether Instagram wants a type for a carousel's video is unverified; working publishers send VIDEO.
    return _encode({"is_carousel_item": True, "media_type": "VIDEO" if video else None, **_media(draft, index)})


def post_fields(draft: Draft[InstagramSettings], items: list[str]) -> Fields:
    """Return the fields of the container that is published; `items` are a carousel's finished items."""
    settings = draft.settings
    # In a carousel only the container that is published takes this; source: Instagram's changelog of June 22, 2026.
    label = {"is_ai_generated": settings.is_ai_generated}
    caption = {
        **label,
        "caption": draft.text or None,
        "collaborators": settings.collaborators or None,
        "location_id": settings.location_id,
    }
    match choose_post_type(draft):
        case InstagramPostType.IMAGE:
            return _encode({**_media(draft, 0), **caption})
        case InstagramPostType.CAROUSEL:
            return _encode({"media_type": "CAROUSEL", "children": ",".join(items), **caption})
        case InstagramPostType.STORY:
            return _encode({"media_type": "STORIES", **_media(draft, 0), **label, "alt_text": None})
        case InstagramPostType.REEL:
            trial = settings.trial_params
            return _encode(
                {
                    "media_type": "REELS",
                    **_media(draft, 0),
                    **caption,
                    "share_to_feed": settings.share_to_feed,
                    "audio_name": settings.audio_name,
                    "thumb_offset": settings.thumb_offset,
                    "cover_url": settings.instagram_thumbnail or settings.reel_cover,
                    "trial_params": {"graduation_strategy": trial.graduation_strategy} if trial else None,
                }
            )


def _media(draft: Draft[InstagramSettings], index: int) -> dict[str, object]:
    item = draft.media[index]
    video = item.type is MediaType.VIDEO
    # A tag on a video has no position, and only images take an alt text.
    tags = [
        tag.model_dump(include={"username"} if video else {"username", "x", "y"}, exclude_none=True)
        for tag in draft.settings.user_tags
        if tag.media_index == index
    ]
    return {
        "video_url" if video else "image_url": item.url,
        "alt_text": None if video else item.alt_text,
        "user_tags": tags or None,
    }


def _encode(fields: Mapping[str, object]) -> Fields:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
        if value is not None
    }


def _is_listed(seen: SampleResult) -> bool | None:
    return isinstance(seen.finding, Published) if seen.finding is not None else None


def _is_taken(seen: SampleResult) -> bool | None:
    if seen.published:
        return True
    return False if seen.error and seen.error.code else None


LIVE = LiveCheck(
    samples=(
        SamplePost("image", files=("plain.jpg",)),
        SamplePost(
            "image of 3:4",
            files=("portrait.jpg",),
            assumptions=(Assumption("ratio", "Images of 3:4 are taken as they are.", _is_taken),),
        ),
        SamplePost("carousel", files=("plain.jpg", "plain.jpg")),
        SamplePost(
            "reel beside the feed",
            files=("tall.mp4",),
            settings={"shareToFeed": False},
            assumptions=(
                Assumption("reel_listed", "A reel that is not shared to the feed is listed in /media.", _is_listed),
            ),
        ),
        SamplePost(
            "trial reel",
            files=("tall.mp4",),
            settings={"trialParams": {"graduationStrategy": "MANUAL"}},
            assumptions=(Assumption("trial_listed", "A trial reel is listed in /media.", _is_listed),),
        ),
    ),
)


class Instagram(ContainerPlatform[InstagramSettings, InstagramCredentials]):
    """Instagram's API with Instagram Login, for professional accounts."""

    name = "instagram"
    label = "Instagram"
    base_url = "https://graph.instagram.com"
    api = API
    account_prefix = "ig"
    covers = {"instagram_thumbnail": rules.COVER, "reel_cover": rules.COVER}  # noqa: RUF012
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = InstagramSettings
    credentials = InstagramCredentials
    renewal_grant = "ig_refresh_token"

    def file_rules(self, draft: Draft[InstagramSettings], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules of files; stories have their own."""
        return rules.STORY_FILES if choose_post_type(draft) is InstagramPostType.STORY else rules.RULES.files

    async def whoami(self, connection: InstagramConnection) -> Identity:
        """Ask whose token this is; `user_id` is the professional account, `id` its id for one app only."""
        me = await GRAPH.get(connection, "/me", fields="id,user_id,username")
        user_id = connection.credentials.user_id or required_text(connection, me, "user_id")
        return Identity(user_id, required_text(connection, me, "username"))

    async def quota(self, connection: InstagramConnection) -> Quota:
        """Ask how many posts of the last 24 hours are left; Instagram does not report when more are allowed."""
        path = f"/{segment(connection.account.user_id)}/content_publishing_limit"
        answer = await GRAPH.get(connection, path, fields="config,quota_usage")
        return read_quota(answer.get("data"), "Instagram")

    async def prepare(self, connection: InstagramConnection, context: InstagramContext) -> None:
        """Build the post's containers and wait a few seconds until Instagram has processed them."""
        draft = context.draft
        containers = Containers(CONTAINERS, connection, context)
        await containers.prepare(POST, item_fields(draft), lambda items: post_fields(draft, items))

    async def publish(self, connection: InstagramConnection, context: InstagramContext) -> Published:
        """Publish the container."""
        return Published(await Containers(CONTAINERS, connection, context).publish(POST), url=None)

    async def confirm_sent(
        self, connection: InstagramConnection, context: InstagramContext, sent_at: datetime
    ) -> Finding:
        """Read from the container whether it was published, then find the post among the account's newest."""
        return await Containers(CONTAINERS, connection, context).confirm(
            POST, lambda since: _find(connection, context, since), sent_at=sent_at
        )

    async def complete(
        self, connection: InstagramConnection, context: InstagramContext, published: Published
    ) -> Published:
        """Add the first comment and fetch the permalink. Repeatable."""
        post_id, url = published.platform_post_id, published.url
        comment = context.draft.settings.first_comment
        warning = await add_first_comment(connection, context, post_id, comment)
        if url is None:
            url = (await GRAPH.get(connection, f"/{segment(post_id)}", fields="permalink")).get("permalink")
        return Published(post_id, url, warning=warning)


async def _find(connection: InstagramConnection, context: InstagramContext, since: datetime) -> Finding:
    """Find the post by its caption; a story has none."""
    story = choose_post_type(context.draft) is InstagramPostType.STORY
    edge = f"/{segment(connection.account.user_id)}/{'stories' if story else 'media'}"
    newest = await GRAPH.get_list(connection, edge, fields=MEDIA_FIELDS, limit=str(PAGE))
    matching = (_matching_post(media, None if story else context.draft.text) for media in newest)
    return await verdict_of_newest(context, newest, matching, since=since, most=PAGE)


def _matching_post(media: dict[str, Any], caption: str | None) -> MatchingPost:
    shown = Published(str(media["id"]), media.get("permalink"))
    like = Likeness.SAME if caption is None else likeness(media.get("caption"), caption)
    return MatchingPost(shown, moment(media["timestamp"]), like)
