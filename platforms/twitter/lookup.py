"""The search for a post on the account's own timeline, and edits of a post, each version of which has its own id."""

import html
import re
from datetime import UTC, datetime
from typing import Any

from platforms.base import Absent, Finding, Handles, Published, Unknown
from platforms.errors import ErrorKind, PlatformError, require_same, unreadable
from platforms.http.answers import FirstItems, ListAt
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.steps.matching import (
    CLOCKS_APART,
    GROWTH_OF_TEXT,
    Likeness,
    MatchingPost,
    is_too_long,
    likeness,
    verdict,
)
from platforms.texts.unicode import nfc
from platforms.twitter.access import TwitterConnection, TwitterContext, call, require_object
from platforms.twitter.media import are_valid, media_ids, media_keys
from platforms.twitter.rules import RULES, TwitterSettings, link_spans

PAGE, MOST_PAGES = 100, 5
"""Posts per page, the most X allows, and pages; an account with more posts since the attempt is not searched
further."""
SMALLEST_PAGE = 5
"""The fewest posts per page that X allows."""

FIELDS = "author_id,created_at,entities,edit_history_tweet_ids,attachments,note_tweet,edit_controls,referenced_tweets"

_MOST_LINKS, _LONGEST_LINK, _LONGEST_SHOWN = 500, 5_000, 200_000
"""Limits of what is inserted into a text from X: links that contain each other's short forms could make it endless."""
_OWN_MEDIA = re.compile(r"https?://(?:www\.)?(?:x|twitter)\.com/\w+/status/\d+/(?:photo|video)/\d+", re.IGNORECASE)
_LEADING_MENTIONS = re.compile(r"^(?:@\w+\s+)+")


def published(post_id: str, editable_until: datetime | None = None) -> Published:
    """Return the published post with its id and its address."""
    return Published(post_id, RULES.post_id.page(post_id), editable_until)


async def find(
    connection: TwitterConnection,
    context: TwitterContext,
    sent_at: datetime,
    since_id: str | None = None,
) -> Finding:
    """Look for the post among those newer than `since_id`, else those made since shortly before `sent_at`."""
    since = (sent_at - CLOCKS_APART).astimezone(UTC)
    query: dict[str, str | int] = {
        "max_results": PAGE,
        **({"since_id": since_id} if since_id else {"start_time": since.strftime("%Y-%m-%dT%H:%M:%SZ")}),
        "exclude": "retweets",
        "tweet.fields": FIELDS,
    }
    listed: list[MatchingPost] = []
    is_whole = is_cut = False
    for _ in range(MOST_PAGES):
        path = f"/2/users/{segment(connection.account.user_id)}/tweets"
        body = await call(connection, "GET", path, params=query, listed=ListAt(("data",)))
        posts = read_posts(body)
        for post in posts:
            require_same("X", post.get("author_id"), connection.account.user_id)
        likenesses = ((post, _likeness(post, context)) for post in posts)
        listed += (
            MatchingPost(published(str(post["id"])), _made_at(post) or sent_at, like)
            for post, like in likenesses
            if like
        )
        if is_cut := isinstance(posts, FirstItems):
            query["max_results"] = max(SMALLEST_PAGE, len(posts) // 2)
            continue
        if is_whole := not body["meta"].get("next_token"):
            break
        query["pagination_token"] = str(body["meta"]["next_token"])
    # X lists the newest first.
    return verdict(context, reversed(listed), is_whole=is_whole, is_cut=is_cut)


def _made_at(post: dict[str, Any]) -> datetime | None:
    try:
        return moment(post.get("created_at"))
    except ValueError:
        return None


def read_posts(timeline: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the posts of a timeline. Raises PlatformError if it is unreadable: it must not count as an empty one."""
    posts = timeline.get("data", [])
    if isinstance(posts, FirstItems) or (isinstance(posts, list) and isinstance(timeline.get("meta"), dict)):
        for post in posts:
            require_fields(post)
        return posts
    raise unreadable("X")


def require_fields(post: dict[str, Any]) -> None:
    """Raise PlatformError if X returned no requested field: it ignores names that it does not know.

    Fields that are missing for that reason, such as media, must not count as absent.
    """
    if "created_at" not in post:
        message = "X gave a post without the fields that were asked for."
        raise PlatformError(ErrorKind.TRANSIENT, message, code="fields_missing")


def _likeness(post: dict[str, Any], context: TwitterContext) -> Likeness:
    """Return how like ours a post is; its text may be ours while its media are not."""
    shown = set((post.get("attachments") or {}).get("media_keys") or [])
    ours = media_keys(context.handles) if context.draft.media else set()
    draft = context.draft
    if ours and ours <= shown:
        return Likeness.SAME
    answered = _answered(post)
    if bool(shown) is not bool(draft.media) or answered not in {None, draft.settings.reply_to_tweet_id}:
        return Likeness.OTHER
    if same_text(post, draft.text, draft.settings):
        return Likeness.RESEMBLES if ours else Likeness.SAME
    return min(likeness(_shown_text(post, draft.settings.quote_tweet_id), draft.text), Likeness.RESEMBLES)


def _answered(post: dict[str, Any]) -> str | None:
    """Return the id of the post that a post replies to; None if it is no reply or X does not say."""
    references = post.get("referenced_tweets") or post.get("referenced_posts") or []
    return next((str(reference.get("id")) for reference in references if reference.get("type") == "replied_to"), None)


def same_text(post: dict[str, Any], text: str, settings: TwitterSettings | None = None) -> bool:
    """Return whether a post read back from X has the text that was sent."""
    shown = _shown_text(post, settings.quote_tweet_id if settings else None)
    if is_too_long(shown, text, GROWTH_OF_TEXT):
        return False
    shown, sent = _comparable(shown), _comparable(text)
    if settings and settings.reply_to_tweet_id:
        # X puts the names of those who are replied to in front.
        shown, sent = _LEADING_MENTIONS.sub("", shown), _LEADING_MENTIONS.sub("", sent)
    return shown == sent


def _shown_text(post: dict[str, Any], quoted: str | None) -> str:
    """Return the text of a post as its author wrote it, as far as X shows it."""
    note = post.get("note_tweet") or post.get("note_post") or post
    text = html.unescape(str(note.get("text") or "")[:_LONGEST_SHOWN])
    for link in [*_links(note), *_links(post)][:_MOST_LINKS]:
        target = str(link.get("expanded_url") or "")[:_LONGEST_LINK]
        added = link.get("media_key") or _OWN_MEDIA.fullmatch(target) or (quoted and target.endswith(f"/{quoted}"))
        if link.get("url"):
            text = text.replace(link["url"], "" if added else target, _MOST_LINKS)[:_LONGEST_SHOWN]
    return text


def _links(shown: dict[str, Any]) -> list[dict[str, Any]]:
    return (shown.get("entities") or {}).get("urls") or []


def _comparable(text: str) -> str:
    """Return a text without what X changes: composed letters, white space, the notation of links."""
    text = nfc(text)
    for start, end in reversed(link_spans(text)):
        text = text[:start] + _plain_link(text[start:end]) + text[end:]
    return " ".join(text.split())


def _plain_link(link: str) -> str:
    """Return a link without what X may add or change: scheme, capitals of the host, a last slash."""
    host, slash, path = re.sub(r"^https?://", "", link, flags=re.IGNORECASE).partition("/")
    return (host.lower() + slash + path).rstrip("/")


async def edit(connection: TwitterConnection, known: Published, text: str, handles: Handles) -> Published:
    """Replace the text by one request, after asking X whether it still allows edits.

    The new version is a whole new post, so its media are named again. `handles` have their ids.
    """
    post = await _read(connection, known.platform_post_id)
    attachments, references = (
        post.get("attachments") or {},
        post.get("referenced_tweets") or post.get("referenced_posts") or [],
    )
    if attachments.get("poll_ids") or any(reference.get("type") == "quoted" for reference in references):
        message = "A tweet with a poll or a quote cannot be edited: its new version would lose them."
        raise PlatformError(ErrorKind.REJECTED, message, code="text_only")
    until = _check_controls(post.get("edit_controls") or {}) or known.editable_until
    media = _same_media(set(attachments.get("media_keys") or []), handles)
    body = {"text": text, **media, "edit_options": {"previous_post_id": _newest(post)}}
    answer = await call(connection, "POST", "/2/tweets", public=True, json=body)
    return published(require_object(answer, public=True)["id"], until)


async def confirm(connection: TwitterConnection, known: Published, text: str) -> Finding:
    """Find out whether a version newer than the known one has the new text.

    The timeline shows a post in its newest version. It is not documented that an old version, read by its id, names the
    newer ones.
    """
    known_id = known.platform_post_id
    body = await call(
        connection,
        "GET",
        f"/2/users/{segment(connection.account.user_id)}/tweets",
        params={"since_id": known_id, "max_results": PAGE, "exclude": "retweets", "tweet.fields": FIELDS},
    )
    posts = read_posts(body)
    newer = next((post for post in posts if known_id in _versions(post)), None)
    if newer is None:
        post = await _read(connection, known_id)
        newest = _newest(post)
        if newest == known_id:
            return Absent() if not body["meta"].get("next_token") else Unknown()
        newer = await _read(connection, newest) if post["id"] != newest else post
    return published(newer["id"], _moment(newer.get("edit_controls") or {})) if same_text(newer, text) else Unknown()


async def _read(connection: TwitterConnection, post_id: str) -> dict[str, Any]:
    post = require_object(
        await call(connection, "GET", f"/2/tweets/{segment(post_id)}", params={"tweet.fields": FIELDS})
    )
    require_fields(post)
    return post


def _same_media(shown: set[str], handles: Handles) -> dict[str, Any]:
    """Return the part of the body that names a post's media. Raises PlatformError if their ids are not known."""
    if shown != media_keys(handles) or not are_valid(handles):
        message = "The ids of the tweet's media are not known any more, so its new version would lose them."
        raise PlatformError(ErrorKind.REJECTED, message, code="edit_not_supported")
    return {"media": {"media_ids": media_ids(handles)}} if shown else {}


def _versions(post: dict[str, Any]) -> list[str]:
    # X's documentation shows the first name, its OpenAPI document the second.
    versions = post.get("edit_history_tweet_ids") or post.get("edit_history_post_ids") or []
    # The response to a new post has had an empty string in this list.
    return [version for version in versions if str(version).isdecimal()] or [post["id"]]


def _newest(post: dict[str, Any]) -> str:
    return max(_versions(post), key=int)


def _check_controls(controls: dict[str, Any]) -> datetime | None:
    """Return until when X allows edits, if it says so. Raises PlatformError if it allows none any more."""
    until = _moment(controls)
    if until is not None and until <= datetime.now(UTC):
        raise PlatformError(ErrorKind.REJECTED, "The time in which X allows edits is over.", code="edit_window_closed")
    if controls.get("edits_remaining") == 0:
        raise PlatformError(ErrorKind.REJECTED, "X allows no more edits of this post.", code="edit_limit_reached")
    if controls.get("is_edit_eligible") is False:
        raise PlatformError(ErrorKind.REJECTED, "X does not allow edits of this post.", code="edit_not_supported")
    return until


def _moment(controls: dict[str, Any]) -> datetime | None:
    try:
        return moment(controls["editable_until"])
    except (KeyError, ValueError):
        return None
