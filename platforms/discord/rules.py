"""Discord's settings and credentials, its limits, and which settings go with bots and which with webhooks."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, StringConstraints, model_validator

from domain.post import MediaType
from platforms.base import AccountFacts, Connection, Draft, PublishContext
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.patterns import TextPattern, WebAddress
from platforms.texts.unicode import utf16_length

Snowflake = Annotated[str, TextPattern(r"^[1-9][0-9]{0,19}$", "must be an id of Discord, digits alone")]

PollOption = Annotated[str, StringConstraints(min_length=1, max_length=55)]

WEBHOOK = "webhook-"
"""The prefix of a webhook's user id in this service: every part of it must see what kind an account is."""

_WEBHOOK_URL = re.compile(r"^https?://[^/?#]+/(?:[\w.-]+/)*webhooks/([0-9]+)/([\w-]+)/?$", re.ASCII)


def _not_reserved(name: str) -> str:
    if re.search("discord|clyde", name, re.IGNORECASE):
        raise ValueError("Discord allows neither discord nor clyde in a webhook's name")
    return name


WebhookName = Annotated[str, StringConstraints(min_length=1, max_length=80), AfterValidator(_not_reserved)]
"""That the two words are refused is general knowledge, unverified."""


class EmbedAuthor(ClientModel):
    """The author of an embed."""

    name: str = Field(max_length=256, description="The author's name.", examples=["Ada"])
    url: WebAddress | None = Field(
        None, description="The address that the name links to.", examples=["https://example.com/ada"]
    )
    icon_url: WebAddress | None = Field(
        None, description="A small picture.", examples=["https://cdn.example.com/ada.png"]
    )


class EmbedFooter(ClientModel):
    """The last line of an embed."""

    text: str = Field(max_length=2048, description="The footer's text.", examples=["Issue 12"])
    icon_url: WebAddress | None = Field(
        None, description="A small picture.", examples=["https://cdn.example.com/12.png"]
    )


class EmbedPicture(ClientModel):
    """A picture in an embed."""

    url: WebAddress = Field(description="The picture's address.", examples=["https://cdn.example.com/1.png"])


class EmbedField(ClientModel):
    """One field of an embed."""

    name: str = Field(min_length=1, max_length=256, description="Its title.", examples=["When"])
    value: str = Field(min_length=1, max_length=1024, description="Its text.", examples=["Tonight"])
    inline: bool | None = Field(None, description="Let fields stand side by side.", examples=[True])


class Embed(ClientModel):
    """An embed. The limits are those of RichEmbed in Discord's API document."""

    title: str | None = Field(None, max_length=256, description="The title.", examples=["Release 2.0"])
    description: str | None = Field(None, max_length=4096, description="The text.", examples=["What is new"])
    url: WebAddress | None = Field(
        None, description="The address that the title links to.", examples=["https://example.com/2.0"]
    )
    color: int | None = Field(None, ge=0, le=0xFFFFFF, description="The colour as a number.", examples=[5793266])
    timestamp: datetime | None = Field(None, description="A time to show.", examples=["2026-01-20T09:00:00Z"])
    author: EmbedAuthor | None = Field(None, description="Whom it is by.")
    footer: EmbedFooter | None = Field(None, description="The last line.")
    image: EmbedPicture | None = Field(None, description="A large picture.")
    thumbnail: EmbedPicture | None = Field(None, description="A small picture.")
    fields: list[EmbedField] = Field(default_factory=list, max_length=25, description="Up to 25 fields.")

    @model_validator(mode="after")
    def _shows_something(self) -> Self:
        if not any(value for name, value in self if name not in {"url", "color"}):
            raise ValueError("must have something to show, such as a title or a description")
        return self

    def characters(self) -> int:
        """Return the number of characters that Discord adds up over all embeds of a message."""
        texts = [self.title, self.description, self.author and self.author.name, self.footer and self.footer.text]
        texts += [text for field in self.fields for text in (field.name, field.value)]
        return sum(len(text) for text in texts if text)


class Poll(ClientModel):
    """A poll. The limits are those of PollCreateRequest in Discord's API document."""

    question: str = Field(min_length=1, max_length=300, description="The question.", examples=["Tea or coffee?"])
    options: list[PollOption] = Field(
        min_length=1, max_length=10, description="1 to 10 answers of up to 55 characters.", examples=[["Tea", "Coffee"]]
    )
    duration_hours: int = Field(24, ge=1, le=768, description="How long it stays open, in hours.", examples=[24])
    multiple: bool = Field(default=False, description="Readers may choose several answers.", examples=[False])


class DiscordSettings(ClientModel):
    """Settings of a post on Discord."""

    embeds: list[Embed] = Field(default_factory=list, max_length=10, description="Up to 10 embeds.")
    poll: Poll | None = Field(None, description="A poll; not together with media.")
    suppress_embeds: bool = Field(default=False, description="Show no previews of links.", examples=[True])
    silent: bool = Field(default=False, description="Send no notification.", examples=[True])
    tts: bool = Field(default=False, description="Have the text read aloud.", examples=[True])
    allowed_mentions: list[Literal["users", "roles", "everyone"]] = Field(
        default_factory=list,
        description="Whom mentions in the text notify; no one if left out.",
        examples=[["users"]],
    )
    channel_id: Snowflake | None = Field(
        None,
        description="Another channel of the same server, or one that is allowed for the account; bots only.",
        examples=["334385199974967042"],
    )
    thread_id: Snowflake | None = Field(
        None, description="Publish in this thread of the channel.", examples=["334385199974967043"]
    )
    thread_name: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Begin a thread of this name, which forum channels need; webhooks only.",
        examples=["Release 2.0"],
    )
    username: WebhookName | None = Field(
        None, description="The name to publish under; webhooks only.", examples=["Release bot"]
    )
    avatar_url: WebAddress | None = Field(
        None, description="The picture to publish under; webhooks only.", examples=["https://cdn.example.com/bot.png"]
    )


class DiscordCredentials(ClientModel):
    """A bot's token and its channel, or a webhook: `{"botToken", "channelId"}` or `{"webhookUrl"}`.

    `accessToken` and `userId` are other names for a bot's two. A webhook is stored as its token and its number.
    """

    access_token: SecretStr = Field(validation_alias=AliasChoices("botToken", "accessToken"))
    user_id: str = Field(
        validation_alias=AliasChoices("channelId", "userId"), pattern=rf"^({WEBHOOK})?[1-9][0-9]{{0,19}}$"
    )
    client_id: str | None = Field(None, description="The app whose bot is used.")
    replaced_by: str | None = Field(None, description="The webhook in use, if it is no longer the account's first.")
    in_channel: str | None = Field(None, description="The channel of a webhook.")
    made_by: str | None = Field(None, description="The app by whose authorization a webhook was made.")

    @model_validator(mode="before")
    @classmethod
    def _take_webhook_apart(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "webhookUrl" not in data:
            return data
        if len(data) > 1:
            raise ValueError("give either botToken and channelId, or webhookUrl alone")
        match = _WEBHOOK_URL.match(str(data["webhookUrl"]))
        if match is None:
            raise ValueError("webhookUrl is no address of a Discord webhook")
        return {"accessToken": match[2], "userId": f"{WEBHOOK}{match[1]}"}

    @property
    def webhook(self) -> str | None:
        """Return a webhook's number; None for a bot."""
        if not self.user_id.startswith(WEBHOOK):
            return None
        return self.replaced_by or self.user_id.removeprefix(WEBHOOK)


DiscordConnection = Connection[DiscordCredentials]
DiscordContext = PublishContext[DiscordSettings]


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
