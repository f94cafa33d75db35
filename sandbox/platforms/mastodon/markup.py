"""A Mastodon server's count of a text, and the HTML that it makes of it."""

import html
import unicodedata

import regex

from sandbox.platforms.mastodon.base import PER_URL, server_name

_LINK = r"(?P<link>https?://[^\s<>\"]+[^\s<>\".,:;!?')\]}\u2026])"
_MENTION = r"(?<![\w/=])@(?P<name>\w+(?:[\w.-]*\w)?)(?P<host>@[\w.-]+\w)?"
_TAG = r"(?<![\w/#&])#(?P<tag>\w*[^\W\d]\w*)"
_FEATURES = regex.compile(f"{_LINK}|{_MENTION}|{_TAG}", regex.IGNORECASE)
_SHOWN_LENGTH = 30


def length(text: str) -> int:
    """Return the length of a text as readers see it; a link counts 23, a mention counts without its server."""

    def plain(match: regex.Match[str]) -> str:
        if match["link"]:
            return "x" * PER_URL
        return f"@{match['name']}" if match["name"] else str(match[0])

    return graphemes(_FEATURES.sub(plain, unicodedata.normalize("NFC", text)))


def graphemes(text: object) -> int:
    """Count the characters that a reader sees."""
    return len(regex.findall(r"\X", unicodedata.normalize("NFC", str(text or ""))))


def rendered(text: str) -> str:
    """Return a text as the API returns it: paragraphs, links whose ends are hidden, mentions, tags."""
    paragraphs = regex.split(r"\n{2,}", text.strip())
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in paragraphs if paragraph)


def _inline(text: str) -> str:
    pieces, position = [], 0
    for match in _FEATURES.finditer(text):
        pieces += [_escaped(text[position : match.start()]), _feature(match)]
        position = match.end()
    return "".join([*pieces, _escaped(text[position:])])


def _escaped(text: str) -> str:
    return html.escape(text).replace("\n", "<br />")


def _feature(match: regex.Match[str]) -> str:
    if match["link"]:
        address = html.escape(match["link"])
        scheme, _, rest = match["link"].partition("://")
        start, end = html.escape(rest[:_SHOWN_LENGTH]), html.escape(rest[_SHOWN_LENGTH:])
        return (
            f'<a href="{address}" target="_blank" rel="nofollow noopener noreferrer" translate="no">'
            f'<span class="invisible">{scheme}://</span><span class="{"ellipsis" if end else ""}">{start}</span>'
            f'<span class="invisible">{end}</span></a>'
        )
    if match["name"]:
        server = f"https://{match['host'][1:]}" if match["host"] else server_name()
        return (
            f'<span class="h-card" translate="no"><a href="{server}/@{match["name"]}" class="u-url mention">'
            f"@<span>{match['name']}</span></a></span>"
        )
    tag = match["tag"]
    address = f"{server_name()}/tags/{tag.lower()}"
    return f'<a href="{address}" class="mention hashtag" rel="tag">#<span>{html.escape(tag)}</span></a>'
