"""The containers of Instagram and Threads: created, processed, made public by one call, and read like posts."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import PLAY_APP, PLAY_SECRET, OAuthError
from sandbox.fake_platform import Route, own, route
from sandbox.faults import Operation
from sandbox.graph import FakeGraph, invalid, missing_object, parameters, refused, selected
from sandbox.journal import Collection, Scrambled, shortcode
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

LONG_SECONDS = 5_184_000


class LongLivedTokens(FakeGraph, ABC):
    """The page of consent, the exchange of codes, and that for long-lived tokens."""

    conditions = {  # noqa: RUF012
        **FakeGraph.conditions,
        "publishes_and_refuses": "What is published is refused with 2207051, and is public.",
    }
    exchange_grant: ClassVar[str]
    """The grant_type of the exchange for a long-lived token."""
    refresh_grant: ClassVar[str]
    """The grant_type of the renewal of a long-lived token."""

    @route("POST", "/oauth/access_token", "auth")
    async def redeem(self, request: Request) -> Answer:
        """Exchange a code for a token that is valid for an hour."""
        form = request.texts()
        client = form.get("client_id", ""), form.get("client_secret", "")
        if form.get("grant_type") != "authorization_code":
            return self.refused_code("Invalid grant_type")
        try:
            account, scopes = self.authorization_server.redeem(form, client, self.world.now())
        except OAuthError as problem:
            if problem.code == "invalid_client":
                return self.refused_code("Error validating client secret.")
            return self.refused_code("Matching code was not found or was already used.")
        token = self.world.accounts.issue(account)
        return self.short_lived({"access_token": token, "user_id": account.user_id}, scopes)

    @route("GET", "/access_token", "auth")
    async def exchange(self, request: Request) -> Answer:
        """Exchange a token for one that is valid for 60 days; token and secret are in the query."""
        account, values = self.account(request), parameters(request)
        values.get("access_token")
        if values.get("grant_type") != self.exchange_grant:
            raise refused("Invalid grant_type", 100)
        app = self.world.apps_and_codes.app(self.platform, PLAY_APP)
        if values.get("client_secret") != (app.client_secret if app else PLAY_SECRET):
            raise refused("Error validating client secret.", 1)
        token = self.world.accounts.issue(account)
        return Answer.json({"access_token": token, "token_type": "bearer", "expires_in": LONG_SECONDS})

    @route("GET", "/refresh_access_token", "auth")
    async def renew(self, request: Request) -> Answer:
        """Exchange a valid token for one that is valid for 60 more days."""
        account = self.account(request)
        if parameters(request).get("grant_type") != self.refresh_grant:
            raise refused("Invalid grant_type", 100)
        return Answer.json(self.renewed(self.world.accounts.issue(account, LONG_SECONDS)))

    def renewed(self, token: str) -> dict[str, object]:
        """Return the answer to a renewal."""
        return {"access_token": token, "token_type": "bearer", "expires_in": LONG_SECONDS}

    def short_lived(self, token: dict[str, str], scopes: list[str]) -> Answer:
        """Return the answer with a token that is valid for an hour."""
        return Answer.json(token)

    def refused_code(self, words: str) -> Answer:
        """Refuse a code; the format is not that of the Graph API."""
        return Answer.json({"error_type": "OAuthException", "code": 400, "error_message": words}, 400)


EPOCH_MILLISECONDS = 1_767_225_600_000
"""1 January 2026; the ids last until the middle of 2035."""
FIRST_ID = 17_800_000_000_000_000
ID_RANGE = 300_000_000_000_000
"""Ids of 17 digits that begin with 178, 179 or 180, like those of Instagram's containers and media."""

DAY = CONTAINER_SECONDS = 86_400
"""An unpublished container expires after a day."""

IMAGE_PROCESSING_SECONDS = 1.5
VIDEO_PROCESSING_SECONDS = 8.0
"""How long a container is in progress if `realistic` is set (unverified; real times vary widely)."""


class Container(msgspec.Struct, rename="camel"):
    """One container. Times are seconds since 1970; `error` is what its status shows."""

    id: str
    account_id: str
    kind: str
    created_at: float
    ready_at: float
    text: str = ""
    is_child: bool = False
    media: list[ShownMedia] = []
    error: str | None = None
    post_id: str | None = None

    def status(self, now: float) -> str:
        """Return the status as both platforms report it."""
        if self.post_id is not None:
            return "PUBLISHED"
        if self.error is not None:
            return "ERROR"
        if now - self.created_at >= CONTAINER_SECONDS:
            return "EXPIRED"
        return "FINISHED" if now >= self.ready_at else "IN_PROGRESS"


C = TypeVar("C", bound=Container)


def publishing(fake: "FakeContainers[Any]", request: Request) -> Operation:
    """Return the step of a request to publish, and record the attempt.

    It is recorded before anything can fail: if a client reads the container after this, it confirms whether it was
    published.
    """
    with suppress(RefusedError):
        fake.attempted.add(str(parameters(request).get("creation_id", "")))
    return "publish"


def _reading(fake: "FakeContainers[Any]", request: Request) -> Operation:
    """Return the step of a read: prepare for a container that no client has tried to publish yet, else confirm."""
    container = fake.containers.get(request.params["id"])
    if container is None:
        return "confirm"
    return "confirm" if container.post_id is not None or container.id in fake.attempted else "prepare"


def quota_of_day(total: int) -> dict[str, int]:
    """Describe a limit of the day."""
    return {"quota_total": total, "quota_duration": DAY}


class FakeContainers(LongLivedTokens, ABC, Generic[C]):
    """State and routes that Instagram and Threads share."""

    container_type: ClassVar[type[Container]]
    publish_path: ClassVar[str]
    node_types: ClassVar[tuple[str, str, str]]
    """The names of the types of the profile, of containers and of posts, for errors."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Scrambled(world.now, EPOCH_MILLISECONDS, FIRST_ID, ID_RANGE)
        self.containers: Collection[C] = world.collection(self.platform, "container", self.container_type)  # type: ignore[arg-type]
        self.attempted: set[str] = set()
        """Containers that a client asked to publish; reading one of them is now part of confirm instead of prepare."""

    @route("GET", "/me", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        return self._profile(self.account(request), request)

    @route("GET", "/{id}", _reading)
    async def node(self, request: Request) -> Answer:
        """Read a container, a post or the profile."""
        account, object_id = self.account(request), request.params["id"]
        if object_id == account.user_id:
            return self._profile(account, request)
        if self.holds("reads_refused", account):
            raise missing_object(object_id)
        fields = str(parameters(request).get("fields", ""))
        _, container_type, post_type = self.node_types
        container = self.containers.get(object_id)
        if container is not None and container.account_id == account.account_id:
            return Answer.json(selected(self._container_fields(container, account), fields, container_type))
        post = own(self.visible_post(object_id), account, self._missing(object_id))
        return Answer.json(selected(self._post_fields(post, account), fields, post_type))

    def _routes(self) -> list[Route]:
        pattern = re.compile(self.publish_path.replace("{id}", "(?P<id>[^/]+)"))
        return [*super()._routes(), Route("POST", self.publish_path, pattern, self.publish, publishing)]

    async def publish(self, request: Request) -> Answer:
        """Make a finished container public, once."""
        account, creation_id = self.owner(request), str(parameters(request).get("creation_id") or "")
        if not creation_id:
            raise invalid("The parameter creation_id is required")
        container = own(self.containers.get(creation_id), account, self._missing_container(creation_id))
        if container.is_child:
            raise self._missing_container(creation_id)
        status = container.status(self.world.now())
        if status != "FINISHED":
            raise self._unpublishable(container, status)
        self._count_post(account, container)
        now, post_id = self.world.now(), self.ids.next()
        shown = self._post(account, container, post_id, shortcode(now, post_id))
        post = self.add_post(account, post_id, container.text, created_at=now, media=container.media, **shown)
        container.post_id = post.platform_post_id
        self.containers.put(container.id, container)
        if self.holds("publishes_and_refuses", account):
            raise refused("Action is blocked", 4, 2207051, "We restrict certain activity to protect our community.")
        return Answer.json({"id": post.platform_post_id})

    @abstractmethod
    def _profile_fields(self, account: Account) -> dict[str, Any]:
        """Return all fields of an account's profile."""

    @abstractmethod
    def _container_fields(self, container: C, account: Account) -> dict[str, Any]:
        """Return all fields of a container."""

    @abstractmethod
    def _post_fields(self, post: PublicPost, account: Account) -> dict[str, Any]:
        """Return all fields of a post."""

    @abstractmethod
    def _post(self, account: Account, container: C, post_id: str, code: str) -> dict[str, Any]:
        """Return kind, address and further fields of the post that a container becomes."""

    @abstractmethod
    def _count_post(self, account: Account, container: C) -> None:
        """Count a post against the limit of the day. Raises RefusedError if the limit is reached."""

    def _missing(self, object_id: str) -> RefusedError:
        """Return the error for an object that does not exist."""
        return missing_object(object_id)

    @abstractmethod
    def _missing_container(self, container_id: str) -> RefusedError:
        """Return the error for a container that does not exist or cannot be published by itself."""

    @abstractmethod
    def _unpublishable(self, container: C, status: str) -> RefusedError:
        """Return the error for a container that has this status instead of being finished."""

    def child(self, account: Account, container_id: str) -> C | None:
        """Return an account's container of an item of a carousel, or None."""
        container = self.containers.get(container_id)
        is_own = container is not None and container.account_id == account.account_id and container.is_child
        return container if is_own else None

    def processed_at(self, *, is_video: bool) -> float:
        """Return the time at which a file that was fetched now is processed."""
        seconds = VIDEO_PROCESSING_SECONDS if is_video else IMAGE_PROCESSING_SECONDS
        return self.world.now() + (seconds if self.world.realistic else 0)

    def counted_posts(self, account: Account) -> list[PublicPost]:
        """Return the posts of the last day; none if limits are off."""
        since = self.world.now() - DAY
        return [
            post for post in self.world.posts.by_account(account) if self.world.realistic and post.created_at >= since
        ]

    def listed(self, account: Account, matching_posts: Iterable[PublicPost], limit: int, fields: str) -> Answer:
        """Return a page of posts. Meta's cursors are opaque; here a cursor is the id of the post."""
        posts = list(islice(matching_posts, min(limit, 100)))
        data = [selected(self._post_fields(post, account), fields, self.node_types[2]) for post in posts]
        if not posts:
            return Answer.json({"data": data})
        cursors = {"before": posts[0].platform_post_id, "after": posts[-1].platform_post_id}
        return Answer.json({"data": data, "paging": {"cursors": cursors}})

    def _profile(self, account: Account, request: Request) -> Answer:
        fields = str(parameters(request).get("fields", ""))
        return Answer.json(selected(self._profile_fields(account), fields, self.node_types[0]))
