"""X's count of a text, and the text that it returns: links shortened, a link to the media at the end, HTML escaped."""

import hashlib
import html
import unicodedata
from typing import NamedTuple

import regex

from sandbox.ids import SHORTCODE_ALPHABET

FREE_LENGTH = 280
PREMIUM_LENGTH = 25_000
LINK_WEIGHT = 23

LINK = regex.compile(
    r"https?://[^\s<>\"]*[^\s<>\"'.,:;!?)\]}…]"
    r"|(?<![\w@.#$/-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:com|org|net|io|dev|app|co|ai|me|eu|de|uk)\b(?:/[^\s<>\"]*[^\s<>\"'.,:;!?)\]}…])?",
    regex.IGNORECASE,
)
"""An approximation of X's own rule, which knows every top-level domain."""

_LIGHT = regex.compile(r"[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|\ufe0f|\u20e3")


class Link(NamedTuple):
    """One shortened link in a text that X returns; `start` and `end` count code points."""

    start: int
    end: int
    url: str
    expanded_url: str
    media_key: str | None = None

    def entity(self) -> dict[str, object]:
        """Return the link as the API lists it."""
        shown = self.expanded_url.removeprefix("https://").removeprefix("http://").removeprefix("www.")
        entity: dict[str, object] = {
            "start": self.start,
            "end": self.end,
            "url": self.url,
            "expanded_url": self.expanded_url,
            "display_url": shown if len(shown) <= 27 else f"{shown[:26]}…",
        }
        if self.media_key is not None:
            entity["media_key"] = self.media_key
        return entity


def weight(text: str) -> int:
    """Return the length of a text as X counts it: most letters 1, CJK and emoji 2, every link 23."""
    text = unicodedata.normalize("NFC", text)
    rest, links = LINK.subn("", text) if "." in text else (text, 0)
    if rest.isascii():
        return len(rest) + links * LINK_WEIGHT
    total = links * LINK_WEIGHT
    for cluster in regex.findall(r"\X", rest):
        if _EMOJI.search(cluster):
            total += 2
        else:
            total += sum(1 if _LIGHT.match(letter) else 2 for letter in cluster)
    return total


def is_long(text: str) -> bool:
    """Return whether only Premium accounts may publish a text of this length."""
    return len(text) * 2 > FREE_LENGTH and weight(text) > FREE_LENGTH


def shortened(target: str, salt: str) -> str:
    """Return the t.co address of a link in one post."""
    number = int.from_bytes(hashlib.blake2b(f"{salt} {target}".encode(), digest_size=9).digest(), "big")
    alphabet = SHORTCODE_ALPHABET[:62]
    digits = ""
    for _ in range(10):
        number, digit = divmod(number, 62)
        digits += alphabet[digit]
    return f"https://t.co/{digits}"


def read_back(text: str, post_id: str, media_url: str | None, media_keys: list[str]) -> tuple[str, list[Link]]:
    """Return a post's text as the API returns it, and the links in it."""
    if media_url is None and "." not in text:
        return html.escape(text, quote=False), []
    pieces: list[str] = []
    links: list[Link] = []
    length = position = 0

    def add(piece: str) -> None:
        nonlocal length
        pieces.append(piece)
        length += len(piece)

    for match in LINK.finditer(text):
        add(html.escape(text[position : match.start()], quote=False))
        position = match.end()
        target = match[0] if "://" in match[0] else f"http://{match[0]}"
        short = shortened(target, post_id)
        links.append(Link(length, length + len(short), short, target))
        add(short)
    add(html.escape(text[position:], quote=False))
    if media_url is not None:
        add(" " if length else "")
        short = shortened(media_url, post_id)
        links.extend(Link(length, length + len(short), short, media_url, key) for key in media_keys)
        add(short)
    return "".join(pieces), links
