"""The data of the page: the newest posts with their accounts and media, sent only if something is new."""

from collections.abc import Mapping
from itertools import islice

from sandbox.fake_platform import FakePlatform
from sandbox.posts import PublicPost
from sandbox.world import World

PAGE_SIZE = 60


class Feed:
    """The posts as cards."""

    def __init__(self, world: World, fakes: Mapping[str, FakePlatform]) -> None:
        self._world = world
        self._fakes = fakes

    def read(self, version: str | None, count: str | None, platform: str | None) -> dict[str, object]:
        """Return the newest `count` cards, or only the version if the reader has them already."""
        limit = int(count) if count and count.isdecimal() else PAGE_SIZE
        current = f"{len(self._world.posts)}.{self._world.posts.version}.{limit}.{platform or ''}"
        if version == current:
            return {"version": current}
        posts = (post for post in self._world.posts.newest_first() if platform in (None, "", post.platform))
        cards = [self._card(post) for post in islice(posts, limit)]
        return {
            "version": current,
            "total": len(self._world.posts),
            "platforms": self._platforms(),
            "cards": cards,
        }

    def _platforms(self) -> list[dict[str, object]]:
        count = self._world.posts.per_platform
        return [
            {"name": fake.platform, "label": fake.label, "colour": fake.colour, "posts": count[fake.platform]}
            for fake in self._fakes.values()
        ]

    def _card(self, post: PublicPost) -> dict[str, object]:
        account = self._world.accounts.get(post.platform, post.account_id)
        return {
            **post.public(),
            "kind": post.kind,
            "url": post.url,
            "media": post.media,
            "username": account.username if account else post.account_id,
            "premium": account.premium if account else False,
            "note": post.note,
            "edits": post.edits,
        }
