"""Functions that make words from outside safe to show: no control characters, nothing that changes their direction."""

import json

_JOINERS = "\u200c\u200d"
"""Zero-width joiners: invisible, harmless, and part of emoji and of several scripts."""


def make_printable(text: str, keep: str = "") -> str:
    r"""Return the text with every character that cannot be printed written as JSON writes it, such as `\u001b`.

    A terminal obeys escape sequences, and bidirectional overrides let a name look like another. JSON stays valid JSON,
    because inside its strings the escape means the same character. Characters in `keep` stay as they are.
    """
    if text.isprintable():
        return text
    allowed = keep + _JOINERS
    return "".join(char if char.isprintable() or char in allowed else json.dumps(char)[1:-1] for char in text)
