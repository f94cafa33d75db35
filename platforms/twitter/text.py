"""Counting a post as X does: Latin and similar scripts cost 1 a character, others 2, a link 23, any emoji 2."""

import regex

from platforms.texts.expensive import expensive
from platforms.texts.unicode import nfc
from platforms.twitter.links import link_spans

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
