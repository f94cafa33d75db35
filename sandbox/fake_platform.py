"""The base of every platform of the sandbox: routes with their operations, and the platform's own errors."""

import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from sandbox import media as samples
from sandbox.accounts import Account, DescribedAccount
from sandbox.authorization import AuthorizationServer, ConsentRules, OAuthError
from sandbox.faults import Operation
from sandbox.fetching import Fetched, fetch, probe
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request
from sandbox.world import Window, World

Handler = Callable[[Request], Awaitable[Answer]]
Classify = Callable[[Any, Request], Operation]
"""Return what a request is for, if the route alone does not say it."""

MediaKind = Literal["image", "gif", "video", "document"]

H = TypeVar("H", bound=Callable[..., Awaitable[Answer]])


class Owned(Protocol):
    """A thing that belongs to an account."""

    account_id: str


O = TypeVar("O", bound=Owned)  # noqa: E741

_ROUTES = "__sandbox_routes__"
_PARAMETER = re.compile(r"\{(\w+)\}")


def route(method: str, path: str, operation: Operation | Classify) -> Callable[[H], H]:
    """Serve a method and path of the platform with the decorated handler.

    `{name}` in the path matches anything but a slash; its decoded value is in `request.params`. Routes are tried in the
    order in which the class has them.
    """

    def mark(handler: H) -> H:
        marks: list[tuple[str, str, Operation | Classify]] = getattr(handler, _ROUTES, [])
        setattr(handler, _ROUTES, [*marks, (method, path, operation)])
        return handler

    return mark


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a fake platform, bound to it."""

    method: str
    path: str
    pattern: re.Pattern[str]
    handler: Handler
    operation: Operation | Classify


def own(thing: O | None, account: Account, missing: RefusedError) -> O:
    """Return a thing that the account has; raises `missing` if there is none, or if it is another account's."""
    if thing is None or thing.account_id != account.account_id:
        raise missing
    return thing


class FakePlatform(ABC):
    """A server that behaves like one platform.

    A subclass names its `platform`, which is also its path prefix, and what the page shows of it. It has handlers
    marked with `route`, and returns its platform's own errors for an unknown token, a reached limit and a failure.
    `sandbox.registry` finds subclasses in the package `sandbox.platforms`.
    """

    platform: ClassVar[str]
    label: ClassVar[str]
    colour: ClassVar[str]
    account_prefix: ClassVar[str]
    """How the API's ids of the platform's accounts begin. The API's own code has it, too, and is compared by a test."""
    conditions: ClassVar[Mapping[str, str]] = {}
    """The conditions that this platform knows in addition to `app_refused`, by name, with a sentence on what each does.
    """
    refuses_app_for: ClassVar[frozenset[Operation]] = frozenset({"prepare", "publish"})
    """The operations that are refused while the operator's app is refused; most platforms still answer reads."""

    consent: ClassVar[ConsentRules | None] = None
    """How the platform asks people for their consent, if it does."""

    renewal_path: ClassVar[str | None] = None
    """The path of the token endpoint, at which apps name themselves."""

    without_effect: ClassVar[frozenset[str]] = frozenset()
    """Parameters that the platform documents and that change nothing here; with --strict all others are refused."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._fixed: dict[tuple[str, str], Route] = {}
        self._open: list[Route] = []
        for bound in self._routes():
            if _PARAMETER.search(bound.path):
                self._open.append(bound)
            else:
                self._fixed[bound.method, bound.path] = bound

    @property
    def authorization_server(self) -> AuthorizationServer:
        """Return the platform's authorization server."""
        if self.consent is None:
            raise LookupError(f"{self.label} has no page of consent")
        world = self.world
        return AuthorizationServer(
            self.platform, self.label, self.consent, world.apps_and_codes, world.accounts, self.new_account
        )

    @abstractmethod
    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the platform's error for a failure with this status."""

    def refused_content(self) -> Answer:
        """Return the platform's error for a post that it does not accept. Nothing of it was made."""
        return self.failure(400)

    @abstractmethod
    def unauthorized(self) -> Answer:
        """Return the platform's error for a missing or unknown token."""

    def token_expired(self) -> Answer:
        """Return the platform's error for an expired token: that for an unknown one, unless overridden."""
        return self.unauthorized()

    @abstractmethod
    def rate_limited(self, seconds: float) -> Answer:
        """Return status 429 with the platform's own headers: the limit is reached and resets in `seconds`."""

    def refuses_app(self, operation: Operation, request: Request) -> bool:
        """Return whether this request is refused while the operator's app is refused."""
        return operation in self.refuses_app_for

    def app_refused(self) -> Answer:
        """Return the platform's error for an operator's app that is not approved, not enabled or out of credits."""
        return self.failure(403, "This app is not approved.")

    def malformed(self, reason: str) -> Answer:
        """Return the platform's error for a body that cannot be read."""
        return self.failure(400, reason)

    def oauth_refused(self, problem: OAuthError) -> Answer:
        """Return the error of a token endpoint, in the form of RFC 6749."""
        body = {"error": problem.code, "error_description": problem.description}
        return Answer.json(body, 401 if problem.code == "invalid_client" else 400)

    def client_unknown(self) -> Answer:
        """Return the error for an app whose id and secret are unknown: that of RFC 6749, unless overridden."""
        return Answer.json({"error": "invalid_client", "error_description": "Client authentication failed."}, 401)

    def holds(self, condition: str, account: Account | None = None) -> bool:
        """Return whether one of `conditions` holds, for all accounts or for this one."""
        if condition not in self.conditions:
            raise LookupError(f"{self.label} has no condition {condition!r}: add it to `conditions`")
        return self.world.conditions.holds(self.platform, condition, account.account_id if account else None)

    def api_account_id(self, user_id: str) -> str:
        """Return the id that the API gives to the account with this user id."""
        return f"{self.account_prefix}_{user_id}"

    def new_account(self, user_id: str, username: str, token: str = "") -> Account:
        """Return the account with a user id, under the id that the API gives to it; an unknown one is added.

        `token` is accepted as its access token.
        """
        known = self.world.accounts.by_user(self.platform, user_id)
        if known is not None and not token:
            return known
        account_id = known.account_id if known else self.api_account_id(user_id)
        token = token or secrets.token_urlsafe(24)
        return self.world.accounts.upsert(DescribedAccount(self.platform, account_id, user_id, username, token))

    def introduce(self, described: DescribedAccount) -> None:
        """Add an account that the control side describes, or change it."""
        self.world.accounts.upsert(described)

    def token_holder(self, account: Account) -> Account:
        """Return the account whose tokens an account's requests carry: itself, unless a consent covers several."""
        return account

    def keep_upload(self, name: str, content_type: str, content: bytes) -> str | None:
        """Keep an uploaded file for the page; return the sandbox's address of it, None if it is too large to keep.

        `name` is unique among the platform's uploads. A sample that the sandbox has served has an address already.
        """
        file = f"{self.platform}-{name}.{content_type.rpartition('/')[2]}"
        return samples.origin(content) or self.world.uploads.keep(file, content_type, content)

    async def fetched(self, request: Request, url: object) -> Fetched:
        """Fetch a file from an address that a request names. Raises FetchError."""
        return await fetch(str(url or ""), urlsplit(request.base_url).netloc)

    def shown_file(self, kind: MediaKind, file: Fetched | bytes, alt: object = None) -> ShownMedia:
        """Return a fetched or uploaded file as the page shows it, and keep its bytes."""
        if isinstance(file, bytes):
            file = Fetched(probe(file), file)
        source = file.sample.path if file.sample else None
        if source is None and file.content is not None:
            content_type = file.format.content_type if file.format else "application/octet-stream"
            source = self.keep_upload(secrets.token_hex(8), content_type, file.content)
        return ShownMedia(kind, source, str(alt) if alt else None)

    def add_post(self, account: Account, post_id: str, text: str, **more: Any) -> PublicPost:
        """Make a post of an account public; `more` are further fields of it."""
        now = self.world.now()
        post = PublicPost(self.platform, account.account_id, post_id, text, **{"created_at": now, **more})
        return self.world.posts.add(post)

    def visible_post(self, post_id: object) -> PublicPost | None:
        """Return a post by its id, unless it is deleted."""
        post = self.world.posts.get(self.platform, str(post_id or ""))
        return None if post is None or post.deleted else post

    def visible_posts(self, account: Account) -> Iterator[PublicPost]:
        """Yield an account's posts that are not deleted, newest first."""
        return (post for post in self.world.posts.by_account(account) if not post.deleted)

    def own_posts(self) -> list[PublicPost]:
        """Return everything that became public on this platform, oldest first."""
        return [post for post in self.world.posts.newest_first() if post.platform == self.platform][::-1]

    def count(self, account: Account | None, limit: int, seconds: float, *key: str) -> Window:
        """Count a request of an account against a limit; `key` names the limit if there are several."""
        who = account.account_id if account else ""
        return self.world.windows.take((self.platform, who, *key), limit, seconds)

    def admit(self, window: Window) -> None:
        """Refuse the request if a limit is reached."""
        if not window.allowed:
            raise RefusedError(self.rate_limited(window.resets_at - self.world.now()))

    def sender(self, request: Request) -> Account | None:
        """Return the account whose token a request carries, or None."""
        return self.world.accounts.by_token(self.platform, self.token(request))

    def inner_path(self, path: str) -> str:
        """Strip from a path what does not matter for routing, such as a version."""
        return path

    def logged_path(self, path: str) -> str:
        """Return the path as the request log may show it; a platform with tokens in its paths masks them here."""
        return path

    def token(self, request: Request) -> str:
        """Return the access token that a request carries, or an empty string."""
        return request.bearer

    def account(self, request: Request) -> Account:
        """Return the account that sends the request; refuses an unknown token."""
        account = self.sender(request)
        if account is None:
            raise RefusedError(self.unauthorized())
        return account

    def account_id(self, request: Request) -> str | None:
        """Return the API's id of the account whose request it is, or None if the request does not identify one."""
        try:
            return self.account(request).account_id
        except (MalformedBodyError, RefusedError):
            return None

    def find(self, request: Request) -> Route | None:
        """Return the route of a request and fill in its parameters."""
        path = self.inner_path(request.path)
        fixed = self._fixed.get((request.method, path))
        if fixed is not None:
            return fixed
        for candidate in self._open:
            if candidate.method == request.method and (match := candidate.pattern.fullmatch(path)):
                request.params = {name: unquote(value) for name, value in match.groupdict().items()}
                return candidate
        return None

    def operation(self, route: Route | None, request: Request) -> Operation:
        """Return the operation of a request; if no route serves it, its method decides."""
        if route is None:
            return {"GET": "confirm", "DELETE": "delete"}.get(request.method, "prepare")  # type: ignore[return-value]
        return route.operation(self, request) if callable(route.operation) else route.operation

    async def serve(self, route: Route, request: Request) -> Answer:
        """Answer a request that `gate` does not refuse."""
        limits: Mapping[str, str] = {}
        try:
            limits = self.gate(route, request)
            answer = await route.handler(request)
        except MalformedBodyError as problem:
            answer = self.malformed(str(problem))
        except RefusedError as refused:
            answer = refused.answer
            request.ignore_unread()
        # The answer to a request beyond a limit describes that limit.
        return answer.with_headers({**({} if answer.status == 429 else limits), **self.signature()})

    def gate(self, route: Route, request: Request) -> Mapping[str, str]:
        """Count a request, and return the headers that report the count. Raises RefusedError if a limit is reached."""
        return {}

    def signature(self) -> Mapping[str, str]:
        """Return the headers that every answer of the platform has."""
        return {}

    def _routes(self) -> list[Route]:
        routes = []
        for owner in reversed(type(self).__mro__):
            for name, member in vars(owner).items():
                for method, path, operation in getattr(member, _ROUTES, ()):
                    pattern = re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", re.sub(r"[.+*?^$|()\[\]]", r"\\\g<0>", path)))
                    routes.append(Route(method, path, pattern, getattr(self, name), operation))
        if self.consent:
            path = self.consent.path
            pattern = re.compile(re.escape(path))
            routes.append(Route("GET", path, pattern, self._ask_for_consent, "auth"))
            routes.append(Route("POST", path, pattern, self._take_decision, "auth"))
        return routes

    async def _ask_for_consent(self, request: Request) -> Answer:
        return self.authorization_server.ask(request, self.world.now())

    async def _take_decision(self, request: Request) -> Answer:
        return self.authorization_server.decide(request, self.world.now())
