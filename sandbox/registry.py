"""The platforms of the sandbox, as they are found in `sandbox.platforms`."""

import importlib
import pkgutil

from sandbox import platforms
from sandbox.fake_platform import FakePlatform


def discover() -> list[type[FakePlatform]]:
    """Return the fake platforms of all modules in `sandbox.platforms`, by platform."""
    classes: dict[str, type[FakePlatform]] = {}
    for info in pkgutil.iter_modules(platforms.__path__):
        module = importlib.import_module(f"{platforms.__name__}.{info.name}")
        for member in vars(module).values():
            if isinstance(member, type) and issubclass(member, FakePlatform) and "platform" in vars(member):
                classes[member.platform] = member
    return [classes[platform] for platform in sorted(classes)]
