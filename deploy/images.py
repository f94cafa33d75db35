"""The images of other projects by digest, in deploy/images.env: `python3 -m deploy.images check`, `pin`."""

import json
import re
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).with_name("images.env")
_LINE = re.compile(r"^(?P<variable>\w+_IMAGE)=(?P<tag>[^@\n]+)(?:@(?P<digest>\S+))?$", re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def images() -> dict[str, str]:
    """Return the tag of each image by its variable."""
    return {image["variable"]: image["tag"] for image in _LINE.finditer(FILE.read_text())}


def registry_digest(tag: str) -> str:
    """Ask the registry for the digest of an image for every system. Raises CalledProcessError."""
    # As JSON: buildx 0.13 ignores the rest of a format that begins with {{.Manifest, and prints a table.
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", tag]
    return str(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["digest"])


def check() -> bool:
    """Print every image. Return whether each has a digest."""
    pinned = True
    for image in _LINE.finditer(FILE.read_text()):
        is_pinned = bool(image["digest"] and _DIGEST.fullmatch(image["digest"]))
        pinned &= is_pinned
        print(f"{image['variable']}: {image['tag']}, {image['digest'] if is_pinned else 'NO DIGEST'}")
    if not pinned:
        print(
            "A tag may name another image tomorrow. `python3 -m deploy.images pin` writes today's digests to the file."
        )
    return pinned


def pin() -> bool:
    """Write the digest that each tag has today. Raises CalledProcessError."""

    def pinned(image: re.Match[str]) -> str:
        digest = registry_digest(image["tag"])
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{image['tag']} has no SHA-256 digest, but {digest!r}")
        return f"{image['variable']}={image['tag']}@{digest}"

    FILE.write_text(_LINE.sub(pinned, FILE.read_text()))
    return check()


if __name__ == "__main__":
    commands = {"check": check, "pin": pin}
    if sys.argv[1:] not in [[name] for name in commands]:
        sys.exit(f"{__doc__}")
    sys.exit(not commands[sys.argv[1]]())
