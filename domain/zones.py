"""The database of time zones of every process: the tzdata package's, unless PYTHONTZPATH names another."""

import hashlib
import os
import zoneinfo
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

if "PYTHONTZPATH" not in os.environ:
    # Machines have databases of different ages, and the worker must resolve times as the API does.
    zoneinfo.reset_tzpath(())

_OF_THE_MACHINE = frozenset({"localtime", "posixrules", "Factory"})
_PACKAGED = files("tzdata") / "zoneinfo"


@cache
def zone_names() -> frozenset[str]:
    """Return every IANA zone name.

    Names such as `localtime` are left out: they mean another zone on each machine.
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
    """The identity of a version of the database: its editors' name for it, and a digest of its content."""

    version: str
    """A name such as 2026b, which is greater than those of all older versions; empty if it is not known."""
    digest: str

    def is_older_than(self, other_version: str) -> bool:
        """Return whether it is certainly older than another version."""
        return bool(self.version and other_version) and self.version < other_version


def reread() -> ZoneData:
    """Return the identity of the database now, and have zones read from it again. Reads some 600 small files."""
    digest = hashlib.sha256()
    for name in sorted(zoneinfo.available_timezones() - _OF_THE_MACHINE):
        digest.update(name.encode() + b"\0" + _content(name))
    data = ZoneData(zone_version(), digest.hexdigest())
    # Cleared last: if the files change meanwhile, the digest is the old one, and the next call returns another.
    zoneinfo.ZoneInfo.clear_cache()
    zone_names.cache_clear()
    return data


def zone_version() -> str:
    """Return the editors' name for the database's version; empty if a folder of PYTHONTZPATH does not name it."""
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
