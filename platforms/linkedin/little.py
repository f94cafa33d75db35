r"""The `little` text format of LinkedIn, in which an unescaped character can cut the text off.

Source: learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format
"""

import re

_ESCAPED = str.maketrans({character: f"\\{character}" for character in r"\|{}@[]()<>#*_~"})
_LIVE = re.compile(
    r"@\[(?P<name>[^\[\]()\n]+)\]\((?P<urn>urn:li:(?:organization|person):[\w-]+)\)"
    # Letters and digits, at least one letter; not the fragment of an address.
    r"|(?<![\w/&#])#(?P<tag>(?=\d*[^\W\d_])[^\W_]+)(?!\w)"
)


def little(text: str) -> str:
    """Return a text for LinkedIn: `#tags` and `@[Name](urn:li:organization:1)` are active, all else is escaped."""
    parts: list[str] = []
    position = 0
    for match in _LIVE.finditer(text):
        parts.append(_escaped(text[position : match.start()]))
        if match["tag"]:
            parts.append(rf"{{hashtag|\#|{match['tag']}}}")
        else:
            parts.append(f"@[{_escaped(match['name'])}]({match['urn']})")
        position = match.end()
    return "".join([*parts, _escaped(text[position:])])


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED)
