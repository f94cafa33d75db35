"""Know one database of time zones in every process: the tzdata package's, unless PYTHONTZPATH names another."""

import hashlib
import os
import zoneinfo
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

if "PYTHONTZPATH" not in os.environ:
    # Each machine's own database is of another age; what the api resolves, the worker must resolve alike.
    zoneinfo.reset_tzpath(())

_OF_THE_MACHINE = frozenset({"localtime", "posixrules", "Factory"})
_PACKAGED = files("tzdata") / "zoneinfo"


@cache
def zone_names() -> frozenset[str]:
    """Return every IANA zone name there is.

    Names that every machine fills in differently are none: a post would move with the server it is read on.
    """
    return frozenset(zoneinfo.available_timezones() - _OF_THE_MACHINE)


class UnknownZone(LookupError):
    """No zone has this name, or none any more."""


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """Return a zone. Raises UnknownZone."""
    if name not in zone_names():
        raise UnknownZone(name)
    return zoneinfo.ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class ZoneData:
    """The identity of a state of the database: its editors' name for it, and a digest of what is in it."""

    version: str
    """Such as 2026b; the letters count up, so that texts compare as the states follow. Empty if it is not known."""
    digest: str

    def is_older_than(self, other_version: str) -> bool:
        """Tell whether it is surely the older one."""
        return bool(self.version and other_version) and self.version < other_version


def reread() -> ZoneData:
    """Return what the database is now, and have zones read from it again. Reads some 600 small files."""
    digest = hashlib.sha256()
    for name in sorted(zoneinfo.available_timezones() - _OF_THE_MACHINE):
        digest.update(name.encode() + b"\0" + _content(name))
    found = ZoneData(zone_version(), digest.hexdigest())
    # Afterwards: should the files change in between, the digest is the old one and the next look sees another.
    zoneinfo.ZoneInfo.clear_cache()
    zone_names.cache_clear()
    return found


def zone_version() -> str:
    """Return what the database's editors call its state; empty where a folder that PYTHONTZPATH names does not say."""
    folders = [Path(folder) for folder in zoneinfo.TZPATH if Path(folder).is_dir()]
    root: Traversable = folders[0] if folders else _PACKAGED
    source = root / "tzdata.zi"
    first_line = source.read_text(encoding="utf-8").partition("\n")[0] if source.is_file() else ""
    return first_line.removeprefix("# version ") if first_line.startswith("# version ") else ""


def _content(name: str) -> bytes:
    for folder in zoneinfo.TZPATH:
        if (path := Path(folder, name)).is_file():
            return path.read_bytes()
    return _PACKAGED.joinpath(*name.split("/")).read_bytes()
