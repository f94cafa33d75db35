"""YouTube's settings and limits: one video, its title, description and tags."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.post import MediaType
from platforms.access.oauth import OAuthCredentials
from platforms.base import AccountFacts, Draft
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.steps.follow_up import check_languages
from platforms.texts.patterns import Digits, Language, TextPattern, WebAddress

COMMENT = 10_000
"""Characters of a comment; general knowledge, unverified."""
MOST_CAPTIONS = 20
"""Files of captions; our choice: each costs 400 units of the day's quota (general knowledge, unverified)."""
Tag = Annotated[
    str, StringConstraints(min_length=1, max_length=500), TextPattern(r"^[^<>,]+$", "must not contain < > ,")
]
Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    TextPattern(r"^[^<>]*[^<>\s][^<>]*$", "must hold neither < nor >, and more than blanks"),
]
Playlist = Annotated[str, TextPattern(r"^[\w-]+$", "must be a playlist's id such as PLBCF2DAC6FFB574DE")]


class Caption(ClientModel):
    """The captions of a video in one language."""

    language: Language = Field(description="The language of the captions (BCP 47).", examples=["en"])
    name: str = Field("", max_length=150, description="The name that viewers choose it by.", examples=["English"])
    url: WebAddress = Field(
        description="The address of a WebVTT or SubRip file of up to 100 MB.",
        examples=["https://cdn.example.com/waves.vtt"],
    )


class YouTubeSettings(ClientModel):
    """Settings of a video on YouTube. An upright or square video of up to 3 minutes becomes a Short by itself."""

    title: Title | None = Field(
        None,
        description="The title, up to 100 characters without < and >; the first line of the content if left out.",
        examples=["Waves at dawn"],
    )
    visibility: Literal["public", "unlisted", "private"] = Field(
        "public", description="Who may see the video.", examples=["unlisted"]
    )
    tags: list[Tag] = Field(
        default_factory=list,
        description="Keywords, up to 500 characters together.",
        examples=[["sea", "sunrise"]],
    )
    category_id: Digits = Field(
        "22", description="The number of YouTube's category; 22 is People & Blogs.", examples=["22"]
    )
    made_for_kids: bool = Field(default=False, description="Whether the video is made for children.", examples=[False])
    contains_synthetic_media: bool | None = Field(
        None, description="Whether it shows realistic scenes that were made or changed by AI.", examples=[True]
    )
    thumbnail: WebAddress | None = Field(
        None,
        description="The address of a JPEG or PNG of up to 50 MB; YouTube takes it from verified channels only.",
        examples=["https://cdn.example.com/cover.jpg"],
    )
    captions: list[Caption] = Field(
        default_factory=list,
        max_length=MOST_CAPTIONS,
        description="Captions, which are added once the video is up; one file for each language.",
        examples=[[{"language": "en", "url": "https://cdn.example.com/waves.vtt"}]],
    )
    playlist_id: Playlist | None = Field(
        None,
        description="One of the channel's playlists, to which the video is added.",
        examples=["PLBCF2DAC6FFB574DE"],
    )
    first_comment: str | None = Field(
        None,
        min_length=1,
        max_length=COMMENT,
        description="A comment that the channel adds once the video is up.",
        examples=["Where do we go next?"],
    )


class YouTubeCredentials(OAuthCredentials):
    """A Google access token (an hour) and what renews it."""


_VIDEO_PAGE = "developers.google.com/youtube/v3/docs/videos"
TITLE, TAGS = 100, 500
"""Characters of the title and of all tags together; source: YouTube's page of the video resource."""

RULES = Rules(
    post_id=PostId(
        r"[A-Za-z0-9_-]{11}",
        "the video's id of 11 characters",
        addresses=(
            (r"(?:(?:www|m|music)\.)?youtube\.com/watch/?\?(?:[^#]*&)?v=([A-Za-z0-9_-]+)(?:&.*)?", r"\1"),
            (
                r"(?:(?:www|m)\.)?youtube(?:-nocookie)?\.com/(?:shorts|live|embed|v)/([A-Za-z0-9_-]+)(?:[/?].*)?",
                r"\1",
            ),
            (r"studio\.youtube\.com/video/([A-Za-z0-9_-]+)(?:[/?].*)?", r"\1"),
            (r"youtu\.be/([A-Za-z0-9_-]+)(?:[/?].*)?", r"\1"),
        ),
        # The page leads to a Short as well.
        pages=((r".+", r"https://www.youtube.com/watch?v=\g<0>"),),
    ),
    text=TextRule(
        limit=5000,
        count=lambda text: len(text.encode("utf-8", "surrogatepass")),
        unit="bytes in a video's description",
        source=_VIDEO_PAGE,
    ),
    media=MediaRule(required=True, max_items=1, max_of=((MediaType.VIDEO, 1),), source=f"{_VIDEO_PAGE}/insert"),
    files=(
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime", "video/webm", "video/mp2t", "video/x-matroska", "video/x-msvideo"),
            max_bytes=274_877_906_944,
            source="YouTube's discovery document, videos.insert; it takes every type of video",
        ),
    ),
)
THUMBNAIL = FileRule(
    MediaType.IMAGE,
    ("image/jpeg", "image/png"),
    max_bytes=50 * 1024 * 1024,
    shrinks=True,
    source="YouTube's revision history of September 14, 2026, and its discovery document",
)

CAPTIONS = FileRule(
    MediaType.DOCUMENT,
    ("text/vtt", "application/x-subrip"),
    max_bytes=104_857_600,
    source="YouTube's discovery document, captions.insert; it takes further formats, which are not recognized here",
)


def video_title(draft: Draft[YouTubeSettings]) -> str:
    """Return the title: the setting, else the first line of the text, cut to YouTube's limit."""
    if draft.settings.title:
        return draft.settings.title
    lines = [line.strip() for line in draft.text.splitlines() if line.strip()]
    return lines[0][:TITLE].rstrip() if lines else ""


def tags_length(tags: list[str]) -> int:
    """Return the length of tags as YouTube counts it: with commas between them, and quotes around those with spaces."""
    return sum(len(tag) + (2 if " " in tag else 0) for tag in tags) + max(len(tags) - 1, 0)


def check(label: str, draft: Draft[YouTubeSettings], _: AccountFacts) -> list[Violation]:
    """Return everything YouTube would reject."""
    violations = RULES.check(label, draft.text, draft.media)
    if any(sign in draft.text for sign in "<>"):
        violations.append(Violation("content", f"{label} takes neither < nor > in a description"))
    if not video_title(draft):
        error = f"{label} needs a title: give one, or content whose first line becomes the title"
        violations.append(setting("title", error, missing=True))
    if (length := tags_length(draft.settings.tags)) > TAGS:
        error = f"{label} allows {TAGS} characters for all tags together; this has {length}"
        violations.append(setting("tags", error))
    violations += check_languages(label, (caption.language for caption in draft.settings.captions))
    if draft.settings.first_comment and (draft.settings.made_for_kids or draft.settings.visibility == "private"):
        why = "made for kids" if draft.settings.made_for_kids else "private"
        violations.append(setting("firstComment", f"{label} takes no comments below a video that is {why}"))
    return violations
