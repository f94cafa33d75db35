"""The body of POST /2/tweets: X's own schema, which allows no other field."""

import re
from typing import Annotated, Any, Literal

import msgspec

from sandbox.platforms.twitter.base import invalid
from sandbox.wire import MalformedBodyError, Request

PostId = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,19}$")]
ReplySettings = Literal["following", "mentionedUsers", "subscribers", "verified"]


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A body that refuses unknown fields."""


class Media(_Strict):
    """The attached media."""

    media_ids: Annotated[list[PostId], msgspec.Meta(min_length=1, max_length=4)]
    tagged_user_ids: Annotated[list[PostId], msgspec.Meta(max_length=10)] | None = None
    title: str | None = None
    description: str | None = None
    preview_media_id: PostId | None = None
    embeddable: bool | None = None
    call_to_actions: dict[str, Any] | None = None


class Poll(_Strict):
    """A poll."""

    options: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=25)]], msgspec.Meta(min_length=2, max_length=4)
    ]
    duration_minutes: Annotated[int, msgspec.Meta(ge=5, le=10_080)]
    reply_settings: ReplySettings | None = None


class Reply(_Strict):
    """The post that this one replies to."""

    in_reply_to_tweet_id: PostId
    exclude_reply_user_ids: list[str] | None = None
    auto_populate_reply_metadata: bool | None = None


class EditOptions(_Strict):
    """The earlier version that this one replaces."""

    previous_post_id: PostId


class Geo(_Strict):
    """The tagged place."""

    place_id: str | None = None


class CreatePost(_Strict):
    """The whole body."""

    text: str = ""
    media: Media | None = None
    poll: Poll | None = None
    reply: Reply | None = None
    quote_tweet_id: PostId | None = None
    edit_options: EditOptions | None = None
    reply_settings: ReplySettings | None = None
    for_super_followers_only: bool | None = None
    community_id: PostId | None = None
    share_with_followers: bool | None = None
    geo: Geo | None = None
    nullcast: bool | None = None
    made_with_ai: bool | None = None
    paid_partnership: bool | None = None
    card_uri: str | None = None
    direct_message_deep_link: str | None = None


_decode = msgspec.json.Decoder(CreatePost).decode
_UNKNOWN = re.compile(r"unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?")


def read_post(request: Request) -> CreatePost:
    """Read and check the body; refuses a body that does not fit the schema."""
    try:
        body = _decode(request.body)
    except msgspec.ValidationError as error:
        raise invalid(_worded(str(error))) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise invalid("The request body is not valid JSON.") from error
    if sum(part is not None for part in (body.media, body.poll, body.quote_tweet_id)) > 1:
        raise invalid("Media, polls and quoted posts exclude each other.")
    return body


def read_json(request: Request) -> dict[str, Any]:
    """Read a small JSON object; refuses anything else."""
    try:
        body = request.json()
    except MalformedBodyError as error:
        raise invalid("The request body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise invalid("The request body is not a JSON object.")
    return body


def _worded(message: str) -> str:
    match = _UNKNOWN.search(message)
    if match is None:
        return message
    field = f"{match[2]}.{match[1]}" if match[2] else match[1]
    return f"$.{field}: is not defined in the schema and the schema does not allow additional properties"
