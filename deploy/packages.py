"""The packages of the image by version and SHA-256: `uv run python -m deploy.packages check`, `write`.

`check` fails if the files do not fit pyproject.toml, or if the index has other files of the versions that they name.
Withdrawn and newer releases are only reported: they change nothing that is built.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_REQUIREMENT = re.compile(
    r"^(?P<name>[\w.-]+)(?:\[[^]]*])?==(?P<version>\S+).*(?P<hashes>(?:\n +--hash=\S+.*)+)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file with the packages that one part of pyproject.toml needs, in versions for every system."""

    path: str
    source: tuple[str, ...]
    purpose: str


FILES = (
    PackageFile("deploy/requirements.txt", ("--extra", "s3", "pyproject.toml"), "the image"),
    PackageFile("deploy/requirements-build.txt", ("--group", "pyproject.toml:build"), "the image's build"),
)
_WRITE = "`uv run python -m deploy.packages write`"


@dataclass(frozen=True, slots=True)
class Pin:
    """A version of a package, and the SHA-256 of the files that it may be installed from."""

    version: str
    hashes: frozenset[str]


def pins(text: str) -> dict[str, Pin]:
    """Return the pinned packages of a requirements file by name."""
    return {
        match["name"]: Pin(match["version"], frozenset(re.findall(r"--hash=(\S+)", match["hashes"])))
        for match in _REQUIREMENT.finditer(text)
    }


def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def newest_date() -> str:
    """Return the date up to which releases count."""
    return str(project()["tool"]["uv"]["exclude-newer"])


def header(file: PackageFile, date: str) -> str:
    """Return the first lines of a file."""
    return f"# The packages of {file.purpose}, of the releases up to {date}. {_WRITE} makes this file.\n"


def resolve(file: PackageFile, earlier: str = "", *options: str) -> str:
    """Return the packages that fit pyproject.toml, in the earlier versions if these fit. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "requirements.txt"
        output.write_text(earlier)
        python = project()["project"]["requires-python"].removeprefix(">=")
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--no-header", "--generate-hashes"]
        subprocess.run(
            [*command, "--python-version", python, "--output-file", str(output), *options, *file.source],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        return output.read_text()


def faults(file: PackageFile, text: str, again: dict[str, Pin]) -> Iterator[str]:
    """Yield what is wrong with the text of a file, in a sentence each. `again` is a resolution without it."""
    date = newest_date()
    if not text.startswith(header(file, date)):
        yield f"{file.path} was not made for the date {date} of pyproject.toml."
    pinned, needed = pins(text), pins(resolve(file, text))
    for name in sorted(needed.keys() - pinned.keys()):
        yield f"{file.path} lacks {name}, which pyproject.toml needs."
    for name in sorted(pinned.keys() - needed.keys()):
        yield f"{file.path} has {name}, which pyproject.toml does not need."
    for name in sorted(needed.keys() & pinned.keys()):
        if needed[name].version != pinned[name].version:
            yield f"{file.path} has {name} {pinned[name].version}, which does not fit pyproject.toml."
    for name, pin in again.items():
        same_version = name in pinned and pinned[name].version == pin.version
        if same_version and (unknown := len(pin.hashes - pinned[name].hashes)):
            yield f"{name} {pin.version} has other files at the index than {file.path}: {unknown} with another SHA-256."


def differences(pinned: dict[str, Pin], resolved: dict[str, Pin]) -> Iterator[str]:
    """Yield the packages that have another version in a resolution."""
    for name, pin in resolved.items():
        if name in pinned and pinned[name].version != pin.version:
            old, new = pinned[name].version.split("."), pin.version.split(".")
            yield f"{name} {'.'.join(old)} -> {'.'.join(new)}{' (patch release)' if old[:2] == new[:2] else ''}"


def check() -> bool:
    """Print what is pinned, what does not fit, and what has other releases. Return whether everything fits."""
    fit = True
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for file in FILES:
        text = (ROOT / file.path).read_text()
        pinned, again = pins(text), pins(resolve(file))
        print(f"{file.path}: {len(pinned)} packages of {file.purpose}, of the releases up to {newest_date()}.")
        for fault in faults(file, text, again):
            print(f"  WRONG: {fault}")
            fit = False
        for withdrawn in differences(pinned, again):
            print(f"  Resolved again for the same date (a release was withdrawn?): {withdrawn}")
        for newer in differences(pinned, pins(resolve(file, "", "--exclude-newer", now))):
            print(f"  Newer: {newer}")
    if not fit:
        print(f"{_WRITE} makes the files again.")
    return fit


def write() -> bool:
    """Resolve both files again for the date in pyproject.toml."""
    for file in FILES:
        (ROOT / file.path).write_text(header(file, newest_date()) + resolve(file))
    return True


if __name__ == "__main__":
    commands = {"check": check, "write": write}
    if sys.argv[1:] not in [[name] for name in commands]:
        sys.exit(f"{__doc__}")
    try:
        sys.exit(not commands[sys.argv[1]]())
    except subprocess.CalledProcessError as error:
        sys.exit(f"uv found no versions that fit:\n{error.stderr}")
