"""List the networks this service publishes to: every module of this package that defines a NETWORK."""

import importlib
import pkgutil
from functools import cache
from typing import Any

import platforms
from platforms.base import Network


@cache
def networks() -> dict[str, Network[Any, Any]]:
    """Return every network by the name that clients write in `platform`, in alphabetical order."""
    found: dict[str, Network[Any, Any]] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(platforms.__path__)):
        network = getattr(importlib.import_module(f"platforms.{module}"), "NETWORK", None)
        if isinstance(network, Network):
            found[network.platform] = network
    return found
