"""What every network module offers: its rules as data, and prepare, publish, confirm and edit over its own wire.

A network module knows its network and nothing else: not the database, not Temporal, not our HTTP.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from domain.post import Media, MediaType
from domain.rate_limits import Quota, RateLimit
from platforms.boundary import shield
from platforms.errors import PlatformError
from platforms.files import MediaSource
from platforms.http import timeouts
from platforms.http.wire import Wire
from platforms.places import Allowed, PlaceSetting, refused_places
from platforms.rules import FileRule, Rules, Violation

S = TypeVar("S", bound=BaseModel)
"""A network's settings, what platformSpecificData may hold."""
C = TypeVar("C", bound=BaseModel)
"""A network's credentials."""

LONGEST_ID = 512
"""Characters of an id or a name that a network gives; the longest known are Bluesky's addresses of posts, some 100."""
_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f\x7f]{1,2000}")

Handles = dict[str, Any]
"""What a network gave us before anything was public (media ids, containers); JSON, kept in the target's row."""


class WireModel(BaseModel):
    """Be strict about what clients write: camelCase names, nothing unknown, no secrets in error texts."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: object) -> object:
        """Take null for a field that was left out: generated clients write both alike. A required field stays required.

        Fields that may be null have null as their default, so it means the same there.
        """
        if not isinstance(given, dict) or None not in given.values():
            return given
        optional = {
            each for name, field in cls.model_fields.items() if not field.is_required() for each in (name, field.alias)
        }
        return {name: value for name, value in given.items() if value is not None or name not in optional}


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """The version of a network's API that its module speaks, and until when the network serves it."""

    name: str
    """As the network writes it; it may be part of the paths or a header."""
    supported_until: date | None = None
    """The last day, as the network has announced it; None if it has announced none."""
    source: str = ""
    """Where the network says so."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Say who a set of credentials belongs to, as the network itself answers."""

    user_id: str
    username: str
    premium: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)
    """What the account's own server allows where that may differ from the network's rules, by the network's names."""

    def __post_init__(self) -> None:
        """Raise ValueError for an id that is none; shorten a name."""
        _check_id(self.user_id)
        object.__setattr__(self, "username", str(self.username)[:LONGEST_ID])


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """Hold what the rules need to know of an account; no secret is in it. `limits` are those of its Identity."""

    account_id: str
    user_id: str
    username: str
    premium: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)
    allowed: Allowed = field(default_factory=dict)
    """The places beside its own that the account may publish to, by the settings that name them."""


@dataclass(frozen=True, slots=True)
class Draft(Generic[S]):
    """Hold one target's post as it would be sent."""

    text: str
    media: tuple[Media, ...]
    settings: S


@dataclass(frozen=True, slots=True)
class Published:
    """Name what became public. `editable_until` is set where the network allows edits and told us."""

    platform_post_id: str
    url: str | None
    editable_until: datetime | None = None
    warning: str | None = None
    """A sentence for the person who posts: what belongs to the post and could not be done (a first comment)."""

    def __post_init__(self) -> None:
        """Raise ValueError for an id that is none; leave out an address that no browser should follow."""
        _check_id(self.platform_post_id)
        if self.url is not None and not (isinstance(self.url, str) and _WEB_ADDRESS.fullmatch(self.url)):
            object.__setattr__(self, "url", None)


def _check_id(found: object) -> None:
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_ID:
        raise ValueError("it has no id")


@dataclass(frozen=True, slots=True)
class Absent:
    """The network was asked and surely does not have it; `never_sent` if our own note says so, which is always true."""

    never_sent: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The network cannot say (yet); `final` where asking again can never help."""

    final: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The network took it and refused it afterwards, for good: nothing of it is public."""

    error: PlatformError


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The network says that it is public, and does not show it where it could be found: its id is not known."""


Finding = Published | Absent | Unknown | Refused | Unlisted


Save = Callable[[Handles], Awaitable[None]]
"""Keep the handles in the target's row at once, so that a crash loses nothing a network gave us."""


@dataclass(slots=True)
class Connection(Generic[C]):
    """One account's connection to its network for the length of one step."""

    wire: Wire
    account: AccountFacts
    credentials: C
    refresh: Callable[[], Awaitable[C]]
    """Renew the credentials once for all workers: rotating refresh tokens die when they are used twice."""
    keep: Callable[[Callable[[C], C]], Awaitable[C]]
    """Store credentials of which something other than the tokens has changed; returns what is stored then."""
    is_due: Callable[[], bool] = lambda: False
    """Whether so little is left of the access token that it is to be renewed before it is used."""
    vouched: bool = True
    """Whether the server is the network's own or set by the operator. Any other may claim to be what it is not."""


@dataclass(slots=True)
class PublishContext(Generic[S]):
    """Hold what one attempt works on. `started_at` is when its request that makes it public was first sent."""

    draft: Draft[S]
    handles: Handles
    save: Save
    media: MediaSource
    target_id: str = ""
    """Ours, the same over all attempts: what a network's idempotency key may be derived from."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    """By when its last request had ended that may have made it public, if that is known: nothing made later is this."""
    taken: frozenset[str] = frozenset()
    """Posts of the account that are known to be others of ours: however alike, none of them is this one."""
    heartbeat: Callable[[str], None] = field(default=lambda _: None)


class Platform(ABC, Generic[S, C]):
    """Be one network."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Let no step of a network raise anything but PlatformError for an answer of an unexpected shape."""
        super().__init_subclass__(**options)
        shield(cls)

    name: ClassVar[str]
    label: ClassVar[str]
    base_url: ClassVar[str]
    api: ClassVar[ApiVersion]
    account_prefix: ClassVar[str]
    rules: ClassVar[Rules]
    request_id_header: ClassVar[str] = "x-request-id"
    read_lag: ClassVar[timedelta] = timedelta(seconds=45)
    """How long after a send its absence must still hold before it is believed: reads lag behind writes."""
    sends_files: ClassVar[bool] = False
    """Whether the request that makes a post public carries its files."""
    finds_without_handles: ClassVar[bool] = False
    """Whether confirming finds a post without the handles of its send, so that its absence means something then."""
    first_retry: ClassVar[timedelta] = timedelta(seconds=2)
    longest_retry: ClassVar[timedelta] = timedelta(minutes=10)
    """Bounds of the exponential wait between tries where the network names no time itself."""
    pulls_media: ClassVar[frozenset[MediaType]] = frozenset()
    """The kinds of media that the network fetches itself from their addresses; all others are sent to it as bytes."""
    other_base_urls: ClassVar[tuple[str, ...]] = ()
    """Base URLs of hosts that are asked beside the one that an account names."""
    places: ClassVar[tuple[PlaceSetting, ...]] = ()
    """Settings that name a place which the account's credentials reach, but which need not be the account's own."""
    domains: ClassVar[tuple[str, ...]] = ()
    """Hosts that are the network's own, with all below them, beside those of `base_url` and `other_base_urls`.
    An address in an answer gets the account's token only there."""
    pulls_from_verified_domain: ClassVar[bool] = False
    """Whether the network fetches only from addresses that the operator has proven to own: whatever it fetches is then
    served from this service's own."""
    strips_metadata: ClassVar[bool] = False
    """Whether the network makes files of its own out of those it is sent; else all see what these tell of place and
    camera, so that is taken out first."""
    covers: ClassVar[Mapping[str, FileRule]] = {}
    """Settings, by their fields' names, that hold the address of an image to be shown for a video, with what it must
    be: it is fetched, checked and converted as the post's own media are."""
    app_family: ClassVar[str] = ""
    """Another name for the network's app among the operator's: Google's one app serves two networks."""
    app_options: ClassVar[frozenset[str]] = frozenset()
    """What an app of the operator's may say beside its client id and secret, by the names of the environment."""
    registers_itself: ClassVar[bool] = False
    """Whether the app is registered at each server by this service, so that the operator needs no client id."""
    shares_bot: ClassVar[bool] = False
    """Whether accounts may use the operator's bot: its token (an app's `botToken`) is filled in for each request."""
    bot_names_app: ClassVar[bool] = False
    """Whether an app is nothing but its bot, so that the operator gives its token alone."""
    not_given: ClassVar[frozenset[str]] = frozenset()
    """Fields of the credentials that this service alone writes. A client that could name the operator's app would use
    its bot wherever the bot is."""
    settings: type[S]
    credentials: type[C]

    @property
    def own_domains(self) -> tuple[str, ...]:
        """Return all hosts that are the network's own, also with all below them."""
        return (*(urlsplit(url).hostname or "" for url in (self.base_url, *self.other_base_urls)), *self.domains)

    def account_id(self, user_id: str) -> str:
        """Return our id of an account of this network: always the same for the same account."""
        return f"{self.account_prefix}_{user_id}"

    def app_id(self, credentials: C) -> str:
        """Return the id of the app that the credentials were given to; empty if they do not name one."""
        return getattr(credentials, "client_id", None) or ""

    def refusal_applies(self, code: str, credentials: C, draft: Draft[S]) -> bool:
        """Return whether a refusal of the operator's app also stops this draft; `code` is that of the refusal.

        Override it if the network refuses an app only some kinds of post, such as photos or posts that everybody sees.
        """
        return True

    def address(self, credentials: C) -> str:
        """Return the base URL at which an account is reached: its own server's, where accounts name one.

        It is as its owner wrote it, so whoever opens a connection there must hold it against the hosts that the
        operator allows; a base URL that the operator sets wins over it.
        """
        return self.base_url

    @abstractmethod
    def check(self, draft: Draft[S], account: AccountFacts) -> list[Violation]:
        """Return every rule of the network that the draft breaks; asks nobody."""

    def violations(self, draft: Draft[S], account: AccountFacts) -> list[Violation]:
        """Return everything about a draft that the network or this service would refuse; asks nobody."""
        found = self.check(draft, account)
        if account.user_id:
            found += refused_places(self.places, draft.settings, account.account_id, account.user_id, account.allowed)
        return found

    def cautions(self, draft: Draft[S], account: AccountFacts) -> list[Violation]:
        """Return what the author of a valid draft should know: what the network may refuse or change. Asks nobody."""
        return []

    def file_rules(self, draft: Draft[S], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return what the files of this draft are held against before they are sent, at most one rule per kind."""
        return self.rules.files

    @abstractmethod
    def error_of(self, response: httpx.Response) -> PlatformError:
        """Map the network's refusal to what it means; the account's Wire is built with this."""

    def may_still_work(self, draft: Draft[S]) -> timedelta:
        """Return how long the network may work at the request that makes a draft public, once it has all of it."""
        carries_files = self.sends_files and bool(draft.media)
        return timedelta(seconds=timeouts.LONGEST_ANSWER_S) if carries_files else timedelta(0)

    def prepare_rate_limits(self, draft: Draft[S]) -> tuple[RateLimit, ...]:
        """Return how often an account may begin to upload or build such a draft."""
        return self.rules.prepare_rate_limits

    def quota_in(self, response: httpx.Response) -> Quota | None:
        """Return the quota that the response to a public request reports."""
        return None

    def prepares(self, draft: Draft[S]) -> bool:
        """Tell whether something must be uploaded or built before this draft can be published."""
        return bool(draft.media)

    @abstractmethod
    async def whoami(self, connection: Connection[C]) -> Identity:
        """Ask the network whose credentials these are."""

    async def prepare(self, connection: Connection[C], context: PublishContext[S]) -> None:
        """Upload and build what publishing needs; nothing becomes public. Repeatable: goes on from the handles.

        Raises PlatformError; of kind `not_ready` while the network still works on what it was given.
        """

    async def assign_key(self, context: PublishContext[S]) -> None:
        """Choose what the post will be known by, where that is ours to choose. Asks nobody.

        It is saved by the very transaction that begins the send, so that it can be confirmed if the answer is lost.
        """

    @abstractmethod
    async def publish(self, connection: Connection[C], context: PublishContext[S]) -> Published:
        """Make the one request that makes the post public.

        Raises PlatformError: kind `unconfirmed` wherever the request may have had its effect.
        """

    @abstractmethod
    async def confirm(self, connection: Connection[C], context: PublishContext[S]) -> Finding:
        """Find out on the network whether an unconfirmed send was published; changes nothing.

        If text, time or anything else that two posts may share decides, `matching.earliest_unclaimed` chooses.
        """

    async def complete(self, connection: Connection[C], context: PublishContext[S], published: Published) -> Published:
        """Do what can be done only once the post is public: fetch its permalink, add a first comment, go on a thread.

        Repeatable: it goes on from the handles, in which every request that makes something public is noted before it
        is sent; one whose answer was lost is confirmed or left, never repeated blindly. What cannot be done becomes the
        result's `warning`. Raises PlatformError of a kind that is tried again where it shall be called again; nothing
        here unpublishes the post.
        """
        return published


class ReportsQuota(ABC, Generic[C]):
    """A network that can be asked how many posts an account may still publish."""

    @abstractmethod
    async def quota(self, connection: Connection[C]) -> Quota:
        """Ask how many posts the account may still publish; `limit` is how many in the longest window of the rules.

        Raises PlatformError.
        """


class Editable(ABC, Generic[S, C]):
    """Be a network whose published posts can be edited, for `edit_window` where a post's own time is not known."""

    edit_window: ClassVar[timedelta]

    @abstractmethod
    async def edit(self, connection: Connection[C], published: Published, text: str) -> Published:
        """Replace the text of a published post by one request; returns the new version.

        Raises PlatformError: kind `unconfirmed` wherever the edit may have had its effect.
        """

    @abstractmethod
    async def confirm_edit(self, connection: Connection[C], published: Published, text: str) -> Finding:
        """Find out whether an unconfirmed edit was made."""
