"""Reddit's settings and limits, and the form that a draft has there."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from domain.post import MediaType
from platforms.access.oauth import OAuthCredentials
from platforms.base import AccountFacts, Draft
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.patterns import TextPattern, WebAddress

Subreddit = Annotated[
    str,
    TextPattern(
        r"^(?:/?r/)?(?:[A-Za-z0-9_]{2,21}|u_[A-Za-z0-9_-]{3,20})$",
        "must be a subreddit's name (2 to 21 letters, digits and underscores) or a profile's (u_ and the user's name)",
    ),
    AfterValidator(lambda name: name.rpartition("/")[2]),
]


class RedditSettings(ClientModel):
    """The subreddit and the form of a post on Reddit."""

    subreddit: Subreddit = Field(description="The subreddit, with or without r/.", examples=["test"])
    title: str | None = Field(
        None,
        min_length=1,
        max_length=300,
        description="Up to 300 characters. If left out, the first line of the text is the title.",
        examples=["We made a thing"],
    )
    url: WebAddress | None = Field(
        None,
        description="Publish this link; Reddit refuses one that the subreddit has already.",
        examples=["https://example.com/thing"],
    )
    force_self: bool = Field(
        default=False, description="Publish a text post whose last line is the `url`.", examples=[True]
    )
    flair_id: (
        Annotated[str, TextPattern(r"^[0-9a-fA-F-]{36}$", "must be a flair's id, 36 characters with dashes")] | None
    ) = Field(
        None, description="The subreddit's flair for the post.", examples=["3ab9a9b0-1c1c-11ec-8f2a-0e1c2a5d9c6f"]
    )
    nsfw: bool = Field(default=False, description="Mark the post as not safe for work.", examples=[True])
    spoiler: bool = Field(default=False, description="Mark the post as a spoiler.", examples=[True])
    send_replies: bool = Field(
        default=True, description="Have Reddit send the account a message for each comment.", examples=[False]
    )


class RedditCredentials(OAuthCredentials):
    """A user's token (a day) and what renews it, with the app's name; an installed app has no secret."""

    user_agent: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[\x20-\x7e]+$")] | None = None
    """The user agent that Reddit demands of each app: `platform:app id:version (by /u/name)`."""


GALLERY, TITLE = 20, 300
IMAGE_BYTES = 20 * 1024 * 1024
"""General knowledge, unverified; subreddits have additional rules of their own."""

RULES = Rules(
    post_id=PostId(
        r"t3_[0-9a-z]{1,16}",
        "a name such as t3_1abcde",
        addresses=(
            (
                r"(?:[a-z]+\.)?reddit\.com/(?:(?:r|user|u)/[^/]+/)?(?:comments|gallery)/([0-9a-z]+)(?:[/?].*)?",
                r"t3_\1",
            ),
            (r"redd\.it/([0-9a-z]+)(?:[/?].*)?", r"t3_\1"),
        ),
        without_id=(r"(?:[a-z]+\.)?reddit\.com/(?:r|user|u)/[^/]+/s/.+", r"reddit\.app\.link/.+"),
        pages=((r"t3_(.+)", r"https://www.reddit.com/comments/\1/"),),
    ),
    text=TextRule(limit=40_000, count=len, source="github.com/praw-dev/praw and Reddit's own form; unverified"),
    media=MediaRule(
        max_items=GALLERY,
        max_of=((MediaType.IMAGE, GALLERY), (MediaType.GIF, 1)),
        source="github.com/praw-dev/praw, submit of a gallery",
    ),
    files=(
        FileRule(MediaType.IMAGE, ("image/jpeg", "image/png"), max_bytes=IMAGE_BYTES, source="unverified"),
        FileRule(MediaType.GIF, ("image/gif",), max_bytes=IMAGE_BYTES, source="unverified"),
    ),
)


class RedditPostType(StrEnum):
    """The form that a post has on Reddit, under Reddit's own name if there is one."""

    SELF = "self"
    LINK = "link"
    IMAGE = "image"
    GALLERY = "gallery"


def choose_post_type(draft: Draft[RedditSettings]) -> RedditPostType:
    """Return the form of the draft: its media decide, then its link."""
    if draft.media:
        return RedditPostType.IMAGE if len(draft.media) == 1 else RedditPostType.GALLERY
    return RedditPostType.LINK if draft.settings.url and not draft.settings.force_self else RedditPostType.SELF


def title_and_text(draft: Draft[RedditSettings]) -> tuple[str, str]:
    """Return title and text; if the settings have no title, it is the text's first line."""
    settings, title, text = draft.settings, draft.settings.title, draft.text
    if title is None:
        title, _, text = text.strip().partition("\n")
    if settings.force_self and settings.url:
        text = f"{text.strip()}\n\n{settings.url}"
    return title.strip(), text.strip()


def check(label: str, draft: Draft[RedditSettings], _: AccountFacts) -> list[Violation]:
    """Return everything Reddit would reject; the rules of the subreddit are not known here."""
    settings, title = draft.settings, title_and_text(draft)[0]
    violations = RULES.check(label, draft.text, draft.media)
    if not title and settings.title is None:
        error = f"{label} needs a title: a text, whose first line is it, or the setting title"
        violations.append(Violation("content", error))
    if not title and settings.title is not None:
        violations.append(setting("title", f"{label} needs a title that is not blank"))
    if settings.title is None and len(title) > TITLE:
        error = f"{label} allows {TITLE} characters in a title, which the text's first line is; this has {len(title):,}"
        violations.append(Violation("content", error))
    if draft.media and settings.url:
        violations.append(setting("url", f"{label} does not take a link together with media"))
    if draft.media and settings.force_self:
        violations.append(setting("forceSelf", f"{label} text posts do not take media"))
    return violations
