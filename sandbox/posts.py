"""Everything that ever became public on the platforms of the sandbox."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from sandbox.accounts import Account
from sandbox.journal import Collection, Journal


class ShownMedia(msgspec.Struct, rename="camel", omit_defaults=True):
    """One media item of a post, with the sandbox's own address of it for the page (empty if the file is not kept)."""

    type: Literal["image", "gif", "video", "document"]
    src: str | None = None
    alt: str | None = None


class PublicPost(msgspec.Struct, rename="camel"):
    """One public post.

    `created_at` is in seconds since 1970. `note` (poll options, a first comment) and `edits` (how often it replaced an
    earlier version) are for the page. `detail` is what the fake platform needs to know of it.
    """

    platform: str
    account_id: str
    platform_post_id: str
    text: str
    created_at: float
    kind: str = "post"
    url: str | None = None
    media: list[ShownMedia] = []
    deleted: bool = False
    superseded_by: str | None = None
    note: str | None = None
    edits: int = 0
    detail: dict[str, Any] = {}

    def public(self) -> dict[str, object]:
        """Return the post as the control side lists it."""
        return {
            "platform": self.platform,
            "accountId": self.account_id,
            "platformPostId": self.platform_post_id,
            "text": self.text,
            "mediaCount": len(self.media),
            "createdAt": iso_milliseconds(self.created_at),
            "deleted": self.deleted,
            "supersededBy": self.superseded_by,
        }


class PublicPosts:
    """The posts, in the order in which they became public."""

    def __init__(self, journal: Journal) -> None:
        self._collection = Collection(journal, "post", PublicPost)
        self._by_account: defaultdict[tuple[str, str], list[PublicPost]] = defaultdict(list)
        self.version = 0
        """Increases with every change, so that a reader can ask whether anything is new."""
        self.per_platform: Counter[str] = Counter()
        for post in self._collection:
            self._index(post)

    def add(self, post: PublicPost) -> PublicPost:
        """Make a post public."""
        self._index(post)
        return self.changed(post)

    def changed(self, post: PublicPost) -> PublicPost:
        """Store a post that was changed."""
        self.version += 1
        return self._collection.put(f"{post.platform}:{post.platform_post_id}", post)

    def delete(self, post: PublicPost) -> None:
        """Mark a post as deleted."""
        post.deleted = True
        self.changed(post)

    def get(self, platform: str, platform_post_id: str) -> PublicPost | None:
        """Return a post by its platform's id, deleted or not."""
        return self._collection.get(f"{platform}:{platform_post_id}")

    def by_account(self, account: Account) -> Iterator[PublicPost]:
        """Yield an account's posts, newest first, deleted ones too."""
        return reversed(self._by_account.get((account.platform, account.account_id), ()))

    def move(self, source: Account, target: Account) -> None:
        """Let all posts of one account be those of another."""
        moved = self._by_account.pop((source.platform, source.account_id), [])
        for post in moved:
            post.account_id = target.account_id
            self.changed(post)
        own = self._by_account[target.platform, target.account_id]
        own[:] = sorted([*own, *moved], key=lambda post: post.created_at)

    def newest_first(self) -> Iterator[PublicPost]:
        """Yield every post, newest first, deleted ones too."""
        return reversed(self._collection)

    def __len__(self) -> int:
        return len(self._collection)

    def _index(self, post: PublicPost) -> None:
        self._by_account[post.platform, post.account_id].append(post)
        self.per_platform[post.platform] += 1


def iso_milliseconds(moment: float) -> str:
    """Write seconds since 1970 as RFC 3339 with milliseconds, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(moment * 1000) % 1000:03d}Z"
