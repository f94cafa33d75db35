"""Publishing to a Facebook Page: upload the media of the post, then make it public by one request."""

import json
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from domain.post import Media, MediaType
from domain.request_limits import RateLimit
from platforms.base import Absent, AccountFacts, Draft, Finding, Identity, Published
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.facebook import errors, rules
from platforms.facebook.media import BASE_URL, DOMAIN, EDGE, Uploads, photo_ids
from platforms.facebook.rules import (
    FacebookConnection,
    FacebookContext,
    FacebookCredentials,
    FacebookPostType,
    FacebookSettings,
    VideoCaption,
    choose_post_type,
)
from platforms.facebook.videos import (
    doubted,
    find_post,
    find_published_video,
    find_story,
    require_own,
    wait_until_public,
)
from platforms.http.multipart import FilePart
from platforms.http.wire import segment
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values
from platforms.meta.graph import API, GRAPH, Fields, required_text
from platforms.meta.platform import MetaPlatform, add_first_comment
from platforms.rules import FileRule
from platforms.steps.follow_up import add_each, video_unknown


def feed_fields(draft: Draft[FacebookSettings], photos: list[str]) -> Fields:
    """Return the fields that make a post of text, link or uploaded photos."""
    fields = _without_empty({"message": draft.text, "link": draft.settings.link})
    fields |= {f"attached_media[{index}]": json.dumps({"media_fbid": photo}) for index, photo in enumerate(photos)}
    if draft.settings.draft:
        fields |= {"published": "false", "unpublished_content_type": "DRAFT"}
    return fields


def finish_fields(draft: Draft[FacebookSettings], post_type: FacebookPostType, video: dict[str, Any]) -> Fields:
    """Return the fields that make an uploaded video public."""
    settings = draft.settings
    if post_type is FacebookPostType.VIDEO_STORY:
        return {"upload_phase": "finish", "video_id": video["id"]}
    fields = {"upload_phase": "finish", **_without_empty({"description": draft.text, "title": settings.title})}
    if post_type is FacebookPostType.REEL:
        state = "DRAFT" if settings.draft else "PUBLISHED"
        return {**fields, "video_id": video["id"], "video_state": state}
    fields["upload_session_id"] = video["session"]
    if settings.draft:
        return {**fields, "published": "false", "unpublished_content_type": "DRAFT"}
    return {**fields, "published": "true"}


def _without_empty(fields: dict[str, str | None]) -> Fields:
    return {name: value for name, value in fields.items() if value}


async def add_captions(connection: FacebookConnection, context: FacebookContext) -> list[str]:
    """Add each file of captions once; return warnings about those that Facebook did not take.

    Raises PlatformError of a retryable kind: the call may be repeated.
    """
    return await add_each(connection, context, context.draft.settings.captions, partial(_add, connection, context))


def file_name(caption: VideoCaption) -> str:
    """Return the name by which Facebook knows the language (restfb/restfb#871)."""
    language, region = caption.language.replace("_", "-").split("-")
    return f"captions.{language}_{region}.srt"


async def _add(connection: FacebookConnection, context: FacebookContext, caption: VideoCaption) -> None:
    video_id = context.handles.get("video", {}).get("id")
    if video_id is None:
        raise video_unknown("Facebook")
    path = f"/{segment(video_id)}/captions"
    async with context.media.open(Media(type=MediaType.DOCUMENT, url=caption.url)) as file:
        part = FilePart("captions_file", file_name(caption), file)
        answer = await GRAPH.post_file(connection, path, {}, part)
    if answer.get("success") is False:
        raise PlatformError(ErrorKind.REJECTED, "Facebook did not take the file.", code="media_refused")


_UPLOAD_HOSTS = ("graph-video.facebook.com",)


async def _remove(connection: FacebookConnection, _: FacebookContext, published: Published) -> None:
    await GRAPH.delete(connection, f"/{segment(published.platform_post_id)}")


def _went_to_its_own_host(seen: SampleResult) -> bool | None:
    sent = [exchange for exchange in find_answers(seen, "/videos", method="POST") if exchange.host in _UPLOAD_HOSTS]
    return all(exchange.status == 200 for exchange in sent) if sent else None


def _is_public(seen: SampleResult) -> bool | None:
    reported = [value for exchange in seen.exchanges for value in find_values(exchange.body, "published")]
    return reported[-1] is True if reported else None


_BYTES = Assumption("video_host", "The bytes of a video are taken at graph-video.facebook.com.", _went_to_its_own_host)
_PUBLIC = Assumption("video_public", "A video that is processed is public, and no draft.", _is_public)

LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪"),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("wide video", files=("wide.mp4",), assumptions=(_BYTES, _PUBLIC)),
        SamplePost("upright video", files=("tall.mp4",), assumptions=(_BYTES, _PUBLIC)),
        SamplePost("reel", files=("tall.mp4",), settings={"contentType": "reel"}),
    ),
    remove=_remove,
)


AS_DRAFT = "Facebook keeps this as a draft: publish it in Meta Business Suite."


class Facebook(MetaPlatform[FacebookSettings, FacebookCredentials]):
    """The Graph API for Pages."""

    name = "facebook"
    label = "Facebook"
    base_url = BASE_URL
    domains = (DOMAIN,)
    api = API
    account_prefix = "fb"
    # Meta promises no consistency between a Page's writes and reads; the number is our choice.
    read_lag = timedelta(seconds=60)
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    cautions = staticmethod(rules.cautions)
    covers = {"captions": rules.CAPTIONS}  # noqa: RUF012
    rules = rules.RULES
    settings = FacebookSettings
    credentials = FacebookCredentials

    def file_rules(self, draft: Draft[FacebookSettings], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules for the files of a reel, a story or a plain post."""
        return rules.file_rules(draft)

    def prepare_rate_limits(self, draft: Draft[FacebookSettings]) -> tuple[RateLimit, ...]:
        """Return how often an upload may begin: reels are limited. Whether a plain video is one is not known here."""
        return (rules.REELS_PER_DAY,) if choose_post_type(draft) is FacebookPostType.REEL else ()

    async def whoami(self, connection: FacebookConnection) -> Identity:
        """Ask which Page the token is for. A person has no `category` and cannot be published to."""
        try:
            me = await GRAPH.get(connection, "/me", fields="id,name,username,category")
        except PlatformError as error:
            if error.kind is ErrorKind.REJECTED:
                message = "This is no Page's access token. Facebook lets apps publish to Pages only."
                raise PlatformError(ErrorKind.AUTH, message, code=error.code, status=error.status) from error
            raise
        return Identity(
            required_text(connection, me, "id"), str(me.get("username") or required_text(connection, me, "name"))
        )

    async def prepare(self, connection: FacebookConnection, context: FacebookContext) -> None:
        """Upload photos unpublished, and videos up to the request that publishes them."""
        uploads = Uploads(connection, context)
        failed = context.handles.get("video", {}).get("failed")
        if failed is not None:
            await uploads.forget()
            raise errors.processing_failed(failed)
        await uploads.run()

    async def publish(self, connection: FacebookConnection, context: FacebookContext) -> Published:
        """Make the post public; wait until Facebook has processed a video."""
        page, draft = f"/{segment(connection.account.user_id)}", context.draft
        post_type = choose_post_type(draft)
        if post_type in EDGE:
            return await _finish(connection, context)
        if post_type is FacebookPostType.PHOTO_STORY:
            fields = {"photo_id": photo_ids(context.handles)[0]}
            story = await GRAPH.post_public(connection, f"{page}/photo_stories", fields)
            post_id = required_text(connection, story, "post_id", public=True)
            return Published(post_id, rules.RULES.post_id.page(post_id))
        fields = feed_fields(draft, photo_ids(context.handles))
        post = await GRAPH.post_public(connection, f"{page}/feed", fields, read="id,permalink_url")
        post_id = require_own(connection, required_text(connection, post, "id", public=True), public=True)
        return Published(post_id, post.get("permalink_url"))

    async def confirm_sent(
        self, connection: FacebookConnection, context: FacebookContext, sent_at: datetime
    ) -> Finding:
        """Ask the video itself, else look among the Page's posts or stories. A draft is not listed and not public."""
        post_type = choose_post_type(context.draft)
        media = context.handles.get("video", {}).get("id") if post_type.is_video else None
        if post_type.is_video and media is None:
            return Absent()
        if post_type in {FacebookPostType.VIDEO, FacebookPostType.REEL}:
            return await find_published_video(connection, context, sent_at)
        if post_type.is_story:
            media = media or next(iter(photo_ids(context.handles)), None)
            return await find_story(connection, context, media, sent_at) if media else Absent()
        return Absent() if context.draft.settings.draft else await find_post(connection, context, sent_at)

    async def complete(
        self, connection: FacebookConnection, context: FacebookContext, published: Published
    ) -> Published:
        """Add the first comment and captions, and fetch the permalink. Repeatable."""
        post_id, url = published.platform_post_id, published.url
        if context.draft.settings.draft:
            return Published(post_id, None, warning=AS_DRAFT)
        comment = context.draft.settings.first_comment
        warnings = [
            await add_first_comment(connection, context, post_id, comment),
            *await add_captions(connection, context),
        ]
        if url is None:
            post = await GRAPH.get(connection, f"/{segment(post_id)}", fields="permalink_url")
            url = post.get("permalink_url") or rules.RULES.post_id.page(post_id)
        return Published(post_id, url, warning=" ".join(filter(None, warnings)) or None)


async def _finish(connection: FacebookConnection, context: FacebookContext) -> Published:
    video: dict[str, Any] = context.handles.get("video", {})
    if not video.get("done"):
        raise PlatformError(ErrorKind.TRANSIENT, "Facebook must be given the video again.", code="no_video")
    post_type = FacebookPostType(video["form"])
    if not video.get("accepted"):
        path = f"/{segment(connection.account.user_id)}/{EDGE[post_type]}"
        try:
            answer = await GRAPH.post_public(connection, path, finish_fields(context.draft, post_type, video))
        except PlatformError as error:
            raise await doubted(context, error) from error
        if post_type is FacebookPostType.VIDEO_STORY:
            post_id = required_text(connection, answer, "post_id", public=True)
            return Published(post_id, rules.RULES.post_id.page(post_id))
        if answer.get("success") is not True:
            raise unreadable("Facebook", public=True)
        video["accepted"] = True
        video["post"] = answer.get("post_id")
        await context.save(context.handles)
    if context.draft.settings.draft:
        return Published(video["id"], None)
    return await wait_until_public(connection, context)
