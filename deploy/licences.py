"""The licences of the image's packages, and of the shared libraries that their wheels contain."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

ALLOWED = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0"}
)
"""Licences that ask for no more than their text and the names of the authors."""

EXCEPTIONS = {
    "av": (
        "BSD-3-Clause AND GPL-3.0-or-later",
        "its wheels contain FFmpeg, linked with x264 and x265",
    ),
    "certifi": ("MPL-2.0", "a list of certificates, which is passed on unchanged"),
    "pi-heif": ("BSD-3-Clause AND LGPL-3.0-or-later", "its wheels contain libheif and libde265"),
}
"""Packages with other licences, and the reason. docs/licences.md says what follows."""

_IN_WORDS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    # Of python-dateutil: all of it by this one, newer parts by Apache-2.0, too.
    "Dual License": "BSD-3-Clause",
    "MIT License": "MIT",
}
"""The identifiers of licences that metadata describe in words."""

_DUAL_GNU = "LGPL-3.0-or-later OR GPL-2.0-or-later"
LIBRARIES = {
    "libSvtAv1Enc": "BSD-3-Clause-Clear",
    "libXau": "MIT-open-group",
    "libasound": "LGPL-2.1-or-later",
    "libavcodec": "LGPL-3.0-or-later",
    "libavdevice": "LGPL-3.0-or-later",
    "libavfilter": "LGPL-3.0-or-later",
    "libavformat": "LGPL-3.0-or-later",
    "libavif": "BSD-2-Clause",
    "libavutil": "LGPL-3.0-or-later",
    "libbrotlicommon": "MIT",
    "libbrotlidec": "MIT",
    "libdav1d": "BSD-2-Clause",
    "libde265": "LGPL-3.0-or-later",
    "libdrm": "MIT",
    "libfreetype": "FTL OR GPL-2.0-or-later",
    "libgmp": _DUAL_GNU,
    "libgnutls": "LGPL-2.1-or-later",
    "libharfbuzz": "MIT",
    "libheif": "LGPL-3.0-or-later",
    "libhogweed": _DUAL_GNU,
    "libjpeg": "IJG AND BSD-3-Clause",
    "liblcms2": "MIT",
    "liblzma": "0BSD",
    "libmp3lame": "LGPL-2.0-or-later",
    "libnettle": _DUAL_GNU,
    "libopencore-amrnb": "Apache-2.0",
    "libopencore-amrwb": "Apache-2.0",
    "libopenjp2": "BSD-2-Clause",
    "libopus": "BSD-3-Clause",
    "libpng16": "libpng-2.0",
    "libsharpyuv": "BSD-3-Clause",
    "libswresample": "LGPL-3.0-or-later",
    "libswscale": "LGPL-3.0-or-later",
    "libtiff": "libtiff",
    "libunistring": _DUAL_GNU,
    "libvpl": "MIT",
    "libvpx": "BSD-3-Clause",
    "libwebp": "BSD-3-Clause",
    "libwebpdemux": "BSD-3-Clause",
    "libwebpmux": "BSD-3-Clause",
    "libx264": "GPL-2.0-or-later",
    "libx265": "GPL-2.0-or-later",
    "libxcb": "X11",
    "libxcb-shape": "X11",
    "libxcb-shm": "X11",
    "libxcb-xfixes": "X11",
    "libzstd": "BSD-3-Clause OR GPL-2.0-only",
}
"""The licence that each library's own project gives it. FFmpeg's libraries say theirs by `av.library_meta`."""

_FILE = re.compile(r"(?P<name>lib.+?)-[0-9a-f]{8}\.so(?:\.(?P<version>[\d.]+))?")


@dataclass(frozen=True, slots=True)
class Library:
    """A shared library in the folder that a wheel brings beside its package."""

    path: Path
    package: str
    name: str
    version: str


def bundled_libraries(packages: Path) -> Iterator[Library]:
    """Yield the shared libraries in an environment's folder of packages, as Linux's wheels contain them."""
    for path in sorted(packages.glob("*.libs/*.so*")):
        if match := _FILE.fullmatch(path.name):
            yield Library(path, path.parent.name.removesuffix(".libs"), match["name"], match["version"] or "")


def licence(distribution: Distribution) -> str:
    """Return the licence of an installed package as an SPDX expression; empty if its metadata have none."""
    metadata = distribution.metadata
    if exception := EXCEPTIONS.get(normal_name(metadata["Name"])):
        return exception[0]
    classifiers = [value for value in metadata.get_all("Classifier", []) if value.startswith("License ::")]
    stated = [*metadata.get_all("License-Expression", []), *metadata.get_all("License", []), *classifiers, ""]
    first_line: str = stated[0].partition("\n")[0]
    return _IN_WORDS.get(first_line, first_line)


def normal_name(name: str) -> str:
    """Return a package's name as requirements files write it."""
    return re.sub(r"[-_.]+", "-", name).lower()
