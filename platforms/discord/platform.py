"""Publishing to Discord as a bot, whose messages can be found again, or by a webhook, whose messages cannot."""

import hashlib
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from domain.post import Media, MediaType
from platforms.app_rules import AppRules, Bot
from platforms.base import ApiVersion, Draft, Finding, Identity, Platform, Published, Unknown
from platforms.capabilities import Choices, ListsChoices
from platforms.discord import errors, rules
from platforms.discord.access import LISTED, channel_path, get, home, list_channels, messages, request_headers, with_id
from platforms.discord.rules import (
    ALL_BYTES,
    MEBIBYTE,
    DiscordConnection,
    DiscordContext,
    DiscordCredentials,
    DiscordSettings,
    Poll,
)
from platforms.errors import ErrorKind, PlatformError, require_same
from platforms.files import MediaFile
from platforms.http.answers import FirstItems
from platforms.http.multipart import FilePart, MultipartForm, name_in, post_form
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values
from platforms.places import CODE, PlaceSetting, is_allowed, not_allowed
from platforms.steps.matching import CLOCKS_APART, Likeness, MatchingPost, likeness, verdict
from platforms.steps.write_only import confirm_from_marker, mark_sending

SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS = 1 << 2, 1 << 12

_ENDINGS = {"image/jpeg": "jpg", "video/quicktime": "mov"}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def message_body(draft: Draft[DiscordSettings], files: list[MediaFile]) -> dict[str, Any]:
    """Return the body that makes the message, without the fields that only bots or only webhooks have."""
    settings = draft.settings
    flags = SUPPRESS_EMBEDS * settings.suppress_embeds | SUPPRESS_NOTIFICATIONS * settings.silent
    fields: dict[str, Any] = {
        "content": draft.text,
        "embeds": [embed.model_dump(mode="json", exclude_none=True) for embed in settings.embeds],
        "poll": _poll(settings.poll) if settings.poll else None,
        "flags": flags,
        "tts": settings.tts,
        "attachments": [
            {"id": str(index), "filename": part.filename} | ({"description": item.alt_text} if item.alt_text else {})
            for index, (item, part) in enumerate(zip(draft.media, file_parts(draft, files), strict=True))
        ],
    }
    # Without this, every @everyone in a text would notify all members.
    mentions = {"allowed_mentions": {"parse": sorted(set(settings.allowed_mentions))}}
    return {name: value for name, value in fields.items() if value} | mentions


def _poll(poll: Poll) -> dict[str, Any]:
    return {
        "question": {"text": poll.question},
        "answers": [{"poll_media": {"text": option}} for option in poll.options],
        "duration": poll.duration_hours,
        "allow_multiselect": poll.multiple,
    }


def webhook_fields(settings: DiscordSettings) -> dict[str, Any]:
    """Return the additional fields that a webhook may set."""
    fields = {"username": settings.username, "avatar_url": settings.avatar_url, "thread_name": settings.thread_name}
    return {name: value for name, value in fields.items() if value}


def bot_fields(target_id: str) -> dict[str, Any]:
    """Return the nonce by which Discord recognises a repeat for some minutes and answers with the first message."""
    number, nonce = int.from_bytes(hashlib.sha256(target_id.encode()).digest()[:16]), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        nonce += _DIGITS[digit]
    return {"nonce": nonce, "enforce_nonce": True}


def file_parts(draft: Draft[DiscordSettings], files: list[MediaFile]) -> list[FilePart]:
    """Return the files as parts of the form. Raises PlatformError(rejected) if together they are too large."""
    if (size := sum(file.size for file in files)) > ALL_BYTES:
        message = f"Discord allows {ALL_BYTES // MEBIBYTE} MB of files in a post; these have {size / MEBIBYTE:,.1f} MB."
        raise PlatformError(ErrorKind.REJECTED, message, code="files_too_large")
    return [
        FilePart(f"files[{index}]", _filename(item, index, file), file)
        for index, (item, file) in enumerate(zip(draft.media, files, strict=True))
    ]


def _filename(item: Media, index: int, file: MediaFile) -> str:
    """Return the file name that readers see. A document keeps its own, because its ending says what opens it."""
    if item.type is MediaType.DOCUMENT and (name := name_in(item.url)):
        return name
    ending = _ENDINGS.get(file.content_type) or file.content_type.rpartition("/")[2]
    return f"{item.type}{index + 1}.{ending}"


async def _remove(connection: DiscordConnection, context: DiscordContext, published: Published) -> None:
    # A webhook deletes its own messages below its own address; a bot does so below the channel's.
    where = home(connection) if connection.credentials.webhook else channel_path(context.handles[CHANNEL])
    path = f"{where}/messages/{segment(published.platform_post_id)}"
    await connection.wire.send("DELETE", path, headers=request_headers(connection))


def _is_bot(connection: DiscordConnection) -> bool:
    return connection.credentials.webhook is None


def _keeps_nonce_to_itself(seen: SampleResult) -> bool | None:
    lists = [
        exchange
        for exchange in find_answers(seen, "/messages", method="GET")
        if isinstance(exchange.body, list) and exchange.body
    ]
    return not any(find_values(exchange.body, "nonce") for exchange in lists) if lists else None


LIVE = LiveCheck(
    samples=(
        SamplePost(
            "text",
            more_text=" · ünïcödé 🧪 \u2026",
            repeats=True,
            assumptions=(Assumption("no_nonce", "Lists of messages do not show nonces.", _keeps_nonce_to_itself),),
        ),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("poll", settings={"poll": {"question": "Is this a test?", "options": ["Yes", "No"]}}),
    ),
    remove=_remove,
    can_read=_is_bot,
    knows_repeats=_is_bot,
    by_hand=("Take Read Message History from the bot: does its channel then read as empty, with status 200?",),
)


PAGE, MOST_PAGES = 100, 5
"""Messages per page, the most Discord allows, and pages; a busier channel is not searched further."""
EPOCH_MILLISECONDS = 1_420_070_400_000
"""The epoch of Discord's ids in Unix milliseconds; source: its reference page on snowflakes."""
LONGEST_ID = 20
"""Most digits of a snowflake."""
REMOVED = "removed"
"""Set in the handles if the message was made and deleted before its response was seen."""
CHANNEL = "channelId"
"""The channel of the message in the handles; it may be a thread that was begun for the message."""
_NO_MESSAGES = {4: "a category", 15: "a forum", 16: "a media channel"}
"""Kinds of channels in which a bot's message needs a thread; a webhook can begin one."""


class Discord(Platform[DiscordSettings, DiscordCredentials], ListsChoices[DiscordCredentials]):
    """Discord's API v10, for a bot in one channel or for a webhook."""

    name = "discord"
    label = "Discord"
    base_url = "https://discord.com/api/v10"
    api = ApiVersion("v10")
    account_prefix = "dc"
    request_id_header = "cf-ray"
    sends_files = True
    # Short, because for some minutes Discord recognises a bot's repeat by its nonce.
    read_lag = timedelta(seconds=15)
    places = (
        PlaceSetting("channelId", "channel_id", str, looked_up=True),
        PlaceSetting("threadId", "thread_id", str, looked_up=True),
    )
    read_error = staticmethod(errors.read_error)
    quota_in = staticmethod(errors.quota_in)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = DiscordSettings
    credentials = DiscordCredentials
    service_fields = frozenset({"client_id", "replaced_by", "in_channel", "made_by"})
    app = AppRules(bot=Bot.OPTIONAL)
    listed = LISTED

    def prepares(self, draft: Draft[DiscordSettings]) -> bool:
        """Return False: files are sent with the message itself."""
        return False

    def shows_posts(self, credentials: DiscordCredentials, draft: Draft[DiscordSettings]) -> bool:
        """Return whether the account is a bot: a webhook's messages cannot be read."""
        return credentials.webhook is None

    async def choices(self, connection: DiscordConnection, name: str, within: str) -> Choices:
        """Return the channels of the bot's server in which it may publish."""
        return await list_channels(connection)

    async def whoami(self, connection: DiscordConnection) -> Identity:
        """Ask which channel or webhook this is. An account is a channel and not a bot, which may post in many."""
        place = await get(connection, home(connection))
        name = str(place.get("name") or "")
        if connection.credentials.webhook:
            await _save_channel(connection, str(place.get("channel_id") or ""))
            return Identity(connection.credentials.user_id, name)
        if kind := _NO_MESSAGES.get(int(place.get("type") or 0)):
            message = f"This channel is {kind}, where bots cannot publish messages. Connect another, or a webhook."
            raise PlatformError(ErrorKind.REJECTED, message, code="channel_type")
        return Identity(place["id"], name)

    async def publish(self, connection: DiscordConnection, context: DiscordContext) -> Published:
        """Make the message by one request, with its files."""
        await _check_channel(connection, context.draft.settings)
        draft, is_webhook = context.draft, connection.credentials.webhook is not None
        async with AsyncExitStack() as opened:
            files = [await opened.enter_async_context(context.media.open(item)) for item in draft.media]
            parts = file_parts(draft, files)
            own = webhook_fields(draft.settings) if is_webhook else bot_fields(context.target_id)
            if files and is_webhook:
                await opened.enter_async_context(mark_sending(context))
            path, query = _request_path(connection, draft.settings)
            body, headers = message_body(draft, files) | own, request_headers(connection)
            try:
                if parts:
                    form = MultipartForm({"payload_json": json.dumps(body)}, parts)
                    answer = await post_form(connection.wire, path, form, public=True, headers=headers, params=query)
                else:
                    answer = await connection.wire.send(
                        "POST", path, public=True, headers=headers, params=query, json=body
                    )
            except PlatformError as error:
                raise await _meant(context, error) from error
            message, hook = with_id(answer, public=True), connection.credentials.webhook
            require_same("Discord", message.get("nonce"), own.get("nonce"), public=True)
            require_same("Discord", message.get("webhook_id"), hook, public=True)
            if not hook:
                require_same("Discord", message.get("channel_id"), _channel(connection, draft.settings), public=True)
        # Not saved: a save that fails must not make a public message look unsent.
        context.handles[CHANNEL] = message.get("channel_id")
        return Published(message["id"], url=None)

    async def confirm_sent(self, connection: DiscordConnection, context: DiscordContext, sent_at: datetime) -> Finding:
        """Look for a bot's message in its channel; a webhook's messages cannot be read."""
        if connection.credentials.webhook:
            return await confirm_from_marker(context)
        if context.handles.get(REMOVED):
            return Unknown(final=True)
        return await _find(connection, context, sent_at)

    async def complete(self, connection: DiscordConnection, context: DiscordContext, published: Published) -> Published:
        """Find out in which server the message is, which is part of its address."""
        if published.url:
            return published
        try:
            place = await get(connection, home(connection))
        except PlatformError as error:
            if error.kind in {ErrorKind.AUTH, ErrorKind.REJECTED}:
                # Only the address is missing, which is not worth a warning.
                return published
            raise
        channel = context.handles.get(CHANNEL) or _channel(connection, context.draft.settings) or place["channel_id"]
        address = (
            f"https://discord.com/channels/{place.get('guild_id') or '@me'}/{channel}/{published.platform_post_id}"
        )
        return Published(published.platform_post_id, address, warning=published.warning)


async def _save_channel(connection: DiscordConnection, channel: str) -> None:
    """Store a webhook's channel: a reconnection makes another webhook, which must be in the same channel."""
    if channel and channel != connection.credentials.in_channel:
        connection.credentials = await connection.keep(lambda now: now.model_copy(update={"in_channel": channel}))


def _channel(connection: DiscordConnection, settings: DiscordSettings) -> str | None:
    """Return the channel of the message; None for a webhook, whose channel only Discord knows."""
    own = None if connection.credentials.webhook else connection.credentials.user_id
    return settings.thread_id or settings.channel_id or own


async def _check_channel(connection: DiscordConnection, settings: DiscordSettings) -> None:
    """Reject a channel of another server than the account's own, unless it is allowed. Raises PlatformError.

    A bot reaches the channels of every server that it is in; a webhook's threads belong to its own channel.
    """
    channel = _channel(connection, settings)
    if connection.credentials.webhook or channel is None or channel == connection.credentials.user_id:
        return
    name = "threadId" if settings.thread_id else "channelId"
    if is_allowed(connection.account.allowed, name, channel):
        return
    own = await get(connection, home(connection))
    try:
        chosen = await get(connection, channel_path(channel))
    except PlatformError as error:
        if error.kind is not ErrorKind.AUTH or error.status == httpx.codes.UNAUTHORIZED:
            raise
        # The post names this channel, so the account is not at fault.
        raise error.as_rejected() from error
    if chosen.get("guild_id") is None or chosen["guild_id"] != own.get("guild_id"):
        raise PlatformError(ErrorKind.REJECTED, not_allowed(connection.account.account_id, name, channel), code=CODE)


async def _meant(context: DiscordContext, error: PlatformError) -> PlatformError:
    """Return what a refusal of the message means, given what the post asks for."""
    settings = context.draft.settings
    if error.code == errors.UNKNOWN_MESSAGE:
        # A message with this nonce was made, and someone has deleted it since: it is not made a second time.
        context.handles[REMOVED] = True
        await context.save(context.handles)
        return error.as_unconfirmed()
    asks_for_more = settings.channel_id or settings.thread_id or settings.tts
    if asks_for_more and error.code in errors.OF_THE_PLACE:
        return error.as_rejected()
    return error


def _request_path(connection: DiscordConnection, settings: DiscordSettings) -> tuple[str, dict[str, str]]:
    """Return path and query of the request. A webhook responds with the message only if `wait` is set."""
    if connection.credentials.webhook is None:
        return f"{channel_path(_channel(connection, settings))}/messages", {}
    return home(connection), {"wait": "true"} | ({"thread_id": settings.thread_id} if settings.thread_id else {})


async def _find(connection: DiscordConnection, context: DiscordContext, sent_at: datetime) -> Finding:
    """Look for the message among the bot's own since shortly before `sent_at`."""
    bot = await get(connection, "/users/@me")
    channel = str(_channel(connection, context.draft.settings))
    newest = since = _snowflake(sent_at - CLOCKS_APART)
    listed, seen, is_whole, is_cut, size = list[MatchingPost](), 0, False, False, PAGE
    for _ in range(MOST_PAGES):
        page = await messages(connection, channel, str(newest), size)
        for message in page:
            require_same("Discord", message.get("channel_id"), channel)
        likenesses = ((str(message["id"]), _likeness(message, bot, context)) for message in page)
        listed += (MatchingPost(Published(name, None), _moment(int(name)), like) for name, like in likenesses if like)
        seen += len(page)
        if is_cut := isinstance(page, FirstItems):
            # Those that are missing are older than these, so they are asked for again.
            size = max(1, len(page) // 2)
            continue
        if is_whole := len(page) < size:
            break
        newest = max(int(message["id"]) for message in page)
    context.handles[CHANNEL] = channel
    hidden = not seen and await _has_newer(connection, channel, since)
    return verdict(context, listed, is_whole=is_whole and not hidden, is_cut=is_cut)


async def _has_newer(connection: DiscordConnection, channel: str, since: int) -> bool:
    """Return whether a channel has a newer message than `since`, although its list is empty.

    A bot that may not read a channel's history gets 200 and an empty list; source: Get Channel Messages.
    """
    last = str((await get(connection, channel_path(channel))).get("last_message_id") or "0")
    return last.isdecimal() and len(last) <= LONGEST_ID and int(last) > since


def _likeness(message: dict[str, Any], bot: dict[str, Any], context: DiscordContext) -> Likeness:
    """Return how like ours a message is; Discord may have rewritten the text of one that shows as many files."""
    nonce, draft = message.get("nonce"), context.draft
    if nonce is not None:
        return Likeness.SAME if nonce == bot_fields(context.target_id)["nonce"] else Likeness.OTHER
    if (message.get("author") or {}).get("id") != bot["id"] or not _has_same_question(message, draft):
        return Likeness.OTHER
    text = likeness(message.get("content"), draft.text)
    same_files = len(message.get("attachments") or []) == len(draft.media)
    if text is Likeness.SAME and same_files and _has_embeds(message, draft):
        return Likeness.SAME
    is_doubtful = same_files if draft.media else bool(draft.text.strip()) and text is not Likeness.OTHER
    return Likeness.RESEMBLES if is_doubtful else Likeness.OTHER


def _has_same_question(message: dict[str, Any], draft: Draft[DiscordSettings]) -> bool:
    asked = (message.get("poll") or {}).get("question") or {}
    return bool(asked.get("text") == (draft.settings.poll.question if draft.settings.poll else None))


def _has_embeds(message: dict[str, Any], draft: Draft[DiscordSettings]) -> bool:
    requested = [(embed.title, embed.description) for embed in draft.settings.embeds]
    shown = [(embed.get("title"), embed.get("description")) for embed in message.get("embeds") or []]
    # Previews of links are among them, and a message may hide them all.
    return draft.settings.suppress_embeds or all(embed in shown for embed in requested)


def _snowflake(moment: datetime) -> int:
    return (int(moment.astimezone(UTC).timestamp() * 1000) - EPOCH_MILLISECONDS) << 22


def _moment(snowflake: int) -> datetime:
    return moment((snowflake >> 22) + EPOCH_MILLISECONDS, per_second=1000)
