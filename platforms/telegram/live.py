"""The live check of Telegram, whose messages no bot can read back."""

from platforms.base import PublishContext, Published
from platforms.live import LiveCheck, SamplePost
from platforms.telegram.access import TelegramConnection, remove
from platforms.telegram.rules import TelegramSettings


async def _remove(connection: TelegramConnection, _: PublishContext[TelegramSettings], published: Published) -> None:
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
