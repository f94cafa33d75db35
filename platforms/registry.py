"""The list of the platforms that this service publishes to: every module of this package that defines a PLATFORM."""

import importlib
import pkgutil
from functools import cache
from typing import Any

import platforms as package
from platforms.base import Platform


@cache
def platforms() -> dict[str, Platform[Any, Any]]:
    """Return every platform by the name that clients write in `platform`, in alphabetical order."""
    found: dict[str, Platform[Any, Any]] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        platform = getattr(importlib.import_module(f"platforms.{module}"), "PLATFORM", None)
        if isinstance(platform, Platform):
            found[platform.name] = platform
    return found
