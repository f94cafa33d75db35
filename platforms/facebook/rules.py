"""The settings, credentials and limits of a Facebook Page, and which settings go with which form of post."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Connection, Draft, PublishContext
from platforms.client_model import ClientModel
from platforms.files import MediaFile
from platforms.meta.graph import MetaCredentials
from platforms.post_ids import PostId
from platforms.rules import CAUTION, FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.steps.follow_up import check_languages
from platforms.texts.patterns import Digits, TextPattern, WebAddress

TITLE = 255
"""Characters of a video's title; unverified, Facebook only names the error for one that is too long."""
COMMENT = 8000
"""Characters of a comment; unverified."""
MOST_CAPTIONS = 20
"""Files of captions; our choice, Meta's reference names no number."""
Locale = Annotated[str, TextPattern(r"^[a-z]{2,3}[_-][A-Z]{2}$", "must name language and region, such as en_US")]


class VideoCaption(ClientModel):
    """The captions of a video on Facebook in one language."""

    language: Locale = Field(description="The language of the captions with its region.", examples=["en_US"])
    url: WebAddress = Field(
        description="The address of a SubRip file of up to 1 MB.", examples=["https://cdn.example.com/waves.srt"]
    )


class FacebookSettings(ClientModel):
    """Settings of a post on a Facebook Page."""

    draft: bool = Field(
        default=False,
        description="Keep the post as a draft in Meta Business Suite, where a person publishes it.",
        examples=[True],
    )
    content_type: Literal["story", "reel"] | None = Field(
        None,
        description="`story` publishes one image or video for 24 hours, without the text; `reel` makes a video a reel. "
        "A video of 9:16 and 3 to 90 seconds becomes a reel in any case.",
        examples=["reel"],
    )
    title: str | None = Field(
        None, min_length=1, max_length=TITLE, description="The title of a reel or video.", examples=["Waves at dawn"]
    )
    first_comment: str | None = Field(
        None,
        min_length=1,
        max_length=COMMENT,
        description="A comment that the Page adds right after publishing.",
        examples=["Which one is your favourite?"],
    )
    captions: list[VideoCaption] = Field(
        default_factory=list,
        max_length=MOST_CAPTIONS,
        description="Captions of a reel or video, one file for each language. They are added once it is public; "
        "Facebook's refusal of one is a warning.",
        examples=[[{"language": "en_US", "url": "https://cdn.example.com/waves.srt"}]],
    )
    link: WebAddress | None = Field(
        None,
        description="An address that a post without media shows as a preview.",
        examples=["https://example.com/article"],
    )
    page_id: Digits | None = Field(
        None,
        description="The Page to publish to. Each connected account is one Page, so it can only name that one.",
        examples=["1755847768034402"],
    )


class FacebookCredentials(MetaCredentials):
    """A Page's access token; one that was made from a long-lived user token does not expire."""


FacebookConnection = Connection[FacebookCredentials]
FacebookContext = PublishContext[FacebookSettings]


TEXT = 63_206
"""Characters; general knowledge, unverified: Meta's reference does not name it."""
PHOTOS = 10
"""Photos of one post; Meta's reference names no number, working publishers limit it to ten."""
PHOTO_BYTES = 4 * 1024 * 1024
"""The size that Meta's reference of the photos edge recommends; larger ones are refused with subcode 1366046."""
GIF_BYTES = 10 * 1024 * 1024
"""The limit on Meta's page on stories for all pictures; larger GIFs cannot be made smaller."""
VIDEO_BYTES = 4 * 2**30
"""The limit of this service; Meta's own for a Page's videos (10 GB, 240 minutes) is unverified."""
ALT_TEXT = 1000
"""Characters; unverified, Meta's reference names none."""

_STORIES_PAGE = "developers.facebook.com/docs/page-stories-api"
_PHOTOS_PAGE = "developers.facebook.com/docs/graph-api/reference/page/photos"

_HOST = r"(?:[a-z0-9-]+\.)?facebook\.com"
"""Any of Facebook's hosts of pages: of languages, of phones."""

RULES = Rules(
    post_id=PostId(
        r"[0-9]{1,32}(_[0-9]{1,32})?",
        "one or two numbers, such as 1234_5678",
        addresses=(
            (rf"{_HOST}/([0-9]+_[0-9]+)(?:[/?].*)?", r"\1"),
            (rf"{_HOST}/([0-9]+)/posts/(?:[^/]+/)?([0-9]+)(?:[/?].*)?", r"\1_\2"),
            (rf"{_HOST}/[^/]+/posts/(?:[^/]+/)?([0-9]+)(?:[/?].*)?", r"{user}_\1"),
            (rf"{_HOST}/(?:permalink|story)\.php\?(?:.*&)?story_fbid=([0-9]+)&(?:.*&)?id=([0-9]+)(?:&.*)?", r"\2_\1"),
            (rf"{_HOST}/(?:permalink|story)\.php\?(?:.*&)?id=([0-9]+)&(?:.*&)?story_fbid=([0-9]+)(?:&.*)?", r"\1_\2"),
            (rf"{_HOST}/(?:reel|[^/]+/videos(?:/[^/]+)?)/([0-9]+)(?:[/?].*)?", r"\1"),
            (rf"{_HOST}/watch/?(?:live/?)?\?(?:.*&)?v=([0-9]+)(?:&.*)?", r"\1"),
        ),
        without_id=(rf"{_HOST}/share/.+", r"(?:fb\.watch|fb\.me|l\.facebook\.com)/.+"),
        pages=((r".+", r"https://www.facebook.com/\g<0>"),),
    ),
    text=TextRule(limit=TEXT, count=len, source="general knowledge, unverified"),
    media=MediaRule(
        max_items=PHOTOS,
        max_of=((MediaType.IMAGE, PHOTOS), (MediaType.GIF, PHOTOS), (MediaType.VIDEO, 1)),
        source=_PHOTOS_PAGE,
    ),
    files=(
        FileRule(
            MediaType.IMAGE, ("image/jpeg", "image/png"), max_bytes=PHOTO_BYTES, shrinks=True, source=_PHOTOS_PAGE
        ),
        FileRule(MediaType.GIF, ("image/gif",), max_bytes=GIF_BYTES, source=_STORIES_PAGE),
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime"),
            max_bytes=VIDEO_BYTES,
            max_seconds=240 * 60,
            source="general knowledge, unverified",
        ),
    ),
    alt_text=ALT_TEXT,
)


_REELS_PAGE = "developers.facebook.com/docs/video-api/guides/reels-publishing, July 30, 2026"
_VIDEO_TYPES = ("video/mp4", "video/quicktime")
_SECONDS, _WIDTH, _HEIGHT, _RATIO = (3, 90), 540, 960, (0.55, 0.58)
"""The length of a reel, its least sides, and its shape: 9:16; a little more or less is left to Facebook."""
REEL = FileRule(
    MediaType.VIDEO,
    _VIDEO_TYPES,
    max_bytes=VIDEO_BYTES,
    min_seconds=_SECONDS[0],
    max_seconds=_SECONDS[1],
    min_width=_WIDTH,
    min_height=_HEIGHT,
    min_ratio=_RATIO[0],
    max_ratio=_RATIO[1],
    source=_REELS_PAGE,
)
REELS_PER_DAY = RateLimit(30, timedelta(days=1), source=_REELS_PAGE)
VIDEO_STORY = FileRule(MediaType.VIDEO, _VIDEO_TYPES, max_bytes=VIDEO_BYTES, max_seconds=60, source=_REELS_PAGE)


CAPTIONS = FileRule(
    MediaType.DOCUMENT,
    ("application/x-subrip",),
    max_bytes=2**20,
    source="developers.facebook.com/docs/graph-api/reference/video/captions; the size is our choice",
)


class FacebookPostType(StrEnum):
    """The form that a post has on the Page."""

    TEXT = "text"
    PHOTOS = "photos"
    VIDEO = "video"
    REEL = "reel"
    PHOTO_STORY = "photo_story"
    VIDEO_STORY = "video_story"

    @property
    def is_story(self) -> bool:
        """Return whether it disappears after a day and shows no text."""
        return self in {FacebookPostType.PHOTO_STORY, FacebookPostType.VIDEO_STORY}

    @property
    def is_video(self) -> bool:
        """Return whether it needs a video upload."""
        return self in {FacebookPostType.VIDEO, FacebookPostType.REEL, FacebookPostType.VIDEO_STORY}


def choose_post_type(draft: Draft[FacebookSettings]) -> FacebookPostType:
    """Return the form of the draft: its settings say story or reel, else its media decide."""
    if not draft.media:
        return FacebookPostType.TEXT
    video = draft.media[0].type is MediaType.VIDEO
    match draft.settings.content_type:
        case "story":
            return FacebookPostType.VIDEO_STORY if video else FacebookPostType.PHOTO_STORY
        case "reel":
            return FacebookPostType.REEL
    return FacebookPostType.VIDEO if video else FacebookPostType.PHOTOS


def choose_video_type(draft: Draft[FacebookSettings], file: MediaFile) -> FacebookPostType:
    """Return the form in which a video is sent: one that fits a reel is a reel.

    Facebook takes an upright video of the other form as a draft (gitroomhq/postiz-app PR#1740).
    """
    post_type = choose_post_type(draft)
    if post_type is not FacebookPostType.VIDEO or not (file.seconds and file.width and file.height):
        return post_type
    fits = (
        _SECONDS[0] <= file.seconds <= _SECONDS[1]
        and file.width >= _WIDTH
        and file.height >= _HEIGHT
        and _RATIO[0] <= file.width / file.height <= _RATIO[1]
    )
    return FacebookPostType.REEL if fits else post_type


def file_rules(draft: Draft[FacebookSettings]) -> tuple[FileRule, ...]:
    """Return the rules for the files of this form of post."""
    match choose_post_type(draft):
        case FacebookPostType.REEL:
            return (REEL,)
        case FacebookPostType.VIDEO_STORY:
            return (VIDEO_STORY,)
    return RULES.files


def cautions(label: str, draft: Draft[FacebookSettings]) -> list[Violation]:
    """Return warnings about what Facebook may show in another form."""
    moving = any(item.type is MediaType.GIF for item in draft.media)
    warning = f"{label} shows a GIF as a still picture on most Pages; send a video if it should move"
    return [Violation("mediaItems", warning, CAUTION)] if moving else []


def check(label: str, draft: Draft[FacebookSettings], account: AccountFacts) -> list[Violation]:
    """Return everything Facebook would reject; a story's text is never sent, so it is not checked."""
    settings = draft.settings
    text = "" if settings.content_type == "story" else draft.text
    violations = RULES.check(label, text, draft.media)
    if not draft.media and not text.strip() and not settings.link and settings.content_type is None:
        violations.append(Violation("content", f"{label} needs text, a link or media"))
    kinds = [item.type for item in draft.media]
    if settings.content_type == "reel" and kinds != [MediaType.VIDEO]:
        violations.append(Violation("mediaItems", f"{label} makes a reel of exactly 1 video"))
    if settings.content_type == "story" and len(kinds) != 1:
        violations.append(
            Violation("mediaItems", f"{label} stories take exactly 1 image or video; this has {len(kinds)}")
        )
    return violations + _check_settings(label, draft, account)


def _check_settings(label: str, draft: Draft[FacebookSettings], account: AccountFacts) -> list[Violation]:
    settings, violations = draft.settings, []
    if settings.page_id and account.user_id and settings.page_id != account.user_id:
        violations.append(
            setting("pageId", f"This {label} account is the Page {account.user_id}; connect the other Page")
        )
    if settings.link and draft.media:
        violations.append(setting("link", f"{label} takes a link only in a post without media"))
    is_video = [item.type for item in draft.media] == [MediaType.VIDEO]
    if settings.title and not (is_video and settings.content_type != "story"):
        violations.append(setting("title", f"{label} takes a title only with a reel or video"))
    if settings.captions and not (is_video and settings.content_type != "story"):
        violations.append(setting("captions", f"{label} takes captions only with a reel or video"))
    elif settings.captions and settings.draft:
        violations.append(setting("captions", f"{label} gets captions here only for what is public, not for a draft"))
    violations += check_languages(label, (caption.language.replace("_", "-") for caption in settings.captions))
    if settings.content_type == "story":
        violations += [
            setting(name, f"{label} stories do not take {name}")
            for name, value in (("firstComment", settings.first_comment), ("draft", settings.draft))
            if value
        ]
    elif settings.draft and settings.first_comment:
        violations.append(
            setting("firstComment", f"{label} takes a first comment only on what is public, not on a draft")
        )
    return violations
