"""Counting a text as Mastodon does, and recognising it in the HTML that a server makes of it."""

from collections.abc import Iterator
from functools import cached_property
from html.parser import HTMLParser

import regex

from domain.loop_share import LoopShare
from platforms.texts.entities import parsable
from platforms.texts.expensive import expensive
from platforms.texts.unicode import graphemes, nfc, nfkc

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
