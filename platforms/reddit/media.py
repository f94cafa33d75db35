"""Uploads of images to Reddit's storage, and the request bodies that make a post of them."""

from typing import Any

import httpx

from domain.post import Media
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.http.multipart import FilePart, MultipartForm, post_form
from platforms.reddit.access import RedditConnection, RedditContext, call, user_agent
from platforms.reddit.rules import RedditPostType, choose_post_type, title_and_text

_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}

Handle = dict[str, Any]
"""One item's upload as it is stored: source (its URL), url (the storage's address) and assetId."""


async def upload(connection: RedditConnection, context: RedditContext) -> None:
    """Upload every item to Reddit's storage, each once. Raises PlatformError."""
    known: dict[str, Handle] = context.handles.setdefault("media", {})
    items = {str(index): item for index, item in enumerate(context.draft.media)}
    for name in known.keys() - items.keys():
        del known[name]
    for name, item in items.items():
        if known.get(name, {}).get("source") != item.url:
            known[name] = await _place(connection, context, item)
            await context.save(context.handles)
            context.heartbeat(f"{(int(name) + 1) * 100 // len(items)}%")


def uploads(context: RedditContext) -> list[Handle]:
    """Return the uploads, in the order of the draft."""
    known: dict[str, Handle] = context.handles["media"]
    return [known[name] for name in sorted(known, key=int)]


async def _place(connection: RedditConnection, context: RedditContext, item: Media) -> Handle:
    async with context.media.open(item) as file:
        ending = _ENDINGS.get(file.content_type)
        if ending is None:
            message = f"Reddit takes no {file.content_type}; it takes JPEG, PNG and GIF."
            raise PlatformError(ErrorKind.REJECTED, message, code="media_type")
        lease = await call(
            connection,
            "POST",
            "/api/media/asset.json",
            params={"raw_json": 1},
            data={"filepath": f"image.{ending}", "mimetype": file.content_type},
        )
        try:
            action, asset_id = str(lease["args"]["action"]), str(lease["asset"]["asset_id"])
            fields = {str(field["name"]): str(field["value"]) for field in lease["args"]["fields"]}
            key = fields["key"]
        except (KeyError, TypeError) as error:
            raise PlatformError(ErrorKind.TRANSIENT, "Reddit leased no storage.", code="unreadable_answer") from error
        # Reddit leaves the scheme out.
        address = f"https:{action}" if action.startswith("//") else action
        await _store(connection, address, fields, file, f"image.{ending}")
    return {"source": item.url, "url": f"{address}/{key}", "assetId": asset_id}


async def _store(
    connection: RedditConnection, address: str, fields: dict[str, str], file: MediaFile, name: str
) -> None:
    form = MultipartForm(fields, [FilePart("file", name, file)])
    try:
        agent = {"User-Agent": user_agent(connection)}
        answer = await post_form(connection.wire, address, form, headers=agent, accept={httpx.codes.BAD_REQUEST})
    except PlatformError as error:
        if error.status == 403:
            message = "Reddit's storage did not take the image any more."
            raise PlatformError(ErrorKind.TRANSIENT, message, code="upload_expired", status=403) from error
        raise
    if answer.is_error:
        # The storage has XML errors of its own. Anything else is a gateway's.
        is_own = b"<Error" in answer.content
        kind = ErrorKind.REJECTED if is_own else ErrorKind.TRANSIENT
        message = "Reddit's storage refused the image. It may be too large (20 MB)."
        raise PlatformError(kind, message, code="media_refused", status=answer.status_code)


def submit_fields(context: RedditContext) -> dict[str, str]:
    """Return the form that makes a post; source: github.com/praw-dev/praw, Subreddit.submit."""
    draft, (title, text) = context.draft, title_and_text(context.draft)
    settings, post_type = draft.settings, choose_post_type(draft)
    fields = {
        "api_type": "json",
        "extension": "json",
        "sr": settings.subreddit,
        "title": title,
        "kind": str(post_type),
        # Reddit refuses a link that the subreddit has already, so that a repeat makes no duplicate.
        "resubmit": "false",
        "sendreplies": _flag(settings.send_replies),
        "nsfw": _flag(settings.nsfw),
        "spoiler": _flag(settings.spoiler),
        "validate_on_submit": "true",
    }
    if settings.flair_id:
        fields["flair_id"] = settings.flair_id
    if post_type is RedditPostType.LINK and settings.url:
        fields["url"] = settings.url
    if post_type is RedditPostType.IMAGE:
        fields["url"] = uploads(context)[0]["url"]
    if text or post_type is RedditPostType.SELF:
        fields["text"] = text
    return fields


def gallery_body(context: RedditContext) -> dict[str, Any]:
    """Return the body that makes a gallery; source: github.com/praw-dev/praw, Subreddit.submit."""
    settings, (title, text) = context.draft.settings, title_and_text(context.draft)
    body: dict[str, Any] = {
        "api_type": "json",
        "show_error_list": True,
        "sr": settings.subreddit,
        "title": title,
        "items": [{"caption": "", "outbound_url": "", "media_id": item["assetId"]} for item in uploads(context)],
        "sendreplies": settings.send_replies,
        "nsfw": settings.nsfw,
        "spoiler": settings.spoiler,
        "validate_on_submit": True,
    }
    if settings.flair_id:
        body["flair_id"] = settings.flair_id
    if text:
        body["text"] = text
    return body


def _flag(value: bool) -> str:
    return "true" if value else "false"
