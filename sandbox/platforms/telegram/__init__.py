"""Telegram's Bot API: one call publishes, and only its answer has the id, because messages cannot be read back."""

from html.parser import HTMLParser
from typing import Any, ClassVar

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import MediaKind, own, route
from sandbox.fetching import Fetched, FetchError, Format, probe
from sandbox.platforms.telegram.base import FakeBot, bad, done, parameters
from sandbox.posts import ShownMedia
from sandbox.wire import Answer, Field, RefusedError, Request
from sandbox.world import World

_TAGS = {
    "a", "b", "blockquote", "code", "del", "em", "i", "ins", "pre", "s", "span", "strike", "strong", "tg-emoji",
    "tg-spoiler", "u",
}  # fmt: skip


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            raise bad(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset {self.getpos()[1]}')
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            raise bad(f"can't parse entities: Unexpected end tag at byte offset {self.getpos()[1]}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def finish(self) -> str:
        self.close()
        if self._open:
            raise bad(f"can't parse entities: Can't find end tag corresponding to start tag \"{self._open[-1]}\"")
        return "".join(self.text)


def shown(text: str, parse_mode: object) -> str:
    """Return the text that readers see; refuses markup that Telegram cannot read."""
    mode = str(parse_mode or "").lower()
    if mode not in {"", "html", "markdown", "markdownv2"}:
        raise bad("unsupported parse_mode")
    if mode != "html":
        return text
    reader = _Reader()
    reader.feed(text)
    return reader.finish()


def units(text: str) -> int:
    """Count UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


TEXT_LENGTH, CAPTION_LENGTH = 4096, 1024
ALBUM = range(2, 11)
MEGABYTE = 1024 * 1024
UPLOAD_BYTES = {
    "photo": 10 * MEGABYTE,
    "video": 50 * MEGABYTE,
    "animation": 50 * MEGABYTE,
    "document": 50 * MEGABYTE,
}
URL_BYTES = {"photo": 5 * MEGABYTE, "video": 20 * MEGABYTE, "animation": 20 * MEGABYTE, "document": 20 * MEGABYTE}
SIDES, RATIO = 10_000, 20
MESSAGES_PER_MINUTE = 20
"""Messages to one group or channel; source: Telegram's FAQ. Every item of an album counts."""

_KINDS: dict[str, MediaKind] = {
    "photo": "image",
    "video": "video",
    "animation": "gif",
    "document": "document",
}


class Telegram(FakeBot):
    """The fake Telegram, in place of https://api.telegram.org."""

    without_effect: ClassVar[frozenset[str]] = frozenset(
        {
            "user_id",
            "supports_streaming",
            "width",
            "height",
            "disable_notification",
            "protect_content",
            "message_thread_id",
            "link_preview_options",
            "has_spoiler",
            "show_caption_above_media",
            "parse_mode",
        }
    )
    platform: ClassVar[str] = "telegram"
    label: ClassVar[str] = "Telegram"
    colour: ClassVar[str] = "#229ed9"
    account_prefix: ClassVar[str] = "tg"
    conditions = {  # noqa: RUF012
        "album_floods": "Albums are refused as a whole, as Telegram does with a bot that sends too much.",
        "album_stops": "Of an album the first item is published, the second one refused.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # One count over all chats, because the sandbox finds a post by its number alone.
        self._last = max((post.detail["last_id"] for post in self.own_posts()), default=0)

    @route("POST", "/bot{token}/sendMessage", "publish")
    async def message(self, request: Request) -> Answer:
        """Publish a text."""
        account, values = self._checked(request, 1)
        text = shown(str(values.get("text") or ""), values.get("parse_mode"))
        if not text.strip():
            raise bad("message text is empty")
        if units(text) > TEXT_LENGTH:
            raise bad("message is too long")
        return done(self._publish(account, text, [], "message")[0])

    @route("POST", "/bot{token}/sendPhoto", "publish")
    @route("POST", "/bot{token}/sendVideo", "publish")
    @route("POST", "/bot{token}/sendAnimation", "publish")
    @route("POST", "/bot{token}/sendDocument", "publish")
    async def single(self, request: Request) -> Answer:
        """Publish a photo, a video, a GIF, or a file of any type."""
        kind = request.path.rpartition("/send")[2].lower()
        account, values = self._checked(request, 1)
        caption = _caption(values.get("caption"), values.get("parse_mode"))
        value = values.get(kind) or ""
        if not value:
            raise bad(f"there is no {kind} in the request")
        reference = f"attach://{kind}" if isinstance(value, bytes) else value
        return done(self._publish(account, caption, [await self._received(request, kind, reference, values)], kind)[0])

    @route("POST", "/bot{token}/sendMediaGroup", "publish")
    async def album(self, request: Request) -> Answer:
        """Publish 2 to 10 photos and videos, or as many documents, as messages that belong together."""
        values = parameters(request)
        items = _album_items(values.get("media"))
        account, _ = self._checked(request, len(items))
        caption = _caption(items[0].get("caption"), items[0].get("parse_mode"))
        for item in items[1:]:
            _caption(item.get("caption"), item.get("parse_mode"))
        media = [
            await self._received(request, str(item["type"]), str(item.get("media") or ""), values) for item in items
        ]
        if self.holds("album_floods", account):
            raise bad("Group send failed")
        if self.holds("album_stops", account):
            self._publish(account, caption, media[:1], "photo")
            raise bad('failed to send message #2 with the error message "Too Many Requests: retry after 8"')
        return done(self._publish(account, caption, media, "album"))

    @route("POST", "/bot{token}/deleteMessage", "delete")
    async def remove(self, request: Request) -> Answer:
        """Delete a message of the chat; of an album, the sandbox knows its first one."""
        account, values = self.account(request), parameters(request)
        self.own_chat(account, values.get("chat_id"))
        missing = bad("message to delete not found")
        self.world.posts.delete(own(self.visible_post(values.get("message_id")), account, missing))
        return done(True)

    def _checked(self, request: Request, messages: int) -> tuple[Account, dict[str, Any]]:
        account, values = self.account(request), parameters(request)
        self.own_chat(account, values.get("chat_id"))
        for _ in range(messages):
            self.admit(self.count(account, MESSAGES_PER_MINUTE, 60))
        return account, values

    async def _received(self, request: Request, kind: str, reference: str, values: dict[str, Field]) -> ShownMedia:
        if reference.startswith("attach://"):
            content = values.get(reference.removeprefix("attach://"))
            if not isinstance(content, bytes):
                raise bad("file must be non-empty")
            return self._checked_file(kind, Fetched(probe(content), content), UPLOAD_BYTES[kind])
        if not reference.startswith(("http://", "https://")):
            raise bad("wrong file identifier/HTTP URL specified")
        try:
            fetched = await self.fetched(request, reference)
        except FetchError as error:
            raise bad("failed to get HTTP URL content") from error
        return self._checked_file(kind, fetched, URL_BYTES[kind])

    def _checked_file(self, kind: str, file: Fetched, most: int) -> ShownMedia:
        if file.sample is None and file.content is not None:
            if len(file.content) > most:
                raise RefusedError(self.failure(413, "Request Entity Too Large"))
            if not file.content:
                raise bad("file must be non-empty")
            if kind != "document":
                _check_format(kind, file.format)
        return self.shown_file(_KINDS[kind], file)

    def _publish(self, account: Account, text: str, media: list[ShownMedia], kind: str) -> list[dict[str, Any]]:
        ids = [self._last + 1 + index for index in range(max(len(media), 1))]
        self._last = ids[-1]
        now = self.world.now()
        self.add_post(
            account,
            str(ids[0]),
            text,
            created_at=now,
            kind=kind,
            url=f"https://t.me/{account.username}/{ids[0]}",
            media=media,
            detail={"last_id": ids[-1]},
        )
        chat = self.chat(account)
        shared = {"sender_chat": chat, "chat": chat, "date": int(now)}
        if kind == "message":
            return [{"message_id": ids[0], **shared, "text": text}]
        group = {"media_group_id": str(ids[0] * 7919)} if len(ids) > 1 else {}
        return [
            {"message_id": number, **shared, **group, **({"caption": text} if text and number == ids[0] else {})}
            for number in ids
        ]


def _check_format(kind: str, file_format: Format | None) -> None:
    if file_format is None or file_format.is_image is not (kind == "photo" or file_format.content_type == "image/gif"):
        raise bad("IMAGE_PROCESS_FAILED" if kind == "photo" else "wrong type of the file")
    low, high = sorted((file_format.width, file_format.height))
    if kind == "photo" and (low + high > SIDES or high > low * RATIO):
        raise bad("PHOTO_INVALID_DIMENSIONS")


def _caption(value: object, parse_mode: object) -> str:
    caption = shown(str(value or ""), parse_mode)
    if units(caption) > CAPTION_LENGTH:
        raise bad("message caption is too long")
    return caption


def _album_items(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise bad("can't parse media JSON object") from error
    if not isinstance(value, list) or len(value) not in ALBUM:
        raise bad("wrong number of media; an album has 2 to 10")
    kinds = {item.get("type") for item in value if isinstance(item, dict)}
    if not all(isinstance(item, dict) for item in value) or not (kinds <= {"photo", "video"} or kinds == {"document"}):
        raise bad("Can't use the media of the specified type in the album")
    return value
