"""The comparison of targets with the posts that the sandbox's platforms show, by id or by account, text and time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from activities.options import COMPLETE_WITHIN
from domain.post import TargetStatus
from platforms.capabilities import Editable
from platforms.registry import platforms
from reconcile.doctor.findings import Finding, FindingKind, FixedBy, Subject
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


_BY_HAND = '(docs/backup.md, "Correct rows by hand")'


class PublicComparison:
    """A comparison of all targets with all public posts, made once."""

    def __init__(
        self, seen: SandboxPosts, expected_posts: Sequence[ExpectedPost], workspace_id: str | None = None
    ) -> None:
        # An account that the sandbox does not know is on a separate server.
        self._expected_posts = [post for post in expected_posts if _account_key(post) in seen.accounts]
        self._seen = seen
        # Workspaces may share an account, so all of its posts must be known to compare one.
        self._compared = [post for post in self._expected_posts if workspace_id in {None, post.target.workspace_id}]
        self._public = {(post.account_key, post.id): post for post in seen.posts}
        self._unknown_posts = UnknownPosts(seen, self._expected_posts)
        self._claims = Counter((_account_key(post), post.target.platform_post_id) for post in self._expected_posts)

    @property
    def compared(self) -> int:
        """Return how many public posts are on the accounts of the compared targets."""
        places = {_account_key(expected) for expected in self._compared}
        return sum(
            post.account_key in places and not post.deleted and not post.superseded_by for post in self._seen.posts
        )

    def findings(self) -> Iterator[Finding]:
        """Yield all disagreements."""
        # Each target without a known public post is matched with one first, before any post is called a double.
        hidden = [post for post in self._expected_posts if self._shown(post) is None]
        posts_by_target = {post.target.id: self._unknown_posts.take(post, 1) for post in hidden}
        for expected in self._compared:
            shown = self._shown(expected)
            mine = posts_by_target.get(expected.target.id, [shown] if shown and not shown.deleted else [])
            if expected.target.status == TargetStatus.PUBLISHED:
                yield from self._compare_published(expected, mine)
            elif mine and not _awaits_confirmation(expected):
                yield _unknown(expected, mine[0])
            if more := self._unknown_posts.take(expected):
                ids = ", ".join(post.id for post in more)
                what = f"It is public more than once on {_named(expected)}: as {ids}, too."
                yield _finding(FindingKind.DOUBLE, FixedBy.PERSON, expected, what, "Delete all of them but one there.")

    def _shown(self, expected: ExpectedPost) -> Public | None:
        return self._public.get((_account_key(expected), expected.target.platform_post_id or ""))

    def _compare_published(self, expected: ExpectedPost, matching_posts: Sequence[Public]) -> Iterator[Finding]:
        claimed, public = expected.target.platform_post_id, self._shown(expected)
        if claimed is None:
            # A person has said that the post is public, but not which post it is.
            return
        if public is None and matching_posts:
            yield _other_id(expected, matching_posts[0])
        elif public is None and not expected.settings.get("draft"):
            what = f"The row says published as {claimed}, and {_named(expected)} never had that post."
            how = (
                "If a person has settled it in the last 7 days, POST /v1/posts/{postId}/resolve corrects that. Else "
                f"look at the account; if it is certainly not public, correct the row {_BY_HAND}."
            )
            yield _finding(FindingKind.NOT_PUBLIC, FixedBy.PERSON, expected, what, how)
        elif self._claims[_account_key(expected), claimed] > 1:
            what = f"The row says published as {claimed}, and so does the row of another target."
            how = f"Look at the account: one of the two is not public; correct its row {_BY_HAND}."
            yield _finding(FindingKind.NOT_PUBLIC, FixedBy.PERSON, expected, what, how)
        if public is not None and not public.deleted:
            yield from self._version(expected, public)

    def _version(self, expected: ExpectedPost, public: Public) -> Iterator[Finding]:
        newest = public
        while newest.superseded_by and (later := self._public.get((newest.account_key, newest.superseded_by))):
            newest = later
        if newest is not public:
            what = f"The row knows the version {public.id}, and {_named(expected)} shows {newest.id}."
            if expected.sends.editing:
                how = "By itself: the edit's answer was lost, and the worker tries to confirm it."
                yield _finding(FindingKind.OLD_VERSION, FixedBy.SYSTEM, expected, what, how)
            else:
                how = "Nothing needs to be done if somebody has edited it there; here it can no longer be edited."
                yield _finding(FindingKind.OLD_VERSION, FixedBy.PERSON, expected, what, how)
        elif (
            isinstance(platforms()[expected.target.platform], Editable) and newest.text.split() != expected.text.split()
        ):
            what = f"The row and {_named(expected)} have different texts for {newest.id}."
            how = "Edit it (POST /v1/posts/{postId}/edit) if that is still possible, or leave it."
            yield _finding(FindingKind.OTHER_TEXT, FixedBy.PERSON, expected, what, how)


def _awaits_confirmation(expected: ExpectedPost) -> bool:
    """Return whether a public post of the target is about to be confirmed, or its response is still awaited."""
    return expected.sends.awaited or (expected.target.status == TargetStatus.UNCONFIRMED and expected.target.confirming)


def _unknown(expected: ExpectedPost, public: Public) -> Finding:
    status = expected.target.status
    what = f"The row says {status}, and {_named(expected)} shows it as {public.id}."
    if status == TargetStatus.UNCONFIRMED:
        how = f'Settle it: POST /v1/posts/{{postId}}/resolve with "published" and the platformPostId {public.id}.'
    elif status == TargetStatus.FAILED:
        how = (
            "Do not retry it: that would publish it twice. If a person has settled it in the last 7 days, POST "
            f"/v1/posts/{{postId}}/resolve corrects that; else correct the row {_BY_HAND}."
        )
    else:
        how = (
            "Before it is sent again, the platform is asked for it, and if it shows the post, that settles it. If the "
            f"platform cannot show it, cancel its workflow until then, and correct the row {_BY_HAND}."
        )
    return _finding(FindingKind.UNKNOWN_PUBLIC, FixedBy.PERSON, expected, what, how)


def _other_id(expected: ExpectedPost, public: Public) -> Finding:
    target = expected.target
    what = f"The row says published as {target.platform_post_id}, and {_named(expected)} shows it as {public.id}."
    by = target.published_at + COMPLETE_WITHIN if target.published_at else None
    how = "By itself if the platform reports the public id late: the worker asks until it is known."
    return _finding(FindingKind.OTHER_ID, FixedBy.SYSTEM, expected, what, how, by)


def _finding(
    kind: FindingKind, fixed_by: FixedBy, expected: ExpectedPost, what: str, how: str, by: datetime | None = None
) -> Finding:
    target, post = expected.target, expected.post
    subject = Subject(post.id, post.workspace_id, post.workflow_id, target.id, target.platform, target.account_id)
    return Finding(kind, fixed_by, subject, what, how, by)


def _named(expected: ExpectedPost) -> str:
    return platforms()[expected.target.platform].label


def _account_key(expected: ExpectedPost) -> tuple[str, str]:
    return expected.target.platform, expected.target.account_id
