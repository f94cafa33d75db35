"""The settings and rules of Mastodon: each server has its own limits, and counts and shows texts in its way."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cached_property, lru_cache
from html.parser import HTMLParser
from typing import Annotated, Literal

import regex
from pydantic import Field, SecretStr, StringConstraints

from domain.loop_share import LoopShare
from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Draft
from platforms.client_model import ClientModel
from platforms.mastodon.limits import DEFAULTS, ServerLimits, stored_limits
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.servers.outgoing import ServerAddress
from platforms.texts.expensive import expensive
from platforms.texts.patterns import Language, TextPattern
from platforms.texts.unicode import graphemes, nfc, nfkc, parsable

FLAGSHIP = "https://mastodon.social"

StatusId = Annotated[str, TextPattern(r"^[A-Za-z0-9_-]{1,64}$", "must be a post's id on the account's own server")]
"""Each server has its own form of ids; Mastodon's are digits."""
PollOption = Annotated[str, StringConstraints(min_length=1)]


class Poll(ClientModel):
    """A poll. Each server decides how much of it it accepts."""

    options: list[PollOption] = Field(
        min_length=2,
        max_length=20,
        description="The answers; most servers take up to 4 of up to 50 characters.",
        examples=[["Yes", "No"]],
    )
    expires_in: int = Field(
        86_400, ge=1, description="How long the poll stays open, in seconds; a day if left out.", examples=[86_400]
    )
    multiple: bool = Field(default=False, description="Readers may choose several answers.", examples=[False])
    hide_totals: bool = Field(default=False, description="Hide the votes until the poll ends.", examples=[False])


class MastodonSettings(ClientModel):
    """Settings of a post on Mastodon."""

    visibility: Literal["public", "unlisted", "private", "direct"] | None = Field(
        None, description="Who may see the post; the account's own default if left out.", examples=["unlisted"]
    )
    spoiler_text: str | None = Field(
        None,
        min_length=1,
        description="A warning that is shown in place of the post until a reader opens it; counts as text.",
        examples=["Spoilers for the last episode"],
    )
    sensitive: bool | None = Field(None, description="Hide the media until a reader opens them.", examples=[True])
    language: Language | None = Field(
        None, description="The language of the text (ISO 639-1); the account's own if left out.", examples=["en"]
    )
    poll: Poll | None = Field(None, description="A poll; not together with media.")
    in_reply_to_id: StatusId | None = Field(
        None, description="Answer the post with this id on the account's server.", examples=["103254962155278888"]
    )
    quoted_status_id: StatusId | None = Field(
        None,
        description="Quote the post with this id on the account's server, if that server supports quotes.",
        examples=["103254962155278888"],
    )
    quote_approval_policy: Literal["public", "followers", "nobody"] | None = Field(
        None, description="Who may quote the post, on servers that know quotes.", examples=["followers"]
    )


class MastodonCredentials(ClientModel):
    """A user's token, which does not expire, and the server it is for: `{"instance", "accessToken"}`."""

    instance: ServerAddress = Field(FLAGSHIP, description="The server that holds the account.", examples=[FLAGSHIP])
    access_token: SecretStr = Field(
        min_length=1, description="A token that may write statuses and media and read both."
    )
    client_id: str | None = Field(None, description="Kept by us: the app that this connection has registered.")
    client_secret: SecretStr | None = Field(None, description="Kept by us: the secret of that app.")


_SERVER = r"(?P<owner>[^/]+)/"
_MORE = r"(?:[/?].*)?"
_ID = r"([A-Za-z0-9_-]{1,64})"


def is_of_snac(post_id: str) -> bool:
    """Return whether the id of a status has snac's form: a time and a digest."""
    return re.fullmatch(r"[0-9]{10}[0-9a-f]{32}", post_id) is not None


def _snac_id(scheme: str, match: re.Match[str]) -> str:
    """Return snac's id of a post: the second in which it was made, and the digest of its address."""
    path, second = match[0].partition("?")[0].rstrip("/"), match[2]
    address = f"{scheme}://{path}"
    return second + hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()


POST_ID = PostId(
    r"[A-Za-z0-9_-]{1,64}",
    "the post's id on the account's own server",
    # An address with a second server in the name is another server's page of the post, under an id of its own. After a
    # name only digits are an id: there are also pages such as /@name/media and /@name/tagged/word.
    addresses=(
        # Mastodon, also its interface with columns and its older one
        (rf"{_SERVER}(?:(?:web|deck)/)?@[^/@]+/([0-9]{{1,64}}){_MORE}", r"\2"),
        (rf"{_SERVER}(?:web/|deck/)?statuses/{_ID}{_MORE}", r"\2"),
        (rf"{_SERVER}(?:ap/)?users/[^/@]+/statuses/{_ID}{_MORE}", r"\2"),
        # GoToSocial; Takahē
        (rf"{_SERVER}@[^/@]+/(?:statuses|posts)/{_ID}/?(?:\?.*)?", r"\2"),
        # Pleroma and Akkoma
        (rf"{_SERVER}notice/{_ID}{_MORE}", r"\2"),
        # Pixelfed
        (rf"{_SERVER}p/[^/]+/([0-9]{{1,64}}){_MORE}", r"\2"),
        # Misskey and its kin
        (rf"{_SERVER}notes/{_ID}{_MORE}", r"\2"),
        # Mitra
        (rf"{_SERVER}post/([0-9a-f-]{{36}}){_MORE}", r"\2"),
        # snac
        (rf"{_SERVER}[^/@]+/p/([0-9]{{10}})\.[0-9]{{1,9}}/?(?:\?.*)?", _snac_id),
    ),
    # Pleroma, Akkoma and Friendica
    without_id=(r"[^/]+/(?:objects|activities|display)/.+",),
    # Ids are times. Mastodon's are milliseconds since 1970 before 16 bits, below 2 * 10^17 until 2066; Pixelfed's are
    # milliseconds since 2019 before 22 bits, above that since 2020. GoToSocial has ULIDs, Pleroma 128 bits in base 62.
    pages=(
        (r"[0-9]{1,17}|1[0-9]{17}", r"https://{owner}/@{name}/\g<0>"),
        (r"[0-9]{18,19}", r"https://{owner}/p/{name}/\g<0>"),
        (r"[0-7][0-9A-HJKMNP-TV-Z]{25}", r"https://{owner}/@{name}/statuses/\g<0>"),
        (r"A[0-9A-Za-z]{17}", r"https://{owner}/notice/\g<0>"),
    ),
    owner=lambda user_id: user_id.partition("@")[2],
)


CHARACTERS_PER_URL = 23
"""Source: Mastodon's documentation, user/posting; servers may set another."""

_URL = regex.compile(r"(?<![\w@/])https?://[^\s<>\"]+", regex.IGNORECASE)
_ENDS_SENTENCE = ".,;:!?'])}\u2026\u201d\u00bb"
_MENTION = regex.compile(r"(?<![\w=/])@(\w++(?:[.-]++\w++)*+)@[\w.-]+\w(?::\d+)?")
_SPACE = regex.compile(r"[\s\u200B\u2060\uFEFF]+")
_NO_WORD = regex.compile(r"[\W_\uFE0F\u200D]+")
_EMOTICON = regex.compile(r"(?<!\S)(?:<3|[:;=]-?\w)(?!\S)")
_PIECE = 8_192
"""Characters of HTML that are read in one piece: some milliseconds."""
_MARKDOWN_LINK = regex.compile(r"!?\[([^\[\]\n]*+)\]\([^)\s\[]*+\)")


@expensive
def length(text: str, per_url: int = CHARACTERS_PER_URL) -> int:
    """Return the length that a server limits: a link has a fixed length, of a mention only the name counts."""
    text, links = _URL.subn(lambda link: "x" + _rest(link[0]), nfc(text))
    return graphemes(_MENTION.sub(r"@\1", text)) + links * (per_url - 1)


def _rest(link: str) -> str:
    """Return the end of a match that is not part of the link: punctuation, a bracket that the link did not open."""
    end, unopened = len(link), link.count(")") - link.count("(")
    while link[end - 1] in _ENDS_SENTENCE and not (link[end - 1] == ")" and unopened <= 0):
        unopened -= link[end - 1] == ")"
        end -= 1
    return link[end:]


def comparable(text: str) -> str:
    """Return a text without what a server may change: white space, and the servers in mentions."""
    return _SPACE.sub("", _MENTION.sub(r"@\1", nfc(text)))


def words(text: str) -> str:
    """Return only the letters and digits of a text, which even a server that reads Markdown leaves unchanged."""
    return _NO_WORD.sub("", nfkc(comparable(text)).casefold())


class SentText:
    """A text that was sent, with what a server may make of it, each computed once."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def comparable(self) -> str:
        """Return the text without what a server may change."""
        return comparable(self.text)

    @cached_property
    def words(self) -> frozenset[str]:
        """Return the letters and digits that may remain if a server reads HTML, Markdown or emoticons in the text."""
        return frozenset(map(words, readings(self.text)))


def readings(sent: str) -> set[str]:
    """Return the possible remains of a text if a server reads HTML, Markdown or emoticons in it."""
    plain = _MARKDOWN_LINK.sub(lambda link: "" if link[0].startswith("!") else link[1], sent)
    texts = {sent, plain, _EMOTICON.sub("", plain)}
    return texts | {shown_text(text, sent) for text in texts}


def shown_text(html: str, sent: str) -> str:
    """Return the text of a status; `sent` decides whether a link stands for its words or for its address."""
    reader = _Reader(sent)
    for _ in reader.read(html):
        pass
    return reader.text


async def read_shown_text(html: str, sent: str, turn: LoopShare) -> str:
    """Return the same as `shown_text`, with pauses for other work."""
    reader = _Reader(sent)
    for _ in reader.read(html):
        await turn.pause()
    return reader.text


class _Reader(HTMLParser):
    """The reading of a status's HTML, in pieces."""

    def __init__(self, sent: str) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._sent = sent
        self._link: tuple[str, int] | None = None
        self._quote: tuple[str, int] | None = None
        self._depth = 0

    @property
    def text(self) -> str:
        """Return the text that was read."""
        return "".join(self.pieces)

    def read(self, html: str) -> Iterator[None]:
        """Read HTML; yield after each piece."""
        html = parsable(html)
        for start in range(0, len(html), _PIECE):
            self.feed(html[start : start + _PIECE])
            yield
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._quote:
            self._depth += tag == self._quote[0]
            return
        if "quote-inline" in (dict(attrs).get("class") or ""):
            # The fallback text of a quoted post, for clients that do not show quotes.
            self._quote, self._depth = (tag, len(self.pieces)), 1
            return
        if tag in {"br", "p", "li", "blockquote", "div"}:
            self.pieces.append("\n")
        elif tag == "a":
            # Links do not nest: a second one ends the first.
            self._link = dict(attrs).get("href") or "", len(self.pieces)

    def handle_endtag(self, tag: str) -> None:
        if self._quote:
            self._depth -= tag == self._quote[0]
            if not self._depth:
                del self.pieces[self._quote[1] :]
                self._quote = None
            return
        if tag != "a" or self._link is None:
            return
        address, start = self._link
        self._link = None
        inner = "".join(self.pieces[start:])
        if inner not in self._sent and not inner.startswith("@"):
            self.pieces[start:] = [address]

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


CHARACTERS_PER_UNIT = 20
"""Our choice: far more than links, mentions and combining marks add to a real text."""
SIDE = 5760
"""Mastodon limits the pixels of an image (image_matrix_limit, 33,177,600), of which this is the square root, and shows
no more than 8,294,400 of them."""
_CONFIGURATION = "docs.joinmastodon.org/methods/instance (each server's own configuration wins)"

RULES = Rules(
    post_id=POST_ID,
    text=TextRule(
        limit=DEFAULTS.characters, count=length, characters_per_unit=CHARACTERS_PER_UNIT, source=_CONFIGURATION
    ),
    media=MediaRule(
        max_items=DEFAULTS.attachments,
        max_of=(
            (MediaType.IMAGE, DEFAULTS.attachments),
            (MediaType.GIF, DEFAULTS.attachments),
            (MediaType.VIDEO, 1),
        ),
        mixes=True,
        source=_CONFIGURATION,
    ),
    files=(
        FileRule(
            MediaType.IMAGE,
            # HEIC and AVIF are converted: Mastodon itself makes JPEGs of them, and other servers refuse them.
            ("image/jpeg", "image/png", "image/webp", "image/gif"),
            max_bytes=DEFAULTS.image_bytes,
            max_width=SIDE,
            max_height=SIDE,
            source=_CONFIGURATION,
        ),
        FileRule(MediaType.GIF, ("image/gif",), max_bytes=DEFAULTS.most_bytes(MediaType.GIF), source=_CONFIGURATION),
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime", "video/webm"),
            max_bytes=DEFAULTS.video_bytes,
            source=_CONFIGURATION,
        ),
    ),
    alt_text=DEFAULTS.description,
    rate_limits=(
        RateLimit(300, timedelta(hours=3), source="Mastodon's source, unverified; a server's own headers tell more"),
    ),
)


def check(label: str, draft: Draft[MastodonSettings], account: AccountFacts) -> list[Violation]:
    """Return everything the account's server would reject, as far as its limits are known."""
    settings, limits = draft.settings, stored_limits(account.limits)
    # The warning counts together with the text after it, and a link in the warning counts in full; source: Mastodon's
    # app/validators/status_length_validator.rb.
    rules = _rules(limits, graphemes(nfc(settings.spoiler_text or "")))
    violations = rules.check(label, draft.text, draft.media)
    if len(draft.media) > 1 and any(item.type is MediaType.VIDEO for item in draft.media):
        violations.append(Violation("mediaItems", f"{label} does not take a video together with other media"))
    if not draft.text.strip() and not draft.media:
        violations.append(Violation("content", f"{label} needs text or media"))
    if settings.poll:
        violations += _check_poll(label, settings.poll, limits)
        if draft.media and not limits.polls_with_media:
            violations.append(setting("poll", f"{label} does not take a poll together with media"))
    return violations


@lru_cache(maxsize=100)
def _rules(limits: ServerLimits, warning: int) -> Rules:
    """Return the server's rules for a post with a warning of so many characters."""

    def count(text: str) -> int:
        return length(text, limits.characters_per_url) + warning

    most = limits.attachments
    of_kind = tuple((kind, min(number, 1) if kind is MediaType.VIDEO else most) for kind, number in RULES.media.max_of)
    return replace(
        RULES,
        text=replace(RULES.text, limit=limits.characters, count=count),
        media=replace(RULES.media, max_items=most, max_of=of_kind),
        alt_text=limits.description,
    )


def _check_poll(label: str, poll: Poll, limits: ServerLimits) -> list[Violation]:
    violations = []
    if len(poll.options) > limits.poll_options:
        error = f"{label} allows {limits.poll_options} answers in a poll; this has {len(poll.options)}"
        violations.append(setting(("poll", "options"), error))
    violations += [
        setting(
            ("poll", "options", number),
            f"{label} allows {limits.poll_characters} characters in an answer; this has {len(option)}",
        )
        for number, option in enumerate(poll.options)
        if len(option) > limits.poll_characters
    ]
    if len(set(poll.options)) < len(poll.options):
        violations.append(setting(("poll", "options"), f"{label} does not take the same answer twice"))
    if not limits.poll_shortest <= poll.expires_in <= limits.poll_longest:
        error = f"{label} keeps polls open for {limits.poll_shortest:,} to {limits.poll_longest:,} seconds"
        violations.append(setting(("poll", "expiresIn"), error))
    return violations
