"""Publishing to Threads: build containers, wait until they are processed, publish them one after the other."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic.alias_generators import to_camel

from domain.post import MediaType
from domain.rate_limits import Quota
from platforms.base import Absent, Draft, Finding, Identity, Platform, PublishContext, Published
from platforms.capabilities import ReportsQuota
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaPulls
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.meta.access import RenewsLongLived
from platforms.meta.containers import POST, Containers
from platforms.meta.credentials import applies_to
from platforms.meta.errors import REQUEST_ID_HEADER
from platforms.meta.quota import read_quota
from platforms.steps.matching import CLOCKS_APART, MatchingPost, likeness, verdict_of_newest
from platforms.steps.thread import ended_early, unconfirmed_item
from platforms.threads import errors, rules
from platforms.threads.connection import API, CONTAINERS, GRAPH, ThreadsConnection
from platforms.threads.fields import item_fields, post_fields, root_fields
from platforms.threads.settings import ThreadsCredentials, ThreadsSettings

POST_FIELDS = "id,permalink,text,timestamp"
PAGE = 50


A = TypeVar("A")


class Threads(
    Platform[ThreadsSettings, ThreadsCredentials], ReportsQuota[ThreadsCredentials], RenewsLongLived[ThreadsCredentials]
):
    """The Threads API."""

    name = "threads"
    label = "Threads"
    base_url = "https://graph.threads.net"
    api = API
    account_prefix = "th"
    request_id_header = REQUEST_ID_HEADER
    # The container says whether it was published. No documentation says whether reads lag behind; the number is ours. A
    # container is published only once in any case.
    read_lag = timedelta(seconds=45)
    pulls = MediaPulls(frozenset({MediaType.IMAGE, MediaType.VIDEO}))
    strips_metadata = True  # general knowledge, unverified
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    cautions = staticmethod(rules.cautions)
    rules = rules.RULES
    settings = ThreadsSettings
    credentials = ThreadsCredentials
    renewal_grant = "th_refresh_token"

    def refusal_applies(self, code: str, credentials: ThreadsCredentials, draft: Draft[ThreadsSettings]) -> bool:
        """Return whether a refusal of the app also stops this draft.

        A missing proof stops only accounts that have none.
        """
        return applies_to(code, credentials)

    def prepares(self, draft: Draft[ThreadsSettings]) -> bool:
        """Return True: every post gets a container, because a text published in one step could not be confirmed."""
        return True

    async def whoami(self, connection: ThreadsConnection) -> Identity:
        """Ask whose token this is."""
        me = await _read_own(GRAPH.get(connection, "/me", fields="id,username"))
        if not me.get("id") or not me.get("username"):
            raise PlatformError(ErrorKind.TRANSIENT, "Threads did not say whose token this is.", code="no_identity")
        return Identity(user_id=str(me["id"]), username=str(me["username"]))

    async def quota(self, connection: ThreadsConnection) -> Quota:
        """Ask how many posts of the last 24 hours are left; Threads does not report when more are allowed."""
        return read_quota(await _quotas(connection), "Threads")

    async def prepare(self, connection: ThreadsConnection, context: PublishContext[ThreadsSettings]) -> None:
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

    async def publish(self, connection: ThreadsConnection, context: PublishContext[ThreadsSettings]) -> Published:
        """Publish the container."""
        replies = context.draft.settings.reply_to_id is not None
        containers = Containers(CONTAINERS, connection, context)
        try:
            return Published(await _publish(connection, containers, POST, replies=replies), url=None)
        except PlatformError as error:
            if replies and error.claim and errors.forbids_reply(error):
                raise errors.may_not_answer(error).as_unconfirmed(claims=True) from error
            raise

    async def confirm_sent(
        self, connection: ThreadsConnection, context: PublishContext[ThreadsSettings], sent_at: datetime
    ) -> Finding:
        """Read from the container whether it was published, then find the post among the account's newest."""
        edge = "/me/replies" if context.draft.settings.reply_to_id else "/me/threads"
        return await _confirm(connection, context, POST, context.draft.text, edge, sent_at=sent_at)

    async def complete(
        self, connection: ThreadsConnection, context: PublishContext[ThreadsSettings], published: Published
    ) -> Published:
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
    context: PublishContext[ThreadsSettings],
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
    connection: ThreadsConnection, context: PublishContext[ThreadsSettings], edge: str, text: str, since: datetime
) -> Finding:
    """Find a post by its text."""
    start = str(int((since - CLOCKS_APART).timestamp()))
    posts = await _read_own(GRAPH.get_list(connection, edge, fields=POST_FIELDS, since=start, limit=str(PAGE)))
    thread = {post.get("id") for post in context.handles.get("thread", {}).values()}
    matching = (_matching_post(post, text) for post in posts if post["id"] not in thread)
    return verdict_of_newest(context, posts, matching, since=since, most=PAGE)


def _matching_post(post: dict[str, Any], text: str) -> MatchingPost:
    shown = Published(str(post["id"]), post.get("permalink"))
    return MatchingPost(shown, moment(post["timestamp"]), likeness(post.get("text"), text))


async def _follow(
    connection: ThreadsConnection, context: PublishContext[ThreadsSettings], number: int, parent: str
) -> str:
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
