"""Publishing to Telegram: one call makes the message or album, and no bot can read back whether it did."""

from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

from platforms.app_rules import AppRules, Bot
from platforms.base import ApiVersion, Draft, Finding, Identity, Platform, Published
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.live import LiveCheck, SamplePost
from platforms.steps.write_only import confirm_from_marker, mark_sending
from platforms.telegram import errors, rules
from platforms.telegram.access import TelegramConnection, TelegramContext, ask, remove, send
from platforms.telegram.errors import ChatMovedError
from platforms.telegram.media import Call, build_call
from platforms.telegram.rules import TelegramCredentials, TelegramSettings


async def _remove(connection: TelegramConnection, _: TelegramContext, published: Published) -> None:
    await remove(connection, int(published.platform_post_id))


LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪"),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("video", files=("wide.mp4",)),
    ),
    remove=_remove,
    can_read=lambda _: False,
    by_hand=("How long does the answer to a video of 40 MB take?",),
)


class Telegram(Platform[TelegramSettings, TelegramCredentials]):
    """Telegram's Bot API, for a bot in one chat."""

    name = "telegram"
    label = "Telegram"
    base_url = "https://api.telegram.org"
    api = ApiVersion("Bot API")
    sends_files = True
    # Nothing can be read, so waiting for it helps nothing.
    read_lag = timedelta(0)
    account_prefix = "tg"
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = TelegramSettings
    credentials = TelegramCredentials
    service_fields = frozenset({"client_id"})
    app = AppRules(bot=Bot.WHOLE_APP)

    def prepares(self, draft: Draft[TelegramSettings]) -> bool:
        """Return False: files are sent with the message itself, because a bot cannot upload them before."""
        return False

    def shows_posts(self, credentials: TelegramCredentials, draft: Draft[TelegramSettings]) -> bool:
        """Return False: no bot can read messages back."""
        return False

    async def whoami(self, connection: TelegramConnection) -> Identity:
        """Ask which chat this is, and whether the bot may publish in it."""
        bot = await ask(connection, "getMe")
        chat = await ask(connection, "getChat", chat_id=connection.credentials.user_id)
        member = await ask(connection, "getChatMember", chat_id=chat["id"], user_id=bot["id"])
        if not _may_publish(chat, member):
            raise PlatformError(
                ErrorKind.AUTH,
                "The bot may not publish in this chat. Make it an administrator that may post.",
                code="rights",
            )
        return Identity(str(chat["id"]), str(chat.get("username") or chat.get("title") or chat.get("first_name") or ""))

    async def publish(self, connection: TelegramConnection, context: TelegramContext) -> Published:
        """Send the message or album with its files; if a group has moved, the next attempt sends to its new id."""
        async with AsyncExitStack() as opened:
            files = [await opened.enter_async_context(context.media.open(item)) for item in context.draft.media]
            if files:
                await opened.enter_async_context(mark_sending(context))
            return await _followed(connection, build_call(context.draft, _chat(connection), files))

    async def confirm_sent(
        self, connection: TelegramConnection, context: TelegramContext, sent_at: datetime
    ) -> Finding:
        """Return Unknown, because no bot can read messages back, unless our own marker says that nothing was sent."""
        return await confirm_from_marker(context)


async def _followed(connection: TelegramConnection, call: Call) -> Published:
    try:
        messages = await send(connection, call.method, call.fields, call.parts)
        number = (messages[0].get("chat") or {}).get("id")
        # A chat that has moved has two.
        if number is not None and str(number) not in {connection.account.user_id, _chat(connection)}:
            raise unreadable("Telegram", public=True)
        return _published(messages)
    except ChatMovedError as moved:
        chat = str(moved.chat_id)
        connection.credentials = await connection.keep(lambda now: now.model_copy(update={"user_id": chat}))
        # The next attempt sends there: attempts are counted, because this refusal may lie as well.
        again = timedelta(0)
        raise PlatformError(
            ErrorKind.TRANSIENT, moved.message, code=moved.code, status=moved.status, retry_after=again
        ) from moved


def _chat(connection: TelegramConnection) -> str:
    """Return the chat by its number if that is known, because a channel's name may change."""
    named = connection.credentials.user_id
    return connection.account.user_id if named.startswith("@") else named


def _published(messages: list[dict[str, Any]]) -> Published:
    """Return the published message; an album is named by its first message."""
    first = messages[0]
    chat, number = first.get("chat") or {}, str(first["message_id"])
    private = str(chat.get("id", "")).removeprefix("-100")
    if chat.get("username"):
        return Published(number, f"https://t.me/{chat['username']}/{number}")
    if chat.get("type") in {"supergroup", "channel"}:
        return Published(number, f"https://t.me/c/{private}/{number}")
    return Published(number, None)


def _may_publish(chat: dict[str, Any], member: dict[str, Any]) -> bool:
    status = member.get("status")
    if chat.get("type") == "channel":
        return status == "creator" or (status == "administrator" and member.get("can_post_messages") is True)
    return status in {"creator", "administrator", "member"} or (
        status == "restricted" and member.get("can_send_messages") is True
    )
