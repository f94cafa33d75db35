"""The body of POST /rest/posts."""

from typing import Annotated, Any, Literal

import msgspec

Text = Annotated[str, msgspec.Meta(max_length=20_000)]


class _Strict(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A body that refuses unknown fields."""


class Item(_Strict, omit_defaults=True):
    """One medium of a post."""

    id: str
    title: str | None = None
    alt_text: str | None = None


class MultiImage(_Strict):
    """Several images."""

    images: Annotated[list[Item], msgspec.Meta(min_length=2, max_length=20)]


class Article(_Strict, omit_defaults=True):
    """A link as a card."""

    source: str
    title: str
    description: str | None = None
    thumbnail: str | None = None


class PollOption(_Strict):
    """One answer of a poll."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=30)]


class PollSettings(_Strict):
    """The duration of a poll."""

    duration: Literal["ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS"]


class Poll(_Strict):
    """A poll; all of it is general knowledge, unverified."""

    question: Annotated[str, msgspec.Meta(min_length=1, max_length=140)]
    options: Annotated[list[PollOption], msgspec.Meta(min_length=2, max_length=4)]
    settings: PollSettings


class Content(_Strict, omit_defaults=True):
    """The content below the text: exactly one of these."""

    media: Item | None = None
    multi_image: MultiImage | None = None
    article: Article | None = None
    poll: Poll | None = None


class Distribution(_Strict):
    """The audience and channels of a post."""

    feed_distribution: Literal["MAIN_FEED", "NONE"]
    target_entities: list[Any]
    third_party_distribution_channels: list[Any]


class NewPost(_Strict):
    """The whole body."""

    author: str
    commentary: Text
    visibility: Literal["PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"]
    distribution: Distribution
    lifecycle_state: Literal["PUBLISHED"]
    is_reshare_disabled_by_author: bool
    content: Content | None = None


class Message(_Strict):
    """The text of a comment."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1250)]


class NewComment(_Strict):
    """A comment."""

    actor: str
    object: str
    message: Message
