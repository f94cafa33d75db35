"""The models of platformSpecificData and of credentials for Telegram."""

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr

from platforms.client_model import ClientModel


class TelegramSettings(ClientModel):
    """Settings of a post on Telegram."""

    parse_mode: Literal["HTML", "MarkdownV2", "Markdown"] | None = Field(
        None,
        description="Read the text as Telegram's HTML or Markdown; left out, it is published letter by letter.",
        examples=["HTML"],
    )
    disable_web_page_preview: bool = Field(
        default=False, description="Show no preview of the first link; text posts only.", examples=[True]
    )
    disable_notification: bool = Field(
        default=False, description="Deliver without a sound; also accepted as `disable_notification`.", examples=[True]
    )
    protect_content: bool = Field(default=False, description="Forbid forwarding and saving.", examples=[True])
    has_spoiler: bool = Field(
        default=False, description="Cover the media until the reader taps on them; with media only.", examples=[True]
    )
    show_caption_above_media: bool = Field(
        default=False, description="Put the text above the media; with media only.", examples=[True]
    )
    message_thread_id: int | None = Field(
        None, ge=1, description="The topic of a forum group to publish in.", examples=[12]
    )


class TelegramCredentials(ClientModel):
    """A bot's token and the chat in which it publishes: `{"botToken": "…", "chatId": "@channel" or "-100…"}`.

    `accessToken` and `userId` are other names for them.
    """

    access_token: SecretStr = Field(validation_alias=AliasChoices("botToken", "accessToken"))
    user_id: str = Field(validation_alias=AliasChoices("chatId", "userId"), pattern=r"^(-?\d{1,20}|@[A-Za-z]\w{3,31})$")
    client_id: str | None = Field(None, description="The app whose bot is used.")
