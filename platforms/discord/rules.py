"""Discord's limits, and which settings go with bots and which with webhooks."""

from domain.post import MediaType
from platforms.base import AccountFacts, Draft
from platforms.discord.settings import WEBHOOK, DiscordSettings
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.unicode import utf16_length

_MESSAGES = "discord.com/developers/docs/resources/message"
MEBIBYTE = 1024 * 1024
FILES, FILE_BYTES, ALL_BYTES = 10, 10 * MEBIBYTE, 25 * MEBIBYTE
"""Files of a message, bytes of one (more on boosted servers) and of the whole request; source: Discord's reference page
on uploading files."""
EMBED_CHARACTERS = 6000
"""Most characters of all embeds of a message together; source: the page on messages, embed limits."""


def _files(kind: MediaType, *types: str) -> FileRule:
    return FileRule(kind, types, max_bytes=FILE_BYTES, source="discord.com/developers/docs/reference#uploading-files")


RULES = Rules(
    post_id=PostId(
        r"[1-9][0-9]{0,19}",
        addresses=(
            (
                r"(?:(?:www|ptb|canary)\.)?discord(?:app)?\.com/channels/(?:[0-9]+|@me)/[0-9]+/([0-9]+)/?(?:\?.*)?",
                r"\1",
            ),
        ),
    ),
    # Whether Discord counts characters or UTF-16 units, which are more, is unverified.
    text=TextRule(limit=2000, count=utf16_length, source=f"{_MESSAGES}#create-message"),
    media=MediaRule(
        max_items=FILES,
        max_of=tuple((kind, FILES) for kind in MediaType),
        mixes=True,
        source=f"{_MESSAGES}#create-message",
    ),
    files=(
        _files(MediaType.IMAGE, "image/jpeg", "image/png", "image/webp", "image/gif"),
        _files(MediaType.VIDEO, "video/mp4", "video/quicktime", "video/webm"),
        _files(MediaType.GIF, "image/gif"),
        _files(MediaType.DOCUMENT, "application/pdf", "application/zip", "application/x-ole-storage"),
    ),
    alt_text=1024,
)

_OF_WEBHOOKS = {"username": "username", "avatar_url": "avatarUrl", "thread_name": "threadName"}


def check(label: str, draft: Draft[DiscordSettings], account: AccountFacts) -> list[Violation]:
    """Return everything Discord would reject; an unknown account may be a bot or a webhook."""
    settings = draft.settings
    violations = RULES.check(label, draft.text, draft.media)
    if not draft.text.strip() and not draft.media and not settings.embeds and not settings.poll:
        violations.append(Violation("content", f"{label} needs text, media, an embed or a poll"))
    if settings.poll and draft.media:
        # General knowledge, unverified.
        violations.append(setting("poll", f"{label} does not take a poll together with media"))
    if (length := sum(embed.characters() for embed in settings.embeds)) > EMBED_CHARACTERS:
        violations.append(
            setting("embeds", f"{label} allows {EMBED_CHARACTERS:,} characters in all embeds; these have {length:,}")
        )
    if settings.thread_id and settings.thread_name:
        violations.append(
            setting("threadName", f"{label} begins a thread or continues one; give threadId or threadName")
        )
    return violations + _check_account_kind(label, settings, account)


def _check_account_kind(label: str, settings: DiscordSettings, account: AccountFacts) -> list[Violation]:
    if not account.user_id:
        return []
    if account.user_id.startswith(WEBHOOK):
        error = f"{label} webhooks publish in their own channel; leave channelId out"
        return [setting("channelId", error)] if settings.channel_id else []
    return [
        setting(name, f"{label} takes {name} only from webhooks; this account is a bot")
        for field, name in _OF_WEBHOOKS.items()
        if getattr(settings, field)
    ]
