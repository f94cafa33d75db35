"""The state that the platforms of one sandbox share."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from sandbox.accounts import Accounts
from sandbox.authorization import AppsAndCodes
from sandbox.conditions import Conditions
from sandbox.journal import Collection, Journal
from sandbox.limits import Windows
from sandbox.posts import PublicPosts
from sandbox.uploads import Uploads

T = TypeVar("T", bound=msgspec.Struct)


class World:
    """Accounts, posts and uploads; `realistic` switches on the platforms' own rate limits and processing times."""

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        realistic: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.journal = Journal(data_dir)
        self.realistic = realistic
        self.now = clock
        self.accounts = Accounts(self.journal, clock)
        self.apps_and_codes = AppsAndCodes(self.journal)
        self.posts = PublicPosts(self.journal)
        self.uploads = Uploads()
        self.conditions = Conditions()
        self.windows = Windows(clock, on=realistic)

    def collection(self, platform: str, name: str, kind: type[T]) -> Collection[T]:
        """Return a platform's collection for values of one kind that must survive a restart."""
        return Collection(self.journal, f"{platform}.{name}", kind)
