"""The posts of a thread after the first: each is a reply to the one before, and is confirmed before a resend."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from platforms.base import Absent, Draft, Handles, PublishContext, Published
from platforms.errors import DUPLICATE, ErrorKind, PlatformError
from platforms.steps.thread import unconfirmed_item
from platforms.twitter import lookup, posts
from platforms.twitter.connection import TwitterConnection
from platforms.twitter.media import Uploads
from platforms.twitter.settings import TwitterSettings


async def upload(connection: TwitterConnection, context: PublishContext[TwitterSettings]) -> None:
    """Upload the media of the thread's posts, so that X refuses a bad file before anything is public."""
    for number, item in enumerate(context.draft.settings.thread_items):
        if item.media:
            await Uploads(connection, _as_post(context, number)).run()


async def follow(
    connection: TwitterConnection,
    context: PublishContext[TwitterSettings],
    number: int,
    parent: str,
    absent_after: timedelta,
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
        return await _save_id(post, await posts.send(connection, post))
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


async def _save_id(post: PublishContext[TwitterSettings], post_id: str) -> str:
    post.handles["id"] = post_id
    await post.save(post.handles)
    return post_id


async def _forget_send(post: PublishContext[TwitterSettings], sent_before: str | None) -> None:
    """Remove the note of a send that surely had no effect; an earlier send stays noted."""
    if sent_before is None:
        del post.handles["sentAt"], post.handles["parent"]
    else:
        post.handles["sentAt"] = sent_before
    await post.save(post.handles)


def _as_post(
    context: PublishContext[TwitterSettings], number: int, parent: str | None = None
) -> PublishContext[TwitterSettings]:
    """Return one post of the thread as if it were sent by itself; its handles are a part of the thread's."""

    async def save(_: Handles) -> None:
        await context.save(context.handles)

    settings = context.draft.settings
    item = settings.thread_items[number]
    own_settings = TwitterSettings(reply_to_tweet_id=parent, long_video=settings.long_video)
    draft = Draft(item.content, item.media, own_settings)
    return replace(context, draft=draft, handles=_item_handles(context, number), save=save)


def _item_handles(context: PublishContext[TwitterSettings], number: int) -> Handles:
    """Return the stored data of one post of the thread: media, parent, sentAt, wasDouble, id."""
    note: Handles = context.handles.setdefault("thread", {}).setdefault(str(number), {})
    return note
