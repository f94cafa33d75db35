"""Publishing to a Facebook Page: upload the media of the post, then make it public by one request."""

from datetime import datetime, timedelta
from typing import Any

from domain.rate_limits import RateLimit
from platforms.base import Absent, AccountFacts, Draft, Finding, Identity, Platform, PublishContext, Published
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.facebook import errors, lookup, rules, videos
from platforms.facebook.captions import add_captions
from platforms.facebook.connection import API, BASE_URL, DOMAIN, GRAPH, FacebookConnection
from platforms.facebook.fields import feed_fields, finish_fields
from platforms.facebook.media import EDGE, Uploads, photo_ids
from platforms.facebook.rules import FacebookPostType, choose_post_type
from platforms.facebook.settings import FacebookCredentials, FacebookSettings
from platforms.http.wire import segment
from platforms.meta.comments import add_first_comment
from platforms.meta.credentials import applies_to
from platforms.meta.errors import REQUEST_ID_HEADER
from platforms.meta.graph import required_text
from platforms.rules import FileRule

AS_DRAFT = "Facebook keeps this as a draft: publish it in Meta Business Suite."


class Facebook(Platform[FacebookSettings, FacebookCredentials]):
    """The Graph API for Pages."""

    name = "facebook"
    label = "Facebook"
    base_url = BASE_URL
    domains = (DOMAIN,)
    api = API
    account_prefix = "fb"
    request_id_header = REQUEST_ID_HEADER
    # Meta promises no consistency between a Page's writes and reads; the number is our choice.
    read_lag = timedelta(seconds=60)
    strips_metadata = True  # general knowledge, unverified
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

    def refusal_applies(self, code: str, credentials: FacebookCredentials, draft: Draft[FacebookSettings]) -> bool:
        """Return whether a refusal of the app also stops this draft.

        A missing proof stops only accounts that have none.
        """
        return applies_to(code, credentials)

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

    async def prepare(self, connection: FacebookConnection, context: PublishContext[FacebookSettings]) -> None:
        """Upload photos unpublished, and videos up to the request that publishes them."""
        uploads = Uploads(connection, context)
        failed = context.handles.get("video", {}).get("failed")
        if failed is not None:
            await uploads.forget()
            raise errors.processing_failed(failed)
        await uploads.run()

    async def publish(self, connection: FacebookConnection, context: PublishContext[FacebookSettings]) -> Published:
        """Make the post public; wait until Facebook has processed a video."""
        page, draft, post_type = (
            f"/{segment(connection.account.user_id)}",
            context.draft,
            choose_post_type(context.draft),
        )
        if post_type in EDGE:
            return await _finish(connection, context)
        if post_type is FacebookPostType.PHOTO_STORY:
            fields = {"photo_id": photo_ids(context.handles)[0]}
            story = await GRAPH.post_public(connection, f"{page}/photo_stories", fields)
            post_id = required_text(connection, story, "post_id", public=True)
            return Published(post_id, rules.RULES.post_id.page(post_id))
        fields = feed_fields(draft, photo_ids(context.handles))
        post = await GRAPH.post_public(connection, f"{page}/feed", fields, read="id,permalink_url")
        post_id = lookup.require_own(connection, required_text(connection, post, "id", public=True), public=True)
        return Published(post_id, post.get("permalink_url"))

    async def confirm_sent(
        self, connection: FacebookConnection, context: PublishContext[FacebookSettings], sent_at: datetime
    ) -> Finding:
        """Ask the video itself, else look among the Page's posts or stories. A draft is not listed and not public."""
        post_type = choose_post_type(context.draft)
        media = context.handles.get("video", {}).get("id") if post_type.is_video else None
        if post_type.is_video and media is None:
            return Absent()
        if post_type in {FacebookPostType.VIDEO, FacebookPostType.REEL}:
            return await videos.find(connection, context, sent_at)
        if post_type.is_story:
            media = media or next(iter(photo_ids(context.handles)), None)
            return await lookup.find_story(connection, context, media, sent_at) if media else Absent()
        return Absent() if context.draft.settings.draft else await lookup.find_post(connection, context, sent_at)

    async def complete(
        self, connection: FacebookConnection, context: PublishContext[FacebookSettings], published: Published
    ) -> Published:
        """Add the first comment and captions, and fetch the permalink. Repeatable."""
        post_id, url = published.platform_post_id, published.url
        if context.draft.settings.draft:
            return Published(post_id, None, warning=AS_DRAFT)
        comment = context.draft.settings.first_comment
        warnings = [
            await add_first_comment(GRAPH, connection, context, post_id, comment),
            *await add_captions(connection, context),
        ]
        if url is None:
            post = await GRAPH.get(connection, f"/{segment(post_id)}", fields="permalink_url")
            url = post.get("permalink_url") or rules.RULES.post_id.page(post_id)
        return Published(post_id, url, warning=" ".join(filter(None, warnings)) or None)


async def _finish(connection: FacebookConnection, context: PublishContext[FacebookSettings]) -> Published:
    video: dict[str, Any] = context.handles.get("video", {})
    if not video.get("done"):
        raise PlatformError(ErrorKind.TRANSIENT, "Facebook must be given the video again.", code="no_video")
    post_type = FacebookPostType(video["form"])
    if not video.get("accepted"):
        path = f"/{segment(connection.account.user_id)}/{EDGE[post_type]}"
        try:
            answer = await GRAPH.post_public(connection, path, finish_fields(context.draft, post_type, video))
        except PlatformError as error:
            raise await videos.doubted(context, error) from error
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
    return await videos.wait_until_public(connection, context)
