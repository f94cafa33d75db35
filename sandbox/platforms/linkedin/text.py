"""LinkedIn's rendering of a text in its `little` format."""

import re

_TOKEN = re.compile(
    r"\\(?P<escaped>.)"
    r"|\{hashtag\|(?:\\#|#)\|(?P<tag>[^}|]+)\}"
    r"|@\[(?P<name>(?:\\.|[^\]\\])+)\]\(urn:li:(?:organization|person):[\w-]+\)"
    r"|(?P<live>#)(?=\w)"
    r"|(?P<reserved>[|{}@\[\]()<>#*_~\\])",
    re.DOTALL,
)


def shown(commentary: str) -> str:
    """Return the text that readers see; it ends at the first reserved sign that is not escaped."""
    parts: list[str] = []
    position = 0
    for match in _TOKEN.finditer(commentary):
        parts.append(commentary[position : match.start()])
        if match["reserved"]:
            return "".join(parts)
        tag, name = match["tag"], match["name"]
        parts.append(f"#{tag}" if tag else re.sub(r"\\(.)", r"\1", name) if name else match["escaped"] or "#")
        position = match.end()
    return "".join([*parts, commentary[position:]])
