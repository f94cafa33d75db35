"""X's settings, limits and counting of a text, and what does not go together in one post."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

import regex
from pydantic import Field, StringConstraints

from domain.post import Media, MediaType
from domain.request_limits import RateLimit
from platforms.access.oauth import OAuthCredentials
from platforms.base import AccountFacts, Draft
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, caution, setting
from platforms.steps.follow_up import check_languages
from platforms.steps.thread import ThreadItems, check_items
from platforms.texts.expensive import expensive
from platforms.texts.patterns import TLDS, TextPattern, WebAddress
from platforms.texts.unicode import nfc

MOST_CAPTIONS = 20
"""Files of captions; our choice, X names no number: each takes four requests."""
TweetId = Annotated[str, TextPattern(r"^[0-9]{1,19}$", "must be the id of a post on X, digits alone")]
LanguageCode = Annotated[str, TextPattern(r"^[A-Za-z]{2}$", "must be two letters such as en")]
PollOption = Annotated[str, StringConstraints(min_length=1, max_length=25)]


class Poll(ClientModel):
    """A poll. The limits are those of CreatePostsPoll in X's API document."""

    options: list[PollOption] = Field(
        min_length=2, max_length=4, description="2 to 4 answers of 1 to 25 characters.", examples=[["Yes", "No"]]
    )
    duration_minutes: int = Field(
        ge=5,
        le=10_080,
        description="How long the poll stays open, 5 minutes to 7 days; also accepted as `duration_minutes`.",
        examples=[1440],
    )


class Subtitles(ClientModel):
    """The captions of a video on X in one language."""

    language: LanguageCode = Field(description="The language of the captions, two letters.", examples=["en"])
    name: str = Field("", max_length=150, description="The name that viewers choose it by.", examples=["English"])
    url: WebAddress = Field(
        description="The address of a SubRip or WebVTT file of up to 1 MB.",
        examples=["https://cdn.example.com/waves.srt"],
    )


class TwitterSettings(ClientModel):
    """Settings of a post on X."""

    reply_to_tweet_id: TweetId | None = Field(
        None,
        description="Publish as a reply to this post. X lets apps reply to the account's own posts and to those that "
        "mention it.",
        examples=["1445880548472328192"],
    )
    quote_tweet_id: TweetId | None = Field(
        None,
        description="Quote this post; not together with media or a poll. Others' posts are for Enterprise apps only.",
        examples=["1445880548472328192"],
    )
    reply_settings: Literal["following", "mentionedUsers", "subscribers", "verified"] | None = Field(
        None, description="Who may reply; everyone if left out.", examples=["mentionedUsers"]
    )
    poll: Poll | None = Field(None, description="A poll; not together with media or a quoted post.")
    long_video: bool = Field(
        default=False,
        description="Accepted and not needed: X takes videos of 20 minutes, with X Premium of 125 minutes.",
        examples=[True],
    )
    captions: list[Subtitles] = Field(
        default_factory=list,
        max_length=MOST_CAPTIONS,
        description="Captions of the post's video, not of videos in `threadItems`: one file for each language. They "
        "are added once the post is public; X's refusal of one is a warning.",
        examples=[[{"language": "en", "name": "English", "url": "https://cdn.example.com/waves.srt"}]],
    )
    thread_items: ThreadItems = Field(
        default_factory=list,
        description="Posts that follow as replies, each to the one before. The other settings but `longVideo`, a poll "
        "too, are the first post's.",
        examples=[[{"content": "And this is why:"}]],
    )


class TwitterCredentials(OAuthCredentials):
    """An OAuth 2.0 user token (2 hours) and what renews it; `client_secret` is for confidential clients."""


LONGEST_LABEL = 63
"""Characters of a host's label in ASCII form; source: RFC 1035."""
LONGEST_LINK = 4096
LONGEST_SLUG = 40
"""Characters after the host of a t.co link."""

_ACCENTED = (
    r"\xC0-\xD6\xD8-\xF6\xF8-\u024F\u0253\u0254\u0256\u0257\u0259\u025B\u0263\u0268\u026F\u0272\u0289"
    r"\u02BB\u0300-\u036F\u1E00-\u1EFF"
)
_CYRILLIC = r"\u0400-\u04FF"
_LETTER = r"[^\x00-\x2F\x3A-\x40\x5B-\x60\x7B-\x7F\s\p{Z}\p{C}\u061C\u2000-\u206F\uFF03\uFF20]"
"""The characters of a host's label besides - and _: letters, digits and signs of any script."""

_RUN = regex.compile(rf"{_LETTER}(?:{_LETTER}|[._-])*+")
_LABEL = regex.compile(rf"{_LETTER}(?:[_-]*+{_LETTER})*+")
_SCHEME = regex.compile(r"(?<![A-Za-z0-9@$#\uFF03\uFF20])https?://\Z", regex.IGNORECASE)
_NOT_ALPHANUMERIC = regex.compile(r"[^A-Za-z0-9]")
_CODED = regex.compile(r"xn--[0-9a-z-]+", regex.IGNORECASE)
_WORD = regex.compile(rf"{_LETTER}{{1,{max(map(len, TLDS))}}}")
_GOES_ON = regex.compile(r"[0-9A-Za-z@+-]")
_BARE = regex.compile(
    rf"(?:[a-z0-9{_ACCENTED}-]++\.)+(?:\L<tlds>(?![0-9a-z@+-])|xn--[0-9a-z-]+)", regex.IGNORECASE, tlds=TLDS
)

_PATH_CHAR = rf"[a-z0-9{_CYRILLIC}{_ACCENTED}!*';:=+,.$/%#\[\]\u2013_~@|&-]"
_PARENTHESES = rf"\((?:{_PATH_CHAR}++\)|{_PATH_CHAR}*+\({_PATH_CHAR}++\){_PATH_CHAR}*+\))"
_PATH_END = rf"[a-z0-9{_CYRILLIC}{_ACCENTED}=_#/+-]"
_PATH = rf"/(?:(?:{_PATH_CHAR}|{_PARENTHESES})*(?:{_PATH_END}|{_PARENTHESES}))?"
_QUERY = r"\?[a-z0-9!?*'@();:&=+$/%#\[\]_.,~|-]*[a-z0-9_&=#/-]"
_TAIL = regex.compile(rf"(?::[0-9]++)?(?P<path>{_PATH})?(?:{_QUERY})?", regex.IGNORECASE)
_TCO = regex.compile(rf"https?://t\.co/(?P<slug>[a-z0-9]++)(?:{_QUERY})?", regex.IGNORECASE)


def link_spans(text: str) -> list[tuple[int, int]]:
    """Return where the links of a text begin and end, in order."""
    if "." not in text:
        return []
    spans: list[tuple[int, int]] = []
    done = 0
    for run in _RUN.finditer(text):
        start = max(run.start(), done)
        while start < run.end() and (ahead := _links_from(text, start, run.end(), done)):
            links, done = ahead
            spans += links
            start = done
    return spans


def _links_from(text: str, start: int, end: int, done: int) -> tuple[list[tuple[int, int]], int] | None:
    """Return the links of the first domain in a run of host characters, and the end of that domain."""
    scheme = _SCHEME.search(text, max(done, start - 9), start) if start > done else None
    if scheme is None and start and (start == done or text[start - 1] in "@$#\uff03\uff20._-/"):
        # The character before a domain must not be part of a name; it may be the next character of another script.
        before = _NOT_ALPHANUMERIC.search(text, start, end)
        if before is None or before[0] in "._-":
            return None
        start = before.end()
    host_end = _host_end(text, start, end)
    if host_end is None:
        return None
    tail = _TAIL.match(text, host_end)
    link_end = tail.end() if tail else host_end
    host = text[start:host_end]
    if not _is_name(host) or link_end - start > LONGEST_LINK:
        return [], link_end
    if scheme:
        return _with_scheme(text, scheme.start(), link_end)
    links = [(start, host_end)] if host.isascii() and "_" not in host else _bare(host, start)
    if links and tail and tail["path"]:
        links[-1] = (links[-1][0], link_end)
    return links, link_end if links else host_end


def _bare(host: str, start: int) -> list[tuple[int, int]]:
    """Return the links without a scheme in a host of mixed scripts: only its Latin parts count."""
    return [(start + part.start(), start + part.end()) for part in _BARE.finditer(host)]


def _with_scheme(text: str, start: int, end: int) -> tuple[list[tuple[int, int]], int]:
    tco = _TCO.match(text, start, end)
    if tco is None:
        return [(start, end)], end
    return ([(start, tco.end())] if len(tco["slug"]) <= LONGEST_SLUG else []), tco.end()


def _host_end(text: str, start: int, end: int) -> int | None:
    """Return the end of the longest valid domain that begins at `start`."""
    ends: int | None = None
    while (label := _LABEL.match(text, start, end)) and label.end() < end and text[label.end()] == ".":
        start = label.end() + 1
        # The label right before the top-level domain must not contain _; earlier labels may.
        if "_" not in label[0]:
            ends = _tld_end(text, start) or ends
    return ends


def _tld_end(text: str, start: int) -> int | None:
    """Return the end of the top-level domain; in scripts without spaces, text may follow it directly."""
    if coded := _CODED.match(text, start):
        return coded.end()
    word = _WORD.match(text, start)
    ends = range(word.end(), start, -1) if word else ()
    return next((end for end in ends if text[start:end].lower() in TLDS and not _GOES_ON.match(text, end)), None)


def _is_name(host: str) -> bool:
    return all(_fits(label) for label in host.split("."))


def _fits(label: str) -> bool:
    if label.isascii():
        return len(label) <= LONGEST_LABEL
    if label[:4].lower() == "xn--" or len(label) > LONGEST_LABEL:
        return False
    return len("xn--") + len(label.encode("punycode")) <= LONGEST_LABEL


LIMIT = 280
PREMIUM_LIMIT = 25_000
LINK_WEIGHT = 23
EMOJI_WEIGHT = 2
"""Source of all but the premium limit: twitter-text, config/v3.json; of that limit: X's help page on longer posts."""

_HEAVY = regex.compile(r"[^\u0000-\u10FF\u2000-\u200D\u2010-\u201F\u2032-\u2037]")
"""The characters that cost 2; source: the ranges in config/v3.json."""
_PICTURE = r"(?:\p{Emoji_Modifier_Base}\p{Emoji_Modifier}|\p{Extended_Pictographic})\uFE0F?"
_EMOJI = regex.compile(
    r"\p{Regional_Indicator}{2}"
    r"|[0-9#*]\uFE0F?\u20E3"
    r"|\U0001F3F4[\U000E0020-\U000E007E]+\U000E007F"
    # Characters that are text unless a selector follows; they cost what text costs.
    r"|(?![\u00A9\u00AE](?!\uFE0F))(?:PICTURE)(?:\u200D(?:PICTURE))*".replace("PICTURE", _PICTURE)
)


@expensive
def weighted_length(text: str) -> int:
    """Return the length that X limits.

    Every well-formed sequence of joined emoji counts as one. X has a list of them, so an invented one may cost more.
    """
    text = nfc(text)
    length = position = 0
    for start, end in link_spans(text):
        length += _weight(text[position:start]) + LINK_WEIGHT
        position = end
    return length + _weight(text[position:])


def _weight(text: str) -> int:
    if text.isascii():
        return len(text)
    text, emoji = _EMOJI.subn("", text)
    return len(text) + len(_HEAVY.findall(text)) + emoji * EMOJI_WEIGHT


ALT_TEXT = 1000
"""Characters; source: X API v2 OpenAPI document, CreateMediaMetadataMetadataAltText."""
MEGABYTE = 1024 * 1024
"""X's megabytes may be smaller; X decides on files in between."""
VIDEO_BYTES, PREMIUM_VIDEO_BYTES = 8_000 * MEGABYTE, 16_000 * MEGABYTE
VIDEO_SECONDS, PREMIUM_VIDEO_SECONDS = 20 * 60, 125 * 60
_MEDIA_PAGE = "docs.x.com/x-api/media/quickstart/best-practices"
_VIDEOS = "X API changelog, September 1, 2026"
_SPACE = r"\s\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069"
_CASHTAG = re.compile(
    rf"(?:^|(?<=[{_SPACE}]))\$([A-Za-z]{{1,6}}(?:[._][A-Za-z]{{1,2}})?)(?=$|[{_SPACE}!-/:-@\[-^_{{|}}~])"
)
"""A stock's symbol as X links it; source: github.com/twitter/twitter-text, validCashtag."""

RULES = Rules(
    post_id=PostId(
        r"[0-9]{1,19}",
        addresses=(
            (r"(?:(?:www|mobile|m)\.)?(?:x|twitter)\.com/(?:[^/]+|i/web)/status(?:es)?/([0-9]+)(?:[/?].*)?", r"\1"),
        ),
        without_id=(r"t\.co/.+",),
        # The page needs no user name.
        pages=((r".+", r"https://x.com/i/status/\g<0>"),),
    ),
    text=TextRule(
        limit=LIMIT,
        count=weighted_length,
        unit="weighted characters",
        premium_limit=PREMIUM_LIMIT,
        # A link of 4,096 characters, the longest there is, counts 23, so a text with some of these still fits.
        characters_per_unit=20,
        source="github.com/twitter/twitter-text config/v3.json; help.x.com/using-x/x-premium for the premium limit",
    ),
    media=MediaRule(
        max_items=4,
        max_of=((MediaType.IMAGE, 4), (MediaType.GIF, 1), (MediaType.VIDEO, 1)),
        source=_MEDIA_PAGE,
    ),
    files=(
        FileRule(
            MediaType.IMAGE, ("image/jpeg", "image/png", "image/webp"), max_bytes=5 * MEGABYTE, source=_MEDIA_PAGE
        ),
        FileRule(MediaType.GIF, ("image/gif",), max_bytes=15 * MEGABYTE, source=_MEDIA_PAGE),
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime", "video/webm", "video/mp2t"),
            max_bytes=VIDEO_BYTES,
            min_seconds=0.5,
            max_seconds=VIDEO_SECONDS,
            source=_VIDEOS,
        ),
    ),
    alt_text=ALT_TEXT,
    refuses_repeats=True,
    rate_limits=(RateLimit(100, timedelta(minutes=15), source="docs.x.com/x-api/fundamentals/rate-limits, per user"),),
)


CAPTIONS = FileRule(
    MediaType.DOCUMENT,
    ("application/x-subrip", "text/vtt"),
    max_bytes=MEGABYTE,
    source="X API v2 OpenAPI document, InitializeMediaUploadRequest; the size is our choice",
)


def file_rules(*, premium: bool) -> tuple[FileRule, ...]:
    """Return the rules of files; videos of an account with X Premium may be longer. X checks them again itself."""
    if not premium:
        return RULES.files
    return tuple(
        replace(rule, max_bytes=PREMIUM_VIDEO_BYTES, max_seconds=PREMIUM_VIDEO_SECONDS)
        if rule.kind is MediaType.VIDEO
        else rule
        for rule in RULES.files
    )


def cautions(label: str, draft: Draft[TwitterSettings]) -> list[Violation]:
    """Return what X may reject; it is not known here whose post is replied to or quoted.

    Source: the warning on X's page on making posts, and its changelog of 2026-02-23 and 2026-04-20.
    """
    settings, warnings = draft.settings, []
    if settings.reply_to_tweet_id:
        warning = f"{label} lets apps answer only the account's own posts and those that mention it"
        warnings.append(caution("replyToTweetId", warning))
    if settings.quote_tweet_id:
        warning = f"{label} lets apps quote others' posts only on its Enterprise plan"
        warnings.append(caution("quoteTweetId", warning))
    return warnings


def check(label: str, draft: Draft[TwitterSettings], account: AccountFacts) -> list[Violation]:
    """Return everything X would reject, in the post and in the thread that follows it."""

    def check_one(text: str, media: tuple[Media, ...]) -> list[Violation]:
        violations = RULES.check(label, text, media, premium=account.premium)
        # Whether X counts a symbol that occurs twice is not known; X decides that itself.
        if len({name.upper() for name in _CASHTAG.findall(text)}) > 1:
            violations.append(Violation("content", f"{label} allows one cashtag ($NAME) in a post"))
        return violations

    settings = draft.settings
    violations = check_one(draft.text, draft.media)
    if not draft.text.strip() and not draft.media:
        violations.append(Violation("content", f"{label} needs text or media"))
    # That media, poll and quote exclude each other is general knowledge, unverified.
    if settings.poll and draft.media:
        violations.append(setting("poll", f"{label} does not take a poll together with media"))
    if settings.quote_tweet_id and (settings.poll or draft.media):
        violations.append(setting("quoteTweetId", f"{label} does not take a quoted post together with media or a poll"))
    if settings.captions and not any(item.type is MediaType.VIDEO for item in draft.media):
        violations.append(setting("captions", f"{label} takes captions only with a video"))
    violations += check_languages(label, (caption.language for caption in settings.captions))
    return violations + check_items(label, settings.thread_items, check_one)
