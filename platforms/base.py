"""The interface of every platform module: its rules as data, and its prepare, publish, confirm and edit steps.

A platform module knows its platform only. It does not know the database, Temporal or this service's API.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel

from domain.post import Media
from domain.request_limits import Quota, RateLimit
from platforms.app_rules import AppRules
from platforms.errors import PlatformError, shield
from platforms.files import MediaPulls, MediaSource
from platforms.http import timeouts
from platforms.http.refusals import Refusals
from platforms.http.wire import Wire
from platforms.places import Allowed, PlaceSetting, refused_places
from platforms.rules import FileRule, Rules, Violation

S = TypeVar("S", bound=BaseModel)
"""A platform's settings: the model of platformSpecificData."""
C = TypeVar("C", bound=BaseModel)
"""A platform's credentials."""

LONGEST_ID = 512
"""Most characters of a platform's id or name. The longest known are Bluesky's post addresses, some 100."""
_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f\x7f]{1,2000}")

Handles = dict[str, Any]
"""What the platform gave us before the post was public (media ids, containers). JSON, kept in the target's row."""


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """The version of a platform's API that its module uses, and the last day on which the platform serves it."""

    name: str
    """The version as the platform writes it. It may be part of the paths or a header."""
    supported_until: date | None = None
    """The last day that the platform has announced; None if it has announced none."""
    source: str = ""
    """The page on which the platform announces it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The owner of a set of credentials, as reported by the platform."""

    user_id: str
    username: str
    premium: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)
    """The limits of the account's own server that may differ from the platform's rules, by the platform's names."""

    def __post_init__(self) -> None:
        """Raise ValueError if the id is invalid; shorten the name."""
        _check_id(self.user_id)
        object.__setattr__(self, "username", str(self.username)[:LONGEST_ID])


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The facts of an account that the rules need, without secrets. `limits` are those of its Identity."""

    account_id: str
    user_id: str
    username: str
    premium: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)
    allowed: Allowed = field(default_factory=dict)
    """The places beside its own that the account may publish to, by the settings that name them."""


@dataclass(frozen=True, slots=True)
class Draft(Generic[S]):
    """One target's post as it would be sent."""

    text: str
    media: tuple[Media, ...]
    settings: S


@dataclass(frozen=True, slots=True)
class Published:
    """A published post. `editable_until` is set if the platform allows edits and reports until when."""

    platform_post_id: str
    url: str | None
    editable_until: datetime | None = None
    warning: str | None = None
    """A message for the author about a part of the post that could not be done, such as a first comment."""

    def __post_init__(self) -> None:
        """Raise ValueError if the id is invalid; drop an address that no browser should follow."""
        _check_id(self.platform_post_id)
        if self.url is not None and not (isinstance(self.url, str) and _WEB_ADDRESS.fullmatch(self.url)):
            object.__setattr__(self, "url", None)


def _check_id(value: object) -> None:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        raise ValueError("it has no id")


@dataclass(frozen=True, slots=True)
class Absent:
    """The post surely does not exist, or cannot be published twice by sending it again.

    `never_sent`: our own marker says that it does not exist, which can always be trusted. `is_unread`: the platform
    shows no posts of the account, and refuses a repeat by naming the first.
    """

    never_sent: bool = False
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The platform cannot say (yet) whether the post exists. `final`: asking again can never help.

    `is_cut`: it lists more than is read of a response, and the post is not among what was read.
    """

    final: bool = False
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform accepted the post and rejected it later, for good. Nothing of it is public."""

    error: PlatformError


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The platform says that the post is public but does not list it, so its id is not known."""


Finding = Published | Absent | Unknown | Refused | Unlisted


Save = Callable[[Handles], Awaitable[None]]
"""Saves the handles in the target's row immediately, so that a crash loses nothing that the platform gave us."""


@dataclass(slots=True)
class Connection(Generic[C]):
    """One account's connection to its platform during one step."""

    wire: Wire
    account: AccountFacts
    credentials: C
    refresh: Callable[[], Awaitable[C]]
    """Renews the credentials once for all workers. A rotating refresh token must not be used twice."""
    keep: Callable[[Callable[[C], C]], Awaitable[C]]
    """Stores credentials of which something other than the tokens has changed; returns what is stored then."""
    is_due: Callable[[], bool] = lambda: False
    """Returns whether the access token ends so soon that it must be renewed before it is used."""
    is_trusted: bool = True
    """Whether the server is the platform's own or set by the operator. Any other may claim to be what it is not."""


@dataclass(slots=True)
class PublishContext(Generic[S]):
    """The data of one attempt."""

    draft: Draft[S]
    handles: Handles
    save: Save
    media: MediaSource
    target_id: str = ""
    """Our id, the same over all attempts. A platform's idempotency key may be derived from it."""
    started_at: datetime | None = None
    """When the request that makes the post public was first sent; None if it never was."""
    ended_at: datetime | None = None
    """When the last request ended that may have made the post public, if known. A post made later is not this one."""
    is_refused: bool = False
    """Whether a trusted answer refused the last send. Then only a post that is listed contradicts it."""
    taken: frozenset[str] = frozenset()
    """Posts of the account that are known to belong to other targets. This post is not one of them, even if equal."""
    heartbeat: Callable[[str], None] = field(default=lambda _: None)


def _no_cautions(_: str, __: Draft[Any]) -> list[Violation]:
    return []


def _no_quota(_: httpx.Response) -> Quota | None:
    return None


class Platform(ABC, Generic[S, C]):
    """A platform that posts are published to."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Make every step of the platform raise PlatformError for a response of an unexpected shape."""
        super().__init_subclass__(**options)
        shield(cls)

    name: ClassVar[str]
    label: ClassVar[str]
    base_url: ClassVar[str]
    api: ClassVar[ApiVersion]
    account_prefix: ClassVar[str]
    rules: ClassVar[Rules]
    broken_rules: Callable[[str, Draft[S], AccountFacts], list[Violation]]
    """Returns every rule that a draft breaks, worded with the platform's label; sends no request."""
    cautions: Callable[[str, Draft[S]], list[Violation]] = staticmethod(_no_cautions)
    """Returns warnings for the author of a valid draft: what the platform may reject or change."""
    read_error: Callable[[httpx.Response], PlatformError]
    """Maps an error response to a PlatformError. The account's Wire is built with this."""
    quota_in: Callable[[httpx.Response], Quota | None] = staticmethod(_no_quota)
    """Returns the quota that the response to a public request reports."""
    refusals: ClassVar[Refusals]
    """The answers to its public requests that prove that nothing was published, with their source."""
    request_id_header: ClassVar[str] = "x-request-id"
    read_lag: ClassVar[timedelta] = timedelta(seconds=45)
    """How long after a send a missing post must stay missing before it counts as absent: reads lag behind writes."""
    sends_files: ClassVar[bool] = False
    """Whether the request that makes a post public carries its files."""
    finds_without_handles: ClassVar[bool] = False
    """Whether `confirm` finds a post without the handles of its send, so that not finding it means something."""
    pulls: ClassVar[MediaPulls] = MediaPulls()
    """The media that the platform fetches from their URLs; all others are sent to it as bytes."""
    other_base_urls: ClassVar[tuple[str, ...]] = ()
    """Base URLs of further hosts that are called besides the one that an account names."""
    places: ClassVar[tuple[PlaceSetting, ...]] = ()
    """Settings that name a place which the account's credentials reach, but which may not be the account's own."""
    domains: ClassVar[tuple[str, ...]] = ()
    """The platform's own hosts, including all their subdomains, in addition to those of `base_url` and
    `other_base_urls`. The account's token is sent only to these if a response names the address."""
    strips_metadata: ClassVar[bool] = False
    """Whether the platform re-encodes the files that it gets. If not, their metadata (place, camera) would be
    public, so this service removes it first."""
    covers: ClassVar[Mapping[str, FileRule]] = {}
    """Settings, by field name, that hold the URL of a video's cover image, or a list of objects with the `url` of its
    captions, with the rule for their files. Each is fetched, checked and converted like the post's own media."""
    app: ClassVar[AppRules] = AppRules()
    """The rules of the operator's app."""
    service_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields of the credentials that only this service may write. A client that could name the operator's app could use
    the bot in every place that has added it."""
    settings: type[S]
    credentials: type[C]

    @property
    def own_domains(self) -> tuple[str, ...]:
        """Return all hosts that are the platform's own; their subdomains are its own, too."""
        return (*(urlsplit(url).hostname or "" for url in (self.base_url, *self.other_base_urls)), *self.domains)

    def account_id(self, user_id: str) -> str:
        """Return our id of an account of this platform; it is always the same for the same account."""
        return f"{self.account_prefix}_{user_id}"

    def app_id(self, credentials: C) -> str:
        """Return the id of the app that the credentials were issued to; empty if they do not name one."""
        return getattr(credentials, "client_id", None) or ""

    def refusal_applies(self, code: str, credentials: C, draft: Draft[S]) -> bool:
        """Return whether a refusal of the operator's app also stops this draft; `code` is the code of that refusal.

        Override it if the platform refuses an app only some kinds of post, such as photos or public posts.
        """
        return True

    def check(self, draft: Draft[S], account: AccountFacts) -> list[Violation]:
        """Return every rule of the platform that the draft breaks. Sends no request."""
        return self.broken_rules(self.label, draft, account)

    def violations(self, draft: Draft[S], account: AccountFacts) -> list[Violation]:
        """Return everything about a draft that the platform or this service would reject. Sends no request."""
        violations = self.check(draft, account)
        if account.user_id:
            own = (account.account_id, account.user_id)
            violations += refused_places(self.places, draft.settings, *own, account.allowed)
        return violations

    def file_rules(self, draft: Draft[S], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules for the files of this draft, at most one per kind of media."""
        return self.rules.files

    def may_still_work(self, draft: Draft[S]) -> timedelta:
        """Return how long the platform may process the request that makes a draft public, once it is fully sent."""
        carries_files = self.sends_files and bool(draft.media)
        return timedelta(seconds=timeouts.LONGEST_ANSWER_S) if carries_files else timedelta(0)

    def shows_posts(self, credentials: C, draft: Draft[S]) -> bool:
        """Return whether `confirm` can tell of such a draft that it was not published, or whether a repeat is refused.

        If it cannot, repeats after refusals are bounded: a refusal may lie (`store.publishing.claims`).
        """
        return True

    def prepare_rate_limits(self, draft: Draft[S]) -> tuple[RateLimit, ...]:
        """Return how often an account may begin to upload or build such a draft."""
        return self.rules.prepare_rate_limits

    def prepares(self, draft: Draft[S]) -> bool:
        """Return whether something must be uploaded or built before this draft can be published."""
        return bool(draft.media)

    @abstractmethod
    async def whoami(self, connection: Connection[C]) -> Identity:
        """Ask the platform whose credentials these are."""

    async def prepare(self, connection: Connection[C], context: PublishContext[S]) -> None:
        """Upload and build what publishing needs; nothing becomes public. Repeatable: continues from the handles.

        Raises PlatformError, kind `not_ready` while the platform still processes what it was given.
        """

    @abstractmethod
    async def publish(self, connection: Connection[C], context: PublishContext[S]) -> Published:
        """Send the one request that makes the post public.

        Raises PlatformError, kind `unconfirmed` if the request may have had its effect.
        """

    async def confirm(self, connection: Connection[C], context: PublishContext[S]) -> Finding:
        """Find out on the platform whether an unconfirmed send was published. Changes nothing.

        A post that was never sent is absent, and the platform is not asked.
        """
        if context.started_at is None:
            return Absent()
        return await self.confirm_sent(connection, context, context.started_at)

    @abstractmethod
    async def confirm_sent(self, connection: Connection[C], context: PublishContext[S], sent_at: datetime) -> Finding:
        """Confirm a post whose public request was first sent at `sent_at`, as `confirm` does.

        If text, time or anything else that two posts may share decides, `matching.verdict` chooses.
        """

    async def complete(self, connection: Connection[C], context: PublishContext[S], published: Published) -> Published:
        """Run the steps that need a public post: fetch its permalink, add a comment, continue a thread.

        Repeatable: continues from the handles. Every request that makes something public is noted in them before it is
        sent. If its response is lost, it is confirmed or left alone, never repeated blindly.

        A failure to do a part becomes the result's `warning`. Raises PlatformError of a retryable kind if this must be
        called again. Nothing here unpublishes the post.
        """
        return published


AnyPlatform = Platform[Any, Any]
"""A platform of which neither the settings nor the credentials are known."""
