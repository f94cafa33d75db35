"""The texts that are most expensive to check; each is extended to the requested number of characters."""

from collections.abc import Callable

_MARKS = "\u0301\u0323\u0327\u0345"

_REPEATED = {
    "mentions": "@a",
    "mentions of servers": "@a@a.a",
    "mentions with dots and dashes": "@a.a-a.",
    "handles": "@a.b ",
    "brackets": "[",
    "escaped brackets": "[\\",
    "links without an end": "[](",
    "names without an end": "@[a",
    "people of LinkedIn": "@[a](urn:li:person:a",
    "flags": "\U0001f1e6",
    "flags that tags spell": "\U0001f3f4\U000e0061",
    "joined emoji": "\U0001f468\u200d",
    "toned emoji": "\U0001f468\U0001f3fb",
    "syllables": "\u1100\u1161\u11a8",
    "line ends": "\r",
    "lines": "a\n",
    "marks": _MARKS,
    "opening parentheses": "(",
    "links": "https://a.com/a ",
    "links with a query": "https://a.com/?a=a ",
    "long links": "https://a.com/" + "a" * 4000 + " ",
    "schemes": "http://",
    "domains": "a.com ",
    "joined domains": "a.com.",
    "domains in other scripts": "\u4e2da.com",
    "labels": "a.",
    "labels with underscores": "a_.",
    "coded labels": "a.xn--a",
    "other scripts": "\u4e2d",
    "nothing to be seen": "\u200b",
    "tags": "<a",
    "references": "&#",
    "named references": "&notinvee",
    "hashtags": "#a",
    "hashtags of digits": "#1",
    "punctuation": "!a",
    "telephone numbers": "(123) 456-",
    "spaces": " ",
    "stars": "*",
    "backslashes": "\\",
    "quotes": ">\n",
}

_GROWN: dict[str, Callable[[int], str]] = {
    "a mention": lambda size: "@" + "a" * size,
    "a mention of a server": lambda size: "@a@" + "a." * size,
    "an address without an end": lambda size: "[](" + "(" * size,
    "marks on one letter": lambda size: "a" + _MARKS * size,
    "marks in the wrong order": lambda size: "a" + "\u0301" * (size // 2) + "\u0323" * (size // 2),
    "a link and parentheses": lambda size: "https://a.com/" + ")" * size,
    "a link in parentheses": lambda size: "https://a.com/" + "(a" * size,
    "a link and dots": lambda size: "https://a.com/" + "." * size,
    "a label": lambda size: "\u4e2d" * (size - 4) + ".com",
    "a number": lambda size: "&#" + "1" * size,
    "a hashtag": lambda size: "#" + "1" * size,
    "a hashtag and punctuation": lambda size: "#a" + "!a" * size,
    "a handle": lambda size: "@" + "a-" * size,
}

NAMES = (*_REPEATED, *_GROWN)


def text(name: str, size: int) -> str:
    """Return the text of that name with `size` characters."""
    grown = _GROWN[name](size) if name in _GROWN else _REPEATED[name] * (size // len(_REPEATED[name]) + 1)
    return grown[:size]
