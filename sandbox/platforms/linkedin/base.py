"""LinkedIn's errors, headers and ids, its members, pages and tokens."""

import re
import secrets
from abc import ABC
from typing import Any

import msgspec

from sandbox.accounts import Account, DescribedAccount
from sandbox.authorization import ConsentRules, OAuthError
from sandbox.fake_platform import Route, route
from sandbox.journal import Collection, Snowflakes
from sandbox.posts import ShownMedia
from sandbox.tokens import TokenPlatform, TokenRules
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


TOKEN_SECONDS = 5_184_000
REFRESH_SECONDS = 31_536_000
SCOPES = frozenset(
    ["openid", "profile", "w_member_social", "r_organization_social", "w_organization_social", "rw_organization_admin"]
)


class FakeLinkedIn(TokenPlatform, ABC):
    """State and methods that all of LinkedIn's routes share, and the routes of members, pages and tokens."""

    # LinkedIn has no PKCE in this flow, and a person cannot untick single scopes.
    consent = ConsentRules(
        "/oauth/v2/authorization", SCOPES, code_seconds=1800, pkce="none", denied_error="user_cancelled_authorize"
    )
    refuses_app_for = frozenset({"publish"})
    # Only apps of partners get refresh tokens, so a code yields none here.
    tokens = TokenRules(
        "/oauth/v2/accessToken",
        TOKEN_SECONDS,
        refresh="stays",
        refresh_scope="of partners only",
        refresh_refusal="The provided authorization grant or refresh token is invalid, expired or revoked",
        unnamed_app="invalid_request",
        scope_separator=",",
        revoke_path="/oauth/v2/revoke",
    )
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

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Snowflakes(world.now, 0)
        self.media: Collection[Medium] = world.collection("linkedin", "media", Medium)

    def app_refused(self) -> Answer:
        """Return the response to an app that was not granted the product."""
        return lacks("partnerApiPostsExternal.CREATE")

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        codes = {404: "NOT_FOUND", 500: "INTERNAL_SERVER_ERROR", 503: "SERVICE_UNAVAILABLE", 504: "GATEWAY_TIMEOUT"}
        return error(status, message or codes.get(status, "Error"), codes.get(status))

    def malformed(self, reason: str) -> Answer:
        """Return the response to a body with unknown fields, which Rest.li refuses, or with wrong ones."""
        return error(400, f"Unpermitted or malformed fields: {reason}", "INVALID_VALUE_FOR_FIELD")

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

    def signature(self) -> dict[str, str]:
        """Return the id of the request."""
        return {"x-li-uuid": secrets.token_urlsafe(16)}

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

    def gate(self, route: Route, request: Request) -> dict[str, str]:
        """Check the version, and count the request against the day."""
        if not route.path.startswith("/rest/"):
            return {}
        version = request.header("linkedin-version")
        if not version:
            raise refused(400, "VERSION_MISSING", "A version must be present. Please specify a version.")
        if not re.fullmatch(r"\d{6}", version) or version < OLDEST_VERSION:
            raise refused(426, "NONEXISTENT_VERSION", f"Requested version {version} is not active")
        if not self.count(self.sender(request), REQUESTS_PER_DAY, 86_400).allowed:
            raise RefusedError(self.rate_limited(86_400))
        return {}

    @route("GET", "/v2/userinfo", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        account = self.account(request)
        return Answer.json({"sub": account.user_id, "name": account.username, "locale": "en-US"})

    @route("GET", "/rest/organizationAcls", "auth")
    async def roles(self, request: Request) -> Answer:
        """List the member's roles on pages."""
        account, query = self.account(request), request.query
        start, count = int(query.get("start", "0")), int(query.get("count", "10"))
        member = {"state": "APPROVED", "roleAssignee": f"urn:li:person:{account.user_id}"}
        others = 150 if self.holds("many_roles", account) else 0
        roles = [
            {**member, "role": "ANALYST", "organization": f"urn:li:organization:9{number:09}"}
            for number in range(others)
        ]
        roles += [{**member, "role": role, "organizationTarget": page} for page, role in self.page_roles(account)]
        shown = [entry for entry in roles if query.get("role") in (None, entry["role"])][start : start + count]
        return Answer.json({"elements": shown, "paging": {"start": start, "count": count}})

    @route("GET", "/rest/organizations/{id}", "auth")
    async def page(self, request: Request) -> Answer:
        """Describe a page to its administrators."""
        account = self.account(request)
        if (f"urn:li:organization:{request.params['id']}", "ADMINISTRATOR") not in self.page_roles(account):
            raise RefusedError(lacks("organizations.GET"))
        user_id, name = f"{PAGE}{request.params['id']}", f"{account.username}'s page"
        self.world.accounts.add(Account(self.platform, self.api_account_id(user_id), user_id, name))
        return Answer.json({"id": request.params["id"], "localizedName": name})

    def token_details(self, account: Account, grant: str) -> dict[str, object]:
        """Return how long a refresh token is valid; renewals do not change that."""
        return {"refresh_token_expires_in": REFRESH_SECONDS} if grant == "refresh_token" else {}

    def revoked(self, *, known: bool) -> Answer:
        """Return the response to a revocation. Unverified: LinkedIn does not document it."""
        return Answer(200)

    @route("POST", "/oauth/v2/introspectToken", "auth")
    async def introspect(self, request: Request) -> Answer:
        """Describe an access token. Source: token-introspection of LinkedIn's documentation."""
        form = request.form()
        client = self.client(request, form)
        token = str(form.get("token", ""))
        try:
            self.authorization_server.known_app(client)
        except OAuthError as problem:
            return self.oauth_refused(problem)
        account = self.world.accounts.by_token(self.platform, token)
        if account is None:
            return Answer.json({"active": False, "status": "revoked"})
        if self.world.accounts.has_ended(self.platform, token):
            return Answer.json({"active": False, "status": "expired"})
        ends = self.world.accounts.token_ends(account, token) or self.world.now() + TOKEN_SECONDS
        about = {"active": True, "status": "active", "client_id": client[0], "auth_type": "3L"}
        scope = ",".join(account.scopes or sorted(SCOPES))
        return Answer.json({**about, "authorized_at": int(self.world.now()), "expires_at": int(ends), "scope": scope})
