"""Publishing to Threads: build containers, wait until they are processed, publish them one after the other."""

import json
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic.alias_generators import to_camel

from domain.post import Media, MediaType
from domain.request_limits import Quota
from platforms.base import Absent, ApiVersion, Draft, Finding, Identity, Published
from platforms.errors import ErrorKind, PlatformError
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult
from platforms.meta.containers import POST, Built, ContainerDialect, Containers
from platforms.meta.graph import Fields, Graph, read_quota, required_text
from platforms.meta.platform import ContainerPlatform
from platforms.steps.matching import CLOCKS_APART, MatchingPost, likeness, verdict_of_newest
from platforms.steps.thread import ended_early, unconfirmed_item
from platforms.threads import errors, rules
from platforms.threads.rules import ThreadsConnection, ThreadsContext, ThreadsCredentials, ThreadsSettings

API = ApiVersion("v1.0")
GRAPH = Graph(API.name)
POST_FIELDS = "id,permalink,text,timestamp"
PAGE = 50
CONTAINERS = ContainerDialect(
    graph=GRAPH,
    edge="/me/threads",
    publishing="/me/threads_publish",
    state="status",
    message="error_message",
    is_gone=errors.is_gone,
    needs_new=errors.needs_new,
    failed=errors.processing_error,
)

A = TypeVar("A")


def item_fields(media: tuple[Media, ...]) -> list[Fields]:
    """Return the fields that make the containers of a carousel's items; an empty list for every other form."""
    return [{"is_carousel_item": "true", **_content((item,), [])} for item in media] if len(media) > 1 else []


def post_fields(text: str, media: tuple[Media, ...], more: Fields) -> Built:
    """Return the function that makes the fields of the published container, once its items are finished."""
    content = {"text": text} if text else {}
    return lambda items: {**_content(media, items), **content, **more}


def root_fields(settings: ThreadsSettings) -> Fields:
    """Return the further fields of a thread's first post, besides its text and media."""
    poll = settings.poll
    fields = {
        "reply_control": settings.reply_control,
        "topic_tag": settings.topic_tag,
        "quote_post_id": settings.quote_post_id,
        "reply_to_id": settings.reply_to_id,
        "link_attachment": settings.link_attachment,
        "poll_attachment": json.dumps(
            {f"option_{letter}": option for letter, option in zip("abcd", poll.options, strict=False)}
        )
        if poll
        else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _content(media: tuple[Media, ...], items: list[str]) -> Fields:
    if not media:
        return {"media_type": "TEXT"}
    if items:
        return {"media_type": "CAROUSEL", "children": ",".join(items)}
    [item] = media
    video = item.type is MediaType.VIDEO
    described = {"alt_text": item.alt_text} if item.alt_text else {}
    return {
        "media_type": "VIDEO" if video else "IMAGE",
        "video_url" if video else "image_url": item.url,
        **described,
    }


async def _remove(connection: ThreadsConnection, _: ThreadsContext, published: Published) -> None:
    await GRAPH.delete(connection, f"/{segment(published.platform_post_id)}")


def _is_refused_as_forbidden(seen: SampleResult) -> bool | None:
    if seen.published:
        return False
    return seen.error.code.partition("/")[0] == "10" if seen.error else None


LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪"),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("carousel", files=("plain.jpg", "plain.jpg")),
        SamplePost("video", files=("tall.mp4",)),
        SamplePost(
            "reply to another's post",
            needs=("replyToId",),
            assumptions=(
                Assumption("reply", "A reply below another's post is refused with code 10.", _is_refused_as_forbidden),
            ),
        ),
    ),
    remove=_remove,
    by_hand=("Which code does a token of more than 60 days get: 190 or 24?",),
)


class Threads(ContainerPlatform[ThreadsSettings, ThreadsCredentials]):
    """The Threads API."""

    name = "threads"
    label = "Threads"
    base_url = "https://graph.threads.net"
    api = API
    account_prefix = "th"
    # The container says whether it was published. No documentation says whether reads lag behind; the number is ours. A
    # container is published only once in any case.
    read_lag = timedelta(seconds=45)
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    cautions = staticmethod(rules.cautions)
    rules = rules.RULES
    settings = ThreadsSettings
    credentials = ThreadsCredentials
    renewal_grant = "th_refresh_token"

    def prepares(self, draft: Draft[ThreadsSettings]) -> bool:
        """Return True: every post gets a container, because a text published in one step could not be confirmed."""
        return True

    async def whoami(self, connection: ThreadsConnection) -> Identity:
        """Ask whose token this is."""
        me = await _read_own(GRAPH.get(connection, "/me", fields="id,username"))
        return Identity(required_text(connection, me, "id"), required_text(connection, me, "username"))

    async def quota(self, connection: ThreadsConnection) -> Quota:
        """Ask how many posts of the last 24 hours are left; Threads does not report when more are allowed."""
        return read_quota(await _quotas(connection), "Threads")

    async def prepare(self, connection: ThreadsConnection, context: ThreadsContext) -> None:
        """Build the post's containers and wait a few seconds until Threads has processed them."""
        draft = context.draft
        built = post_fields(draft.text, draft.media, root_fields(draft.settings))
        try:
            await Containers(CONTAINERS, connection, context).prepare(POST, item_fields(draft.media), built)
        except PlatformError as error:
            if (draft.settings.reply_to_id or draft.settings.quote_post_id) and errors.forbids_reply(error):
                raise errors.may_not_answer(error) from error
            if errors.is_gone(error):
                await self.whoami(connection)
                for name in ("reply_to_id", "quote_post_id"):
                    if await _is_missing(connection, getattr(draft.settings, name)):
                        raise errors.nothing_there(to_camel(name)) from error
            raise

    async def publish(self, connection: ThreadsConnection, context: ThreadsContext) -> Published:
        """Publish the container."""
        replies = context.draft.settings.reply_to_id is not None
        containers = Containers(CONTAINERS, connection, context)
        try:
            return Published(await _publish(connection, containers, POST, replies=replies), url=None)
        except PlatformError as error:
            if replies and error.claim and errors.forbids_reply(error):
                raise errors.may_not_answer(error).as_unconfirmed(claims=True) from error
            raise

    async def confirm_sent(self, connection: ThreadsConnection, context: ThreadsContext, sent_at: datetime) -> Finding:
        """Read from the container whether it was published, then find the post among the account's newest."""
        edge = "/me/replies" if context.draft.settings.reply_to_id else "/me/threads"
        return await _confirm(connection, context, POST, context.draft.text, edge, sent_at=sent_at)

    async def complete(self, connection: ThreadsConnection, context: ThreadsContext, published: Published) -> Published:
        """Fetch the permalink, and publish the thread that follows, each post a reply to the one before.

        Repeatable: every post of the thread is noted before it is sent, and confirmed before it is sent again.
        """
        if not published.url:
            post = await GRAPH.get(connection, f"/{segment(published.platform_post_id)}", fields="id,permalink")
            published = replace(published, url=post.get("permalink"))
        parent = published.platform_post_id
        for number in range(len(context.draft.settings.thread_items)):
            try:
                parent = await _follow(connection, context, number, parent)
            except PlatformError as error:
                return ended_early(published, number, error)
        return published


async def _is_missing(connection: ThreadsConnection, post_id: str | None) -> bool:
    if post_id is None:
        return False
    try:
        await GRAPH.get(connection, f"/{segment(post_id)}", fields="id")
    except PlatformError as error:
        return errors.is_gone(error)
    return False


async def _read_own(read: Awaitable[A]) -> A:
    """Return what was read of the account itself. It exists, so if Threads denies that, the token has ended."""
    try:
        return await read
    except PlatformError as error:
        if errors.is_gone(error):
            raise errors.token_ended() from error
        raise


async def _publish(connection: ThreadsConnection, containers: Containers, name: str, *, replies: bool) -> str:
    """Publish a container; if Threads refuses, find out whether the account's posts or replies are used up."""
    try:
        return await containers.publish(name)
    except PlatformError as error:
        refusal = error.claim or error
        if refusal.kind is ErrorKind.REJECTED and await _quota_is_used(connection, "reply_" if replies else ""):
            raise errors.quota_used("replies" if replies else "posts") from error
        raise


async def _quota_is_used(connection: ThreadsConnection, of: str) -> bool:
    """Return whether a limit of the day is used up: a refusal for that has no code of its own."""
    try:
        return read_quota(await _quotas(connection, of), "Threads", of).remaining <= 0
    except PlatformError:
        return False


async def _quotas(connection: ThreadsConnection, of: str = "") -> list[dict[str, Any]]:
    fields = f"{of}quota_usage,{of}config"
    return await _read_own(GRAPH.get_list(connection, "/me/threads_publishing_limit", fields=fields))


async def _confirm(
    connection: ThreadsConnection,
    context: ThreadsContext,
    name: str,
    text: str,
    edge: str,
    *,
    sent_at: datetime | None = None,
) -> Finding:
    return await Containers(CONTAINERS, connection, context).confirm(
        name, lambda since: _find(connection, context, edge, text, since), sent_at=sent_at
    )


async def _find(
    connection: ThreadsConnection, context: ThreadsContext, edge: str, text: str, since: datetime
) -> Finding:
    """Find a post by its text."""
    start = str(int((since - CLOCKS_APART).timestamp()))
    posts = await _read_own(GRAPH.get_list(connection, edge, fields=POST_FIELDS, since=start, limit=str(PAGE)))
    thread = {post.get("id") for post in context.handles.get("thread", {}).values()}
    matching = (_matching_post(post, text) for post in posts if post["id"] not in thread)
    return await verdict_of_newest(context, posts, matching, since=since, most=PAGE)


def _matching_post(post: dict[str, Any], text: str) -> MatchingPost:
    shown = Published(str(post["id"]), post.get("permalink"))
    return MatchingPost(shown, moment(post["timestamp"]), likeness(post.get("text"), text))


async def _follow(connection: ThreadsConnection, context: ThreadsContext, number: int, parent: str) -> str:
    """Publish one post of the thread unless it is public already; return its id."""
    item, name = context.draft.settings.thread_items[number], str(number)
    thread: dict[str, dict[str, str]] = context.handles.setdefault("thread", {})
    state = thread.setdefault(name, {})
    containers = Containers(CONTAINERS, connection, context)
    if "id" in state:
        return state["id"]
    if "sent" in state:
        finding = await _confirm(connection, context, name, item.content, "/me/replies")
        if not isinstance(finding, Absent | Published):
            raise unconfirmed_item("Threads", number, datetime.fromisoformat(state["sent"]))
        if isinstance(finding, Published):
            state["id"] = finding.platform_post_id
            await context.save(context.handles)
            return state["id"]
    built = post_fields(item.content, item.media, {"reply_to_id": parent})
    await containers.prepare(name, item_fields(item.media), built)
    state["sent"] = datetime.now(UTC).isoformat()
    await context.save(context.handles)
    try:
        state["id"] = await _publish(connection, containers, name, replies=True)
    except PlatformError as error:
        if error.kind is not ErrorKind.UNCONFIRMED:
            raise
        raise unconfirmed_item("Threads", number, datetime.now(UTC), error.code) from error
    await context.save(context.handles)
    return state["id"]
