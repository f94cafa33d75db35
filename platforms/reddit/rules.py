"""Reddit's limits, and the form that a draft has there."""

from enum import StrEnum

from domain.post import MediaType
from platforms.base import AccountFacts, Draft
from platforms.post_ids import PostId
from platforms.reddit.settings import RedditSettings
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting

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
