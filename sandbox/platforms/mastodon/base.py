"""A Mastodon server's errors, ids and rate limits, its apps and its page of consent."""

import secrets
from abc import ABC
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import App, ConsentRules, OAuthError
from sandbox.fake_platform import Route, route
from sandbox.journal import Snowflakes
from sandbox.posts import ShownMedia
from sandbox.tokens import TokenPlatform, TokenRules
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import Window, World

QUIRKS = {
    "akkoma_source": "Lists show the text as it was sent under `akkoma.source`.",
    "boosted": "The account's own statuses are listed as boosts without words.",
    "full_links": "Links count in full, and a text that is too long is 400.",
    "html_without_accept": "Errors are redirects unless JSON is asked for.",
    "keys_ignored": "An Idempotency-Key means nothing.",
    "keys_of_refusals": "A repeat under a key is answered as its first request, also if that was refused.",
    "known_key_400": "A repeat under a known key is 400, also if its first request was refused.",
    "known_key_500": "A repeat under a known key is 500.",
    "localized": "Errors are in the account's language unless lang=en is asked for.",
    "loses_words": "The HTML of a status lacks links, emojis and lines.",
    "names_issuer": "It says of itself how people authorize apps, and sends them back with its name.",
    "no_polls": "Statuses are published without their polls.",
    "no_replies": "Lists leave out replies.",
    "no_source": "The text as it was sent cannot be asked for.",
    "no_v2": "There is no second version of what the server says of itself.",
    "old_scopes": "Apps may ask for read, write and follow alone.",
    "polls_with_media": "A status may have a poll and media.",
    "public_only": "Lists show public statuses only, even to their author.",
    "public_or_private": "Statuses are public or private, and nothing else.",
    "quote_id": "A quoted status is named by quote_id.",
    "raw_text": "Lists show the text as it was sent.",
    "refuses_403": "Posts are refused with status 403.",
    "two_letter_languages": "A language has two letters.",
    "unpaged": "Lists heed neither limit nor ids.",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """A server: its name and version, and its quirks."""

    label: str
    version: str
    quirks: frozenset[str]


DIALECTS = {
    "snac": Dialect(
        "snac",
        "4.0.0 (not true; really snac/2.75)",
        frozenset(
            {
                "keys_ignored",
                "loses_words",
                "no_polls",
                "no_v2",
                "public_only",
                "public_or_private",
                "raw_text",
                "unpaged",
            }
        ),
    ),
    "pixelfed": Dialect(
        "Pixelfed",
        "2.7.2 (compatible; Pixelfed 0.12.5)",
        frozenset({"html_without_accept", "known_key_400", "no_replies", "no_source", "refuses_403"}),
    ),
    "gotosocial": Dialect("GoToSocial", "0.19.2+git-8ed7bd4", frozenset({"full_links", "keys_ignored", "raw_text"})),
    "pleroma": Dialect("Pleroma", "2.7.2 (compatible; Pleroma 2.7.0)", frozenset({"keys_of_refusals", "quote_id"})),
    "akkoma": Dialect(
        "Akkoma",
        "2.7.2 (compatible; Akkoma 3.15.2)",
        frozenset({"akkoma_source", "keys_of_refusals", "quote_id", "two_letter_languages"}),
    ),
    "mastodon_4_6": Dialect("Mastodon 4.6", "4.6.2", frozenset({"known_key_500", "polls_with_media"})),
}

CONDITIONS = QUIRKS | {
    name: f"The server is {dialect.label}: {', '.join(sorted(dialect.quirks))}." for name, dialect in DIALECTS.items()
}


VERSION = "4.5.0"
CHARACTERS, ATTACHMENTS, PER_URL = 500, 4, 23
DESCRIPTION = 1500
IMAGE_BYTES, VIDEO_BYTES = 16_777_216, 103_809_024
IMAGE_PIXELS = 33_177_600
POLL = {"max_options": 4, "max_characters_per_option": 50, "min_expiration": 300, "max_expiration": 2_629_746}
TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4", "video/quicktime", "video/webm")

REQUESTS, REQUEST_SECONDS = 300, 300
UPLOADS, UPLOAD_SECONDS = 30, 1800
STATUSES, STATUS_SECONDS = 300, 10_800

_WORDS = {404: "Record not found", 410: "Gone", 429: "Too many requests", 503: "Service Unavailable"}


class Medium(msgspec.Struct, rename="camel"):
    """One uploaded file. Times are seconds since 1970."""

    id: str
    account_id: str
    kind: str
    ready_at: float
    src: str | None = None
    description: str | None = None
    failure: str | None = None
    status_id: str | None = None

    def shown(self) -> ShownMedia:
        """Return the file as posts show it."""
        kinds: dict[str, Any] = {"gifv": "gif", "video": "video"}
        return ShownMedia(kinds.get(self.kind, "image"), self.src, self.description)


ISSUER = "https://social.example"
_OLD_SCOPES = frozenset(("read", "write", "follow"))
_SCOPES = frozenset(("read", "write", "read:accounts", "read:statuses", "write:statuses", "write:media", "profile"))


class FakeMastodon(TokenPlatform, ABC):
    """State and methods that all routes share, and the routes of apps and tokens, which do not expire."""

    consent = ConsentRules("/oauth/authorize", _SCOPES, code_seconds=600, optional_parameters=("force_login", "lang"))
    tokens = TokenRules("/oauth/token")
    conditions = CONDITIONS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # Milliseconds since 1970 and 16 bits; the sandbox has 22, which only makes the numbers larger.
        self.ids = Snowflakes(world.now, 1_288_834_974_657)
        self.media = world.collection("mastodon", "media", Medium)

    def holds(self, condition: str, account: Account | None = None) -> bool:
        """Return whether a condition holds, by itself or because the server has a dialect with it."""
        dialects = (name for name, dialect in DIALECTS.items() if condition in dialect.quirks)
        return any(super(FakeMastodon, self).holds(name, account) for name in (condition, *dialects))

    def version(self, account: Account | None) -> str:
        """Return the server's name and version."""
        return next((dialect.version for name, dialect in DIALECTS.items() if self.holds(name, account)), VERSION)

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone; a proxy in front of the server answers 502 in HTML."""
        if status == 502 and message is None:
            return Answer.text("<html><head><title>502 Bad Gateway</title></head></html>", 502)
        return Answer.json({"error": message or _WORDS.get(status, "This action could not be completed")}, status)

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return self.failure(422, "Validation failed: Text can't be blank")

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return self.failure(401, "The access token is invalid")

    def token_expired(self) -> Answer:
        """Return the response to a token that was revoked; none expires."""
        return self.failure(401, "The access token was revoked")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit."""
        return self._too_many(Window(False, REQUESTS, 0, self.world.now() + seconds))

    def admit(self, window: Window) -> None:
        """Refuse the request if a window is full."""
        if not window.allowed:
            raise RefusedError(self._too_many(window))

    async def serve(self, route: Route, request: Request) -> Answer:
        """Answer as some servers do: in the account's language, or with a redirect to a page."""
        answer, account = await super().serve(route, request), self.sender(request)
        if answer.status < 400 or answer.status == 429:
            return answer
        if self.holds("html_without_accept", account) and "application/json" not in request.header("accept"):
            return Answer.text("<html>Redirecting to /login</html>", 302)
        if self.holds("localized", account) and request.query.get("lang") != "en":
            answer.body = self.failure(answer.status, "Das Gesuchte ist noch nicht so weit.").body
        return answer

    def gate(self, route: Route, request: Request) -> dict[str, str]:
        """Count the request against its window."""
        window = self.count(self.sender(request), REQUESTS, REQUEST_SECONDS, "requests")
        self.admit(window)
        return _rate_headers(window)

    def signature(self) -> dict[str, str]:
        """Return the id of the request."""
        return {"x-request-id": secrets.token_hex(16)}

    def malformed(self, reason: str) -> Answer:
        """Return the response to a body that cannot be read."""
        return self.failure(400, "The request body could not be read")

    def profile(self, account: Account, request: Request) -> dict[str, Any]:
        """Return the public profile of an account."""
        return {
            "id": account.user_id,
            "username": account.username,
            "acct": account.username,
            "display_name": account.username,
            "url": f"{server_name()}/@{account.username}",
        }

    def _too_many(self, window: Window) -> Answer:
        return self.failure(429).with_headers(_rate_headers(window))

    @route("POST", "/api/v1/apps", "auth")
    async def register(self, request: Request) -> Answer:
        """Register an app with its redirect addresses and scopes."""
        values = request.form()
        values.get("website")
        addresses, name = values.get("redirect_uris", ""), values.get("client_name")
        known = addresses if isinstance(addresses, list) else str(addresses).split("\n")
        scopes = str(values.get("scopes", "read")).split()
        scopes_known = _OLD_SCOPES if self.holds("old_scopes") else _SCOPES
        if not name or not all(known) or set(scopes) - scopes_known:
            raise unprocessable("Validation failed: Redirect URI must be an absolute URI.")
        app = App(self.platform, secrets.token_urlsafe(32), secrets.token_urlsafe(32), known, scopes)
        self.world.apps_and_codes.register(app)
        keys = {"client_id": app.client_id, "client_secret": app.client_secret, "client_secret_expires_at": 0}
        return Answer.json({"id": "1", "name": name, "website": None, "redirect_uris": known, "scopes": scopes, **keys})

    @route("GET", "/.well-known/oauth-authorization-server", "auth")
    async def metadata(self, request: Request) -> Answer:
        """Describe the authorization server; servers before 4.3 do not."""
        if not self.holds("names_issuer"):
            return self.failure(404)
        known = sorted(_OLD_SCOPES if self.holds("old_scopes") else _SCOPES)
        reported = {"issuer": ISSUER, "scopes_supported": known, "code_challenge_methods_supported": ["S256"]}
        return Answer.json({**reported, "authorization_response_iss_parameter_supported": True})

    async def _ask_for_consent(self, request: Request) -> Answer:
        return self._with_issuer(await super()._ask_for_consent(request))

    async def _take_decision(self, request: Request) -> Answer:
        return self._with_issuer(await super()._take_decision(request))

    def _with_issuer(self, answer: Answer) -> Answer:
        if self.holds("names_issuer"):
            issuer = urlencode({"iss": ISSUER}).encode()
            answer.headers = [
                (name, value + b"&" + issuer if name == b"location" else value) for name, value in answer.headers
            ]
        return answer

    def token_details(self, account: Account, grant: str) -> dict[str, object]:
        """Return when a token was made."""
        return {"created_at": int(self.world.now())}

    @route("POST", "/oauth/revoke", "auth")
    async def revoke(self, request: Request) -> Answer:
        """Revoke a token for its app; an unknown one gets the same answer."""
        form = request.texts()
        try:
            self.authorization_server.revoke(form.get("token", ""), self.client(request, form))
        except OAuthError:
            body = {"error": "unauthorized_client", "error_description": "You are not authorized to revoke this token"}
            return Answer.json(body, 403)
        return Answer.json({})


def server_name() -> str:
    """Return the server's address, as its public pages use it."""
    return "https://mastodon.social"


def unprocessable(message: str) -> RefusedError:
    """Refuse a request because of its content."""
    return RefusedError(Answer.json({"error": message}, 422))


def flag(value: object) -> bool:
    """Read a value of JSON or a form that is true or false."""
    return value is True or str(value).lower() in ("true", "1", "on")


def _rate_headers(window: Window) -> dict[str, str]:
    # A time, not Unix seconds; rounded up, so that a client that waits until then is admitted.
    resets_at = datetime.fromtimestamp(-int(-window.resets_at // 1), UTC)
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.remaining),
        "X-RateLimit-Reset": resets_at.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
    }
