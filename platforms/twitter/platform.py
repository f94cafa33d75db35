"""Publishing to X: upload media, make the post by one request and each post of its thread by one, confirm, edit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import Absent, AccountFacts, ApiVersion, Draft, Finding, Handles, Identity, Platform, Published
from platforms.capabilities import Editable
from platforms.errors import DUPLICATE, ErrorKind, PlatformError
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, removal
from platforms.rules import FileRule
from platforms.steps.thread import ended_early, unconfirmed_item
from platforms.twitter import errors, lookup, rules
from platforms.twitter.access import ENDPOINT, TOKENS, TwitterConnection, TwitterContext, call, require_object
from platforms.twitter.media import Uploads, add_captions, media_ids
from platforms.twitter.rules import TwitterCredentials, TwitterSettings


def _takes_alt_text(seen: SampleResult) -> bool | None:
    answers = find_answers(seen, "/2/media/metadata")
    return answers[-1].status == 200 if answers else None


def _finalizes_without_body(seen: SampleResult) -> bool | None:
    answers = find_answers(seen, "/finalize")
    return all(answer.status == 200 for answer in answers) if answers else None


def _keeps_media(seen: SampleResult) -> bool | None:
    tweets = find_answers(seen, "/2/tweets", method="POST")
    edits = [tweet for tweet in tweets if isinstance(tweet.sent, dict) and "edit_options" in tweet.sent]
    return edits[-1].status == 201 if edits else None


_FINALIZE = Assumption("finalize", "The end of an upload needs no body.", _finalizes_without_body)
_EDIT = Assumption("edit_media", "An edit takes the media ids of the version before.", _keeps_media)
_ALT_TEXT = Assumption("alt_text", "Alt texts are taken.", _takes_alt_text)

LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪"),
        SamplePost("image", files=("plain.jpg",), assumptions=(_ALT_TEXT, _EDIT)),
        SamplePost("video", files=("wide.mp4",), assumptions=(_FINALIZE, _EDIT)),
    ),
    remove=removal(call, "/2/tweets/{id}"),
    by_hand=("Does the edited post show the same picture or video? It needs an account with X Premium.",),
)


async def send(connection: TwitterConnection, context: TwitterContext) -> str:
    """Make the post and return its id. Raises PlatformError, `unconfirmed` if it may have been made."""
    body = post_body(context.draft, media_ids(context.handles) if context.draft.media else [])
    try:
        answer = await call(connection, "POST", "/2/tweets", public=True, json=body)
    except PlatformError as error:
        if error.kind is ErrorKind.REJECTED and "media" in error.message.lower():
            # X does not accept these uploads, so the next attempt must upload again.
            context.handles.pop("media", None)
            await context.save(context.handles)
        raise
    post_id: str = require_object(answer, public=True)["id"]
    return post_id


def post_body(draft: Draft[TwitterSettings], uploads: list[str]) -> dict[str, Any]:
    """Return the body of the request that makes the post; source: X API v2 OpenAPI document, CreatePostsRequest."""
    settings = draft.settings
    body: dict[str, Any] = {"text": draft.text} if draft.text or not uploads else {}
    if uploads:
        body["media"] = {"media_ids": uploads}
    if settings.reply_to_tweet_id:
        body["reply"] = {"in_reply_to_tweet_id": settings.reply_to_tweet_id}
    if settings.quote_tweet_id:
        body["quote_tweet_id"] = settings.quote_tweet_id
    if settings.reply_settings:
        body["reply_settings"] = settings.reply_settings
    if settings.poll:
        body["poll"] = {"options": settings.poll.options, "duration_minutes": settings.poll.duration_minutes}
    return body


async def upload(connection: TwitterConnection, context: TwitterContext) -> None:
    """Upload the media of the thread's posts, so that X refuses a bad file before anything is public."""
    for number, item in enumerate(context.draft.settings.thread_items):
        if item.media:
            await Uploads(connection, _as_post(context, number)).run()


async def follow(
    connection: TwitterConnection, context: TwitterContext, number: int, parent: str, absent_after: timedelta
) -> str:
    """Make one post of the thread unless it is public already; return its id.

    The send, and the post that it replies to, are noted before the request. If the response is lost, the post is sent
    again only once X has not shown it for `absent_after`.

    Raises PlatformError: `not_ready` if the post must be looked for.
    """
    # An edit of the first post after that changes its id, but not the post that the reply was sent to.
    parent = _item_handles(context, number).get("parent", parent)
    post = _as_post(context, number, parent)
    note = post.handles
    if "id" in note:
        return str(note["id"])
    sent_before = note.get("sentAt")
    if sent_before is not None:
        sent_at = datetime.fromisoformat(sent_before)
        finding = await lookup.find(connection, post, sent_at, since_id=parent)
        if isinstance(finding, Published):
            return await _save_id(post, finding.platform_post_id)
        if not isinstance(finding, Absent):
            raise unconfirmed_item("X", number, sent_at)
        if (remaining := absent_after - (datetime.now(UTC) - sent_at)) > timedelta(0):
            raise unconfirmed_item("X", number, sent_at, longest_wait=remaining)
    if post.draft.media:
        await Uploads(connection, post).run()
    note |= {"parent": parent, "sentAt": datetime.now(UTC).isoformat()}
    await post.save(note)
    try:
        return await _save_id(post, await send(connection, post))
    except PlatformError as error:
        if error.kind is ErrorKind.UNCONFIRMED:
            raise unconfirmed_item("X", number, datetime.now(UTC), error.code) from error
        if error.code == DUPLICATE and sent_before is not None and not note.get("wasDouble"):
            # The first send may have been published late. If it still cannot be found, the duplicate is another post.
            note["wasDouble"] = True
            await post.save(note)
            raise unconfirmed_item("X", number, datetime.now(UTC), error.code) from error
        await _forget_send(post, sent_before)
        raise


async def _save_id(post: TwitterContext, post_id: str) -> str:
    post.handles["id"] = post_id
    await post.save(post.handles)
    return post_id


async def _forget_send(post: TwitterContext, sent_before: str | None) -> None:
    """Remove the note of a send that surely had no effect; an earlier send stays noted."""
    if sent_before is None:
        del post.handles["sentAt"], post.handles["parent"]
    else:
        post.handles["sentAt"] = sent_before
    await post.save(post.handles)


def _as_post(context: TwitterContext, number: int, parent: str | None = None) -> TwitterContext:
    """Return one post of the thread as if it were sent by itself; its handles are a part of the thread's."""

    async def save(_: Handles) -> None:
        await context.save(context.handles)

    settings = context.draft.settings
    item = settings.thread_items[number]
    own_settings = TwitterSettings(reply_to_tweet_id=parent, long_video=settings.long_video)
    draft = Draft(item.content, item.media, own_settings)
    return replace(context, draft=draft, handles=_item_handles(context, number), save=save)


def _item_handles(context: TwitterContext, number: int) -> Handles:
    """Return the stored data of one post of the thread: media, parent, sentAt, wasDouble, id."""
    note: Handles = context.handles.setdefault("thread", {}).setdefault(str(number), {})
    return note


class Twitter(
    Platform[TwitterSettings, TwitterCredentials],
    Editable[TwitterSettings, TwitterCredentials],
    RenewsByRefreshToken[TwitterCredentials],
):
    """X's API v2, for user accounts."""

    name = "twitter"
    label = "X"
    base_url = "https://api.x.com"
    api = ApiVersion("v2")
    account_prefix = "tw"
    request_id_header = "x-transaction-id"
    # X promises no consistency; the number is our choice. X refuses a repeat of the same text in any case.
    read_lag = timedelta(seconds=45)
    finds_without_handles = True
    # X's changelog of 2025-10-03. Its page on edits says 30 minutes, so each edit asks for the post's own time first.
    edit_window = timedelta(hours=1)
    strips_metadata = True  # general knowledge, unverified
    read_error = staticmethod(errors.read_error)
    quota_in = staticmethod(errors.quota_in)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    cautions = staticmethod(rules.cautions)
    covers = {"captions": rules.CAPTIONS}  # noqa: RUF012
    rules = rules.RULES
    settings = TwitterSettings
    credentials = TwitterCredentials
    tokens = TOKENS
    token_endpoint = ENDPOINT

    def file_rules(self, draft: Draft[TwitterSettings], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules of files, which are wider for a long video."""
        return rules.file_rules(premium=account.premium)

    def prepares(self, draft: Draft[TwitterSettings]) -> bool:
        """Return whether there are media to upload, in the post or in the thread after it."""
        return bool(draft.media) or any(item.media for item in draft.settings.thread_items)

    async def whoami(self, connection: TwitterConnection) -> Identity:
        """Ask X whose token this is, and whether the account pays for X Premium."""
        query = {"user.fields": "username,verified_type,subscription_type"}
        user = require_object(await call(connection, "GET", "/2/users/me", params=query))
        return Identity(user["id"], str(user.get("username", "")), _is_premium(user))

    async def prepare(self, connection: TwitterConnection, context: TwitterContext) -> None:
        """Upload and describe the media, including those of the thread. Repeatable: continues from the handles."""
        await Uploads(connection, context).run()
        await upload(connection, context)

    async def publish(self, connection: TwitterConnection, context: TwitterContext) -> Published:
        """Make the post. `editable_until` stays unknown, which means an hour: asking for it would cost another read."""
        return lookup.published(await send(connection, context))

    async def confirm_sent(self, connection: TwitterConnection, context: TwitterContext, sent_at: datetime) -> Finding:
        """Look for the post on the account's timeline."""
        return await lookup.find(connection, context, sent_at)

    async def complete(self, connection: TwitterConnection, context: TwitterContext, published: Published) -> Published:
        """Make the thread that follows, each post a reply to the one before, then add the captions. Repeatable."""
        threaded = await self._follow(connection, context, published)
        warnings = [threaded.warning, *await add_captions(connection, context)]
        return replace(threaded, warning=" ".join(filter(None, warnings)) or None)

    async def _follow(self, connection: TwitterConnection, context: TwitterContext, published: Published) -> Published:
        parent = published.platform_post_id
        for number in range(len(context.draft.settings.thread_items)):
            try:
                parent = await follow(connection, context, number, parent, self.read_lag)
            except PlatformError as error:
                return ended_early(published, number, error)
        return published

    async def edit(self, connection: TwitterConnection, published: Published, text: str, handles: Handles) -> Published:
        """Replace the text; the new version has a new id, and the same media."""
        return await lookup.edit(connection, published, text, handles)

    async def confirm_edit(self, connection: TwitterConnection, published: Published, text: str) -> Finding:
        """Look among the versions of the post for the new text."""
        return await lookup.confirm(connection, published, text)


def _is_premium(user: dict[str, Any]) -> bool:
    plan = user.get("subscription_type")
    if plan is not None:
        return str(plan).lower() not in {"", "none"}
    # A blue check mark comes with a paid plan; organisations have other marks.
    return user.get("verified_type") == "blue"
