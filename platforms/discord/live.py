"""The live check of Discord."""

from platforms.base import PublishContext, Published
from platforms.discord.connection import DiscordConnection, channel_path, home, request_headers
from platforms.discord.platform import CHANNEL
from platforms.discord.settings import DiscordSettings
from platforms.http.wire import segment
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values


async def _remove(
    connection: DiscordConnection, context: PublishContext[DiscordSettings], published: Published
) -> None:
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
