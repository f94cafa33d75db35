"""Matching of public posts that no row knows by id with targets: by account, text and the time of the sends."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

from platforms.registry import platforms
from reconcile.doctor.sandbox import AccountKey, Public, SandboxPosts
from store.maintenance.expected_posts import ExpectedPost

_CLOCKS_APART = timedelta(seconds=5)
_FIELDS = ("title", "description")
_ITEMS = ("threadItems", "thread_items")


class UnknownPosts:
    """The public posts that no row knows, to be matched with targets."""

    def __init__(self, seen: SandboxPosts, expected_posts: Sequence[ExpectedPost]) -> None:
        self._posts: defaultdict[AccountKey, list[Public]] = defaultdict(list)
        known = {(_account_key(expected), post_id) for expected in expected_posts for post_id in expected.ids}
        # A version that replaced another is reported with that one.
        known |= {(post.account_key, post.superseded_by) for post in seen.posts if post.superseded_by}
        in_threads = {
            (_account_key(expected), _plain(text)) for expected in expected_posts for text in _thread(expected)
        }
        for post in sorted(seen.posts, key=lambda post: post.made_at):
            in_thread = (post.account_key, _plain(post.text)) in in_threads
            if not (post.deleted or post.superseded_by or (post.account_key, post.id) in known or in_thread):
                self._posts[post.account_key].append(post)

    def take(self, expected: ExpectedPost, most: int | None = None) -> list[Public]:
        """Return posts, oldest first, that a target's sends may have made. Each is returned once."""
        begin, end = expected.sends.first, expected.sends.last
        if begin is None or end is None:
            return []
        begin, end = begin - _CLOCKS_APART, end + platforms()[expected.target.platform].read_lag
        candidates, words = self._posts[_account_key(expected)], _words(expected)
        fitting = (candidate for candidate in candidates if begin <= candidate.made_at <= end + _CLOCKS_APART)
        mine = [candidate for candidate in fitting if _plain(candidate.text) in words][:most]
        self._posts[_account_key(expected)] = [candidate for candidate in candidates if candidate not in mine]
        return mine


def _account_key(expected: ExpectedPost) -> AccountKey:
    return expected.target.platform, expected.target.account_id


def _plain(text: str) -> str:
    """Return a text without the parts that platforms change."""
    return " ".join(text.split())


def _words(expected: ExpectedPost) -> set[str]:
    """Return the texts that a platform may show for a target: some take its first line or a field as the title."""
    _, _, rest = expected.sent_text.strip().partition("\n")
    own = (expected.settings.get(name) for name in _FIELDS)
    texts = {_plain(text) for text in (rest, *own) if isinstance(text, str) and text.strip()}
    return texts | {_plain(expected.sent_text)}


def _thread(expected: ExpectedPost) -> Iterable[str]:
    """Return the texts of the posts that follow a target's own in its thread."""
    items = next((expected.settings[name] for name in _ITEMS if name in expected.settings), None)
    return [str(item.get("content") or "") for item in items or () if isinstance(item, dict)]
