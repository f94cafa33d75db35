"""LinkedIn's errors, headers and ids."""

import re
import secrets
from abc import ABC
from typing import Any, TypeVar

import msgspec

from sandbox.accounts import Account, DescribedAccount
from sandbox.fake_platform import FakePlatform, Route
from sandbox.ids import Snowflakes
from sandbox.journal import Collection
from sandbox.posts import ShownMedia
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

OLDEST_VERSION = "202512"
REQUESTS_PER_DAY = 150
"""The limit of one member and one app, with the product "Share on LinkedIn"."""

PAGE = "organization-"
"""The beginning of the user id that the API gives to a page."""

_WRITES_AS_PAGE = re.compile(rb'"(?:author|owner|actor)": ?"urn:li:organization:(\d+)"')

WRITING_ROLES = {"ADMINISTRATOR", "CONTENT_ADMINISTRATOR"}

SHORTEST_OF_DAY = 600
"""Seconds; a limit that resets sooner is not one of the day's limits."""

M = TypeVar("M")


class Medium(msgspec.Struct, rename="camel"):
    """One upload. Times are seconds since 1970; `ready_at` is None until its bytes have arrived."""

    urn: str
    owner: str
    kind: str
    size: int = 0
    parts: int = 1
    ready_at: float | None = None
    failure: str | None = None
    src: str | None = None

    def status(self, now: float) -> str:
        """Return the status as LinkedIn reports it."""
        if self.ready_at is None:
            return "WAITING_UPLOAD"
        if self.failure is not None:
            return "PROCESSING_FAILED"
        return "AVAILABLE" if now >= self.ready_at else "PROCESSING"

    def shown(self, alt: str | None) -> ShownMedia:
        """Return the medium as posts show it."""
        if self.kind == "document":
            return ShownMedia("document", alt=alt)
        return ShownMedia("video" if self.kind == "video" else "image", self.src, alt)


def error(status: int, message: str, code: str | None = None) -> Answer:
    """Return an error in LinkedIn's form."""
    return Answer.json({"message": message, "status": status, **({"code": code} if code else {})}, status)


def lacks(permission: str) -> Answer:
    """Return the response to an app or token that lacks a permission; LinkedIn names the API and its version."""
    message = f"Not enough permissions to access: {permission}.20260901"
    return Answer.json({"status": 403, "serviceErrorCode": 100, "code": "ACCESS_DENIED", "message": message}, 403)


def refused(status: int, code: str, message: str) -> RefusedError:
    """Refuse a request with one of LinkedIn's errors."""
    return RefusedError(error(status, message, code))


def read(request: Request, kind: type[M]) -> M:
    """Read and check a JSON body; unknown fields are refused, as Rest.li does."""
    try:
        return msgspec.json.decode(request.body, type=kind)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise refused(400, "INVALID_VALUE_FOR_FIELD", f"Unpermitted or malformed fields: {problem}") from problem


class FakeLinkedIn(FakePlatform, ABC):
    """State and methods that all of LinkedIn's routes share."""

    refuses_app_for = frozenset({"publish"})
    renewal_path = "/oauth/v2/accessToken"
    conditions = {  # noqa: RUF012
        "organisation": "The member administers the page with the own number, is CONTENT_ADMINISTRATOR of page 201 and "
        "ANALYST of page 202, and has no role on any other page.",
        "roles_as_products": "A member without a role on a page is refused as an app without the product is.",
        "no_page_product": "The app may post for members and not for pages.",
        "no_video_product": "The app may upload no videos.",
        "no_comments_product": "The app may write comments by /v2 only.",
        "no_comments": "The app may write no comments.",
        "parts_need_token": "Parts of videos are taken with the token only, against LinkedIn's documentation.",
        "still_processing": "Media that are still processed are refused as if their processing had failed.",
        "content_administrator": "The member may post for the page, and does not administer it.",
        "many_roles": "The role on the page is on the second page of the list.",
        "unverified_member": "The member has not verified an identity, and has reached the limit of the day.",
        "ghosts": "A repeat is refused with the name of a post that does not exist.",
        "commentary_rewritten": "Commentaries are shown without escapes, templates and URNs, and with short links.",
        "media_forbidden": "Media that were just uploaded are forbidden for a moment.",
    }

    def app_refused(self) -> Answer:
        """Return the response to an app that was not granted the product."""
        return lacks("partnerApiPostsExternal.CREATE")

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Snowflakes(world.now, 0)
        self.media: Collection[Medium] = world.collection("linkedin", "media", Medium)

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        codes = {404: "NOT_FOUND", 500: "INTERNAL_SERVER_ERROR", 503: "SERVICE_UNAVAILABLE", 504: "GATEWAY_TIMEOUT"}
        return error(status, message or codes.get(status, "Error"), codes.get(status))

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return error(400, "A required field is missing.", "MISSING_FIELD")

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return error(401, "Invalid access token", "INVALID_ACCESS_TOKEN")

    def token_expired(self) -> Answer:
        """Return the response to an expired token."""
        body: dict[str, Any] = {"message": "The token used in the request has expired", "status": 401}
        return Answer.json({**body, "serviceErrorCode": 65602, "code": "EXPIRED_ACCESS_TOKEN"}, 401)

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit.

        It never says when the limit resets; the day's limits have a text of their own.
        """
        day = "Resource level throttle limit for calls to this resource is reached."
        return error(429, day if seconds >= SHORTEST_OF_DAY else "Too many requests", "TOO_MANY_REQUESTS")

    async def serve(self, route: Route, request: Request) -> Answer:
        """Check the version, count the request against the day, and sign the answer."""
        try:
            answer = self._gate(route, request) or await route.handler(request)
        except RefusedError as problem:
            answer = problem.answer
        return answer.with_headers({"x-li-uuid": secrets.token_urlsafe(16)})

    def introduce(self, described: DescribedAccount) -> None:
        """Add or change an account; a page whose administrator is known gets no tokens: they are the member's."""
        account = Account(self.platform, described.account_id, described.user_id, described.username)
        if described.user_id.startswith(PAGE) and self.token_holder(account) is not account:
            self.world.accounts.add(account)
        else:
            super().introduce(described)

    def token_holder(self, account: Account) -> Account:
        """Return the member with the number of a page, who administers it; a member has tokens of its own."""
        member = self.world.accounts.by_user(self.platform, account.user_id.removeprefix(PAGE))
        return member or account

    def account_id(self, request: Request) -> str | None:
        """Return the API's id of the page as which a request writes, or else of the member who sends it."""
        page = _WRITES_AS_PAGE.search(request.body)
        account = self.world.accounts.by_user(self.platform, PAGE + page[1].decode()) if page else None
        return account.account_id if account else super().account_id(request)

    def of_author(self, author: str, member: Account) -> Account:
        """Return the account that shows an author's posts: the page's, if people have connected pages of the member."""
        number = author.removeprefix("urn:li:organization:")
        return self.world.accounts.by_user(self.platform, PAGE + number) or member

    def writer(self, request: Request, author: str) -> Account:
        """Return the account that sends the request, if that member may write as `author`.

        Every member administers every page, unless the condition `organisation` names the pages.
        """
        account = self.account(request)
        if self.holds("organisation", account) and author not in {
            f"urn:li:person:{account.user_id}",
            *(page for page, role in self.page_roles(account) if role in WRITING_ROLES),
        }:
            if self.holds("roles_as_products", account):
                raise RefusedError(lacks("partnerApiPostsExternal.CREATE"))
            # Source: n8n-io/n8n#1714.
            fields = "Data Processing Exception while processing fields [/author]"
            message = f"Field Value validation failed in REQUEST_BODY: {fields}"
            raise RefusedError(Answer.json({"serviceErrorCode": 100, "message": message, "status": 403}, 403))
        if author != f"urn:li:person:{account.user_id}" and not re.fullmatch(r"urn:li:organization:\d+", author):
            raise refused(403, "ACCESS_DENIED", f"Not enough permissions to write as {author}")
        return account

    def page_roles(self, account: Account) -> list[tuple[str, str]]:
        """Return the pages on which a member has a role, and the roles."""
        role = "CONTENT_ADMINISTRATOR" if self.holds("content_administrator", account) else "ADMINISTRATOR"
        own = [(f"urn:li:organization:{account.user_id}", role)]
        if not self.holds("organisation", account):
            return own
        return [
            *own,
            ("urn:li:organization:201", "CONTENT_ADMINISTRATOR"),
            ("urn:li:organization:202", "ANALYST"),
        ]

    def _gate(self, route: Route, request: Request) -> Answer | None:
        if not route.path.startswith("/rest/"):
            return None
        version = request.header("linkedin-version")
        if not version:
            return error(400, "A version must be present. Please specify a version.", "VERSION_MISSING")
        if not re.fullmatch(r"\d{6}", version) or version < OLDEST_VERSION:
            return error(426, f"Requested version {version} is not active", "NONEXISTENT_VERSION")
        account = self.world.accounts.by_token(self.platform, request.bearer)
        who = account.account_id if account else ""
        window = self.world.windows.take((self.platform, who), REQUESTS_PER_DAY, 86_400)
        return None if window.allowed else self.rate_limited(86_400)
