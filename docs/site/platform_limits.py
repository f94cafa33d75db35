"""The page of the platforms' limits, written from the rules that the API applies."""

import re

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.registry import platforms
from platforms.rules import FileRule, Rules, TextRule


def platform_limits() -> str:
    """Return the limits of every platform as a page of Markdown."""
    parts = [
        "# Limits per platform",
        "The API checks these limits before it accepts a post. `GET /v1/platforms` has them as data.",
    ]
    for name, platform in sorted(platforms().items()):
        table = "\n".join(
            ["| limit | value |", "|---|---|", *(f"| {row} | {text} |" for row, text in _rows(platform.rules))]
        )
        parts += [f"## {platform.label} (`{name}`)", table]
    return "\n\n".join(parts) + "\n"


def _rows(rules: Rules) -> list[tuple[str, str]]:
    rows = [("text", _text(rules.text))]
    captions: dict[int, list[str]] = {}
    for kind, most in rules.text.with_media:
        captions.setdefault(most, []).append(kind.value)
    rows += [(f"text with {', '.join(kinds)}", f"at most {most:,}") for most, kinds in captions.items()]
    rows += [("media", _media(rules)), *((rule.kind.value, _file(rule)) for rule in rules.files)]
    if rules.alt_text:
        rows.append(("altText", f"at most {rules.alt_text:,} characters"))
    rows += [("posts of an account", _rate(rate)) for rate in rules.rate_limits]
    return rows + [("uploads of an account", _rate(rate)) for rate in rules.prepare_rate_limits]


def _text(rule: TextRule) -> str:
    # As entities, so that no sign is Markdown: LinkedIn's unit names some that are.
    unit = re.sub(r"[^\w\s,.-]", lambda sign: f"&#{ord(sign[0])};", rule.unit)
    premium = f"; {rule.premium_limit:,} with a premium account" if rule.premium_limit else ""
    return f"at most {rule.limit:,} {unit}{premium}"


def _media(rules: Rules) -> str:
    media = rules.media
    kinds = ", ".join(f"{most} {kind.value}{'s' * (most > 1)}" for kind, most in media.max_of)
    most = f"at most {media.max_items}" + (f" ({kinds})" if kinds else "")
    return most + ("; needed" if media.required else "") + ("" if media.mixes else "; of one kind")


def _file(rule: FileRule) -> str:
    parts = [
        ", ".join(kind.partition("/")[2] for kind in rule.types),
        _range(rule.min_bytes, rule.max_bytes),
        _range(rule.min_seconds, rule.max_seconds, " s"),
        _range(rule.min_width, rule.max_width, " px wide"),
        _range(rule.min_height, rule.max_height, " px high"),
        _range(None, rule.max_shorter, " px on the shorter side"),
        _range(None, rule.max_longer, " px on the longer side"),
        _range(rule.min_ratio, rule.max_ratio, " width to height"),
    ]
    if rule.kind is MediaType.IMAGE and rule.shrinks:
        parts.append("larger ones are made smaller")
    return "; ".join(filter(None, parts))


def _range(least: float | None, most: float | None, unit: str = "") -> str:
    """Return a range in words, an empty text if it has no bounds; without a unit it is one of bytes."""
    low, high = [value and (f"{value:,}{unit}" if unit else _size(int(value))) for value in (least, most)]
    if low and high:
        return f"{str(low).removesuffix(unit)} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else ""


def _size(count: int) -> str:
    """Return a number of bytes in the largest unit that shows it exactly."""
    units = {"GiB": 2**30, "MiB": 2**20, "GB": 10**9, "MB": 10**6, "kB": 10**3}
    return next((f"{count // size:,} {unit}" for unit, size in units.items() if count % size == 0), f"{count:,} bytes")


def _rate(limit: RateLimit) -> str:
    seconds = limit.per.total_seconds()
    size, name = next(
        unit for unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")) if seconds >= unit[0]
    )
    count = seconds / size
    return (
        f"{limit.limit:,} in {'an' if name == 'hour' else 'a'} {name}"
        if count == 1
        else f"{limit.limit:,} in {count:g} {name}s"
    )
