"""Suggestions for misspelled names, and for time zones that are not written as IANA names."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache

from domain.schedule import zone_names
from platforms.registry import platforms

_OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?", re.IGNORECASE | re.ASCII)
_LONGEST = 64
"""Comparing longer input takes long, and it is no misspelling of a name."""
_SIMILAR = 0.87
"""How similar two cities must be written: Berln and Berlin are, but Granada is another city than Grenada."""

_ABBREVIATIONS = {
    **dict.fromkeys(("ET", "EST", "EDT"), ("America/New_York",)),
    **dict.fromkeys(("CT", "CDT"), ("America/Chicago",)),
    **dict.fromkeys(("MT", "MST", "MDT"), ("America/Denver",)),
    **dict.fromkeys(("PT", "PDT"), ("America/Los_Angeles",)),
    **dict.fromkeys(("AKT", "AKST", "AKDT"), ("America/Anchorage",)),
    **dict.fromkeys(("AST", "ADT"), ("America/Halifax",)),
    **dict.fromkeys(("NST", "NDT"), ("America/St_Johns",)),
    **dict.fromkeys(("WET", "WEST"), ("Europe/Lisbon",)),
    **dict.fromkeys(("CET", "CEST"), ("Europe/Berlin", "Europe/Madrid", "Europe/Paris")),
    **dict.fromkeys(("MEZ", "MESZ"), ("Europe/Berlin", "Europe/Vienna", "Europe/Zurich")),
    **dict.fromkeys(("EET", "EEST"), ("Europe/Athens", "Europe/Helsinki", "Europe/Kyiv")),
    **dict.fromkeys(("AEST", "AEDT"), ("Australia/Sydney",)),
    **dict.fromkeys(("ACST", "ACDT"), ("Australia/Adelaide",)),
    **dict.fromkeys(("NZST", "NZDT"), ("Pacific/Auckland",)),
    "PST": ("America/Los_Angeles", "Asia/Manila"),
    "CST": ("America/Chicago", "Asia/Shanghai", "America/Havana"),
    "IST": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "BST": ("Europe/London",),
    "IDT": ("Asia/Jerusalem",),
    "AWST": ("Australia/Perth",),
    "MSK": ("Europe/Moscow",),
    "EAT": ("Africa/Nairobi",),
    "CAT": ("Africa/Harare",),
    "WAT": ("Africa/Lagos",),
    "SAST": ("Africa/Johannesburg",),
    "PKT": ("Asia/Karachi",),
    "WIB": ("Asia/Jakarta",),
    "HKT": ("Asia/Hong_Kong",),
    "JST": ("Asia/Tokyo",),
    "KST": ("Asia/Seoul",),
    "Z": ("UTC",),
}
"""Zones that use an abbreviation; several if it means several times or the zone of many countries."""
_ZONES_WITH_MINUTES = {
    "+03:30": "Asia/Tehran",
    "+04:30": "Asia/Kabul",
    "+05:30": "Asia/Kolkata",
    "+05:45": "Asia/Kathmandu",
    "+06:30": "Asia/Yangon",
    "+08:45": "Australia/Eucla",
    "+09:30": "Australia/Darwin",
    "-09:30": "Pacific/Marquesas",
}
"""Zones whose offset from UTC is no whole number of hours, and the same all year."""
_CITIES = {
    "America/New_York": "Atlanta, Boston, Miami, Philadelphia, Washington",
    "America/Chicago": "Austin, Dallas, Houston, Minneapolis, New_Orleans",
    "America/Los_Angeles": "Las_Vegas, San_Diego, San_Francisco, Seattle",
    "America/Toronto": "Ottawa",
    "America/Sao_Paulo": "Brasilia, Rio_de_Janeiro",
    "Africa/Johannesburg": "Cape_Town, Durban, Pretoria",
    "Asia/Dubai": "Abu_Dhabi",
    "Asia/Kolkata": "Bangalore, Bengaluru, Chennai, Delhi, Mumbai, New_Delhi",
    "Asia/Shanghai": "Beijing, Guangzhou, Shenzhen",
    "Asia/Tokyo": "Kyoto, Osaka, Tokio",
    "Europe/Berlin": "Cologne, Frankfurt, Hamburg, Munich, Stuttgart",
    "Europe/London": "Edinburgh, Glasgow, Leeds, Liverpool",
    "Europe/Madrid": "Barcelona, Seville",
    "Europe/Paris": "Lyon, Marseille, Nice, Toulouse",
    "Europe/Rome": "Milan, Turin",
    "Europe/Zurich": "Basel, Bern, Geneva",
}
"""Large cities after which no zone is named."""


def suggest_zone(wrong: str) -> str:
    """Return "; did you mean …?" if it is clear which time zone is meant, or which few."""
    written = wrong.strip().replace(" ", "_").replace("\N{MINUS SIGN}", "-")
    offset = _OFFSET.fullmatch(written.replace("_", ""))
    if offset:
        return _suggest_offset(offset["sign"], int(offset["hours"]), int(offset["minutes"] or 0))
    zones = _meant(written) if len(written) <= _LONGEST else ()
    return f"; did you mean {' or '.join(filter(None, (', '.join(zones[:-1]), zones[-1])))}?" if zones else ""


def _suggest_offset(sign: str, hours: int, minutes: int) -> str:
    """Suggest a zone that has an offset all year. Zones of whole hours have the reversed sign in their names."""
    if not hours and not minutes:
        return "; did you mean UTC?"
    offset = f"{sign}{hours:02}:{minutes:02}"
    zone = _ZONES_WITH_MINUTES.get(offset, "") if minutes else f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"
    return f"; did you mean {zone}, which is UTC{offset}?" if zone in zone_names() else ""


def _meant(written: str) -> Sequence[str]:
    by_name, by_city = _spellings()
    lower = written.lower()
    region, _, city = lower.rpartition("/")
    # Of a name such as etc/gmt+1 it is not clear whether its sign is meant.
    if lower in by_name and not lower.startswith("etc/gmt"):
        return (by_name[lower],)
    if written.upper() in _ABBREVIATIONS:
        return _ABBREVIATIONS[written.upper()]
    for zone, cities in _CITIES.items():
        if city in cities.lower().split(", "):
            return (zone,)
    if city in by_city:
        return (by_city[city],)
    names = [name for name, zone in by_city.items() if zone.lower().startswith(f"{region}/")] or list(by_city)
    close = get_close_matches(city, names, n=1, cutoff=_SIMILAR)
    return (by_city[close[0]],) if close else ()


@cache
def _spellings() -> tuple[dict[str, str], dict[str, str]]:
    """Return the zones by their names and by their cities, both in lower case.

    If two zones have the same last part, the one with the shorter name counts, such as America/Louisville.
    """
    regional = sorted((zone for zone in zone_names() if "/" in zone), key=lambda zone: (-zone.count("/"), zone))
    # Zones of offsets have no city, and resemble each other.
    by_city = {zone.rpartition("/")[2].lower(): zone for zone in regional if not zone.startswith("Etc/")}
    return {zone.lower(): zone for zone in zone_names()}, by_city


_OTHER_WORDS = {
    "content": ("text", "message", "caption", "body"),
    "mediaItems": ("media", "mediaUrls", "images", "image", "imageUrl", "photos", "video", "videoUrl", "attachments"),
    "platforms": ("accounts", "accountIds", "targets", "channels", "socialAccountIds"),
    "scheduledFor": ("publishAt", "postAt", "sendAt", "date", "time", "when", "dueAt", "scheduleDate"),
    "altText": ("alt", "description"),
    "name": ("title",),
    "credentials": ("password", "token", "accessToken", "username"),
}
"""What other services call some fields of this API, whose names do not resemble these."""


def closest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that a wrong one resembles or means, if there is one."""
    by_lower = {name.lower(): name for name in known}
    for name, words in _OTHER_WORDS.items():
        if wrong in words and name.lower() in by_lower:
            return by_lower[name.lower()]
    # Long input makes the comparison slow and is no misspelling of anything.
    close = get_close_matches(wrong.lower(), by_lower, n=1, cutoff=0.72) if len(wrong) <= 64 else []
    return by_lower[close[0]] if close else None


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" where a known name is close, else nothing."""
    meant = closest(wrong, known)
    return f"; did you mean {meant}?" if meant else ""


def unknown_platform(wrong: str) -> str:
    """Return what is wrong with the name of a platform that is not known, after the name of its field."""
    by_label = {platform.label.lower(): name for name, platform in platforms().items()}
    name = by_label.get(wrong.strip().lower(), wrong)
    return f"must be one of the platforms {', '.join(platforms())}{did_you_mean(name, platforms())}"


def unknown_zone(wrong: str) -> str:
    """Return what is wrong with a time zone that is not known, after the name of its field."""
    return f"must be an IANA time zone such as America/New_York{suggest_zone(wrong)}"
