"""The authorization servers of the platforms: apps, the page on which a person consents, and codes that work once.

The differences between platforms are data (`ConsentRules`). The page is the same for all of them. Each platform's
own routes redeem the codes and write the answers.
"""

import base64
import hashlib
import html
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode, urlsplit

import msgspec

from sandbox.accounts import Account, Accounts
from sandbox.browsers import LOOPBACK
from sandbox.journal import Collection, Journal
from sandbox.wire import Answer, RefusedError, Request

PLAY_APP, PLAY_SECRET = "sandbox-app", "sandbox-app-secret"
"""An app that every platform knows. It may redirect to any address of this machine."""


class App(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An app as its developer has registered it at a platform."""

    platform: str
    client_id: str
    client_secret: str
    redirect_uris: list[str] = []
    scopes: list[str] | None = None
    """What the platform has approved it for; None for everything."""
    jwk: dict[str, str] | None = None
    """The public key by which the app proves its identity, at platforms that require such a proof instead of a secret.
    """


class Code(msgspec.Struct, rename="camel"):
    """A code that was issued. `challenge` is that of PKCE."""

    client_id: str
    redirect_uri: str
    account_id: str
    scopes: list[str]
    challenge: str
    made_at: float
    used: bool = False


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """A platform's rules for its page of consent and for codes."""

    path: str
    """The path of the page, below the platform's prefix."""
    scopes: frozenset[str]
    """The scopes that the platform knows."""
    code_seconds: float
    pkce: Literal["required", "optional", "none"] = "optional"
    """Whether a challenge must be sent; with `none` it is ignored."""
    scope_separator: str = " "
    """The separator of scopes in requests."""
    declinable: bool = False
    """Whether people may untick single scopes."""
    client_id: str = "client_id"
    """The name of the parameter that names the app."""
    optional_parameters: tuple[str, ...] = ()
    """Parameters that the platform knows in addition to the usual ones."""
    state_required: bool = False
    denied_error: str = "access_denied"
    """The error that the app receives if the person refuses."""
    fragment: str = ""
    """What Instagram appends to the address; it is no part of the code."""


class OAuthError(Exception):
    """A refusal as RFC 6749 defines it; `code` is its error."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class AppsAndCodes:
    """The apps of all platforms, and the codes that were issued."""

    def __init__(self, journal: Journal) -> None:
        self._apps = Collection(journal, "app", App)
        self._codes: dict[str, Code] = {}

    def register(self, app: App) -> App:
        """Register an app, or change it."""
        return self._apps.put(f"{app.platform}/{app.client_id}", app)

    def app(self, platform: str, client_id: str) -> App | None:
        """Return an app of a platform."""
        play = App(platform, PLAY_APP, PLAY_SECRET) if client_id == PLAY_APP else None
        return self._apps.get(f"{platform}/{client_id}") or play

    def give_code(self, code: Code) -> str:
        """Issue a code."""
        name = secrets.token_urlsafe(24)
        self._codes[name] = code
        return name

    def code(self, name: str) -> Code | None:
        """Return a code that was issued."""
        return self._codes.get(name)


def accepts_redirect(app: App, redirect_uri: str) -> bool:
    """Return whether an app may redirect to an address, which must equal a registered one exactly."""
    if redirect_uri in app.redirect_uris:
        return True
    return app.client_id == PLAY_APP and urlsplit(redirect_uri).hostname in LOOPBACK


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """One platform's authorization server."""

    _platform: str
    _label: str
    _rules: ConsentRules
    _all: AppsAndCodes
    _accounts: Accounts
    _new_account: Callable[[str, str], Account]

    def ask(self, request: Request, now: float) -> Answer:
        """Answer the request of an app to let a person consent.

        The parameters `sandbox_as` (a user name) and `sandbox_decline` (scopes, or `all`) stand for the person's
        decisions, so that no browser is needed.
        """
        query = request.query
        app, redirect_uri = self._app_and_place(request)
        try:
            scopes = self._requested_scopes(request, app)
        except OAuthError as problem:
            request.ignore_unread()
            refusal = {"error": problem.code, "error_description": problem.description}
            return _back(redirect_uri, {**refusal, "state": query.get("state", "")})
        if username := query.get("sandbox_as"):
            declined = set(query.get("sandbox_decline", "").replace(",", " ").split())
            granted_scopes = [] if "all" in declined else [scope for scope in scopes if scope not in declined]
            return self._decide(request, app, redirect_uri, username, granted_scopes, now)
        names = [account.username for account in self._accounts if account.platform == self._platform]
        return Answer.text(_page(self._label, app.client_id, scopes, names, declinable=self._rules.declinable))

    def decide(self, request: Request, now: float) -> Answer:
        """Process a person's decision on the page."""
        app, redirect_uri = self._app_and_place(request)
        try:
            requested_scopes = self._requested_scopes(request, app)
        except OAuthError as problem:
            raise RefusedError(Answer.text(f"<h1>{html.escape(problem.description)}</h1>", 400)) from problem
        fields = request.fields()
        request.ignore_unread()
        by_name = {name: str(value) for name, value in fields}
        allowed = by_name.get("decision") == "allow"
        ticked = {str(value) for name, value in fields if name == "scope"}
        granted_scopes = (
            [scope for scope in requested_scopes if scope in ticked or not self._rules.declinable] if allowed else []
        )
        return self._decide(request, app, redirect_uri, by_name.get("username", ""), granted_scopes, now)

    def redeem(self, form: Mapping[str, object], client: tuple[str, str], now: float) -> tuple[Account, list[str]]:
        """Use up a code; return its account and scopes. `client` is the app's id and secret. Raises OAuthError."""
        client_id = self.known_app(client).client_id
        code = self._all.code(str(form.get("code", "")))
        verifier = str(form.get("code_verifier", ""))
        if code is None or code.used or code.client_id != client_id or now - code.made_at > self._rules.code_seconds:
            raise OAuthError("invalid_grant", "The authorization code is invalid or has expired.")
        # The code is used up even if it is refused below.
        code.used = True
        if str(form.get("redirect_uri", "")) != code.redirect_uri:
            raise OAuthError("invalid_grant", "The redirect_uri is not that of the authorization request.")
        if self._rules.pkce != "none" and code.challenge and pkce_challenge(verifier) != code.challenge:
            raise OAuthError("invalid_grant", "The code_verifier does not match.")
        account = self._accounts.get(self._platform, code.account_id)
        if account is None:
            raise OAuthError("invalid_grant", "The account is gone.")
        self._accounts.granted(account, code.scopes)
        return account, code.scopes

    def revoke(self, token: str, client: tuple[str, str], *, all_of_it: bool = False) -> bool:
        """Revoke a token for its app; return whether it was known. Raises OAuthError."""
        self.known_app(client)
        return self._accounts.revoke_for_app(self._platform, token, all_of_it=all_of_it) is not None

    def known_app(self, client: tuple[str, str]) -> App:
        """Return the app of this id and secret. Raises OAuthError."""
        app = self._all.app(self._platform, client[0])
        if app is None or not secrets.compare_digest(app.client_secret, client[1]):
            raise OAuthError("invalid_client", "Client authentication failed.")
        return app

    def _app_and_place(self, request: Request) -> tuple[App, str]:
        """Return the app and its redirect address; the person is redirected only if both are known."""
        query = request.query
        app = self._all.app(self._platform, query.get(self._rules.client_id, ""))
        redirect_uri = query.get("redirect_uri", "")
        if app is None:
            raise RefusedError(Answer.text("<h1>This app is not known here.</h1>", 400))
        if not accepts_redirect(app, redirect_uri):
            raise RefusedError(Answer.text("<h1>The redirect_uri is not one that the app has registered.</h1>", 400))
        return app, redirect_uri

    def _requested_scopes(self, request: Request, app: App) -> list[str]:
        query, rules = request.query, self._rules
        for name in (*rules.optional_parameters, "state", "sandbox_as", "sandbox_decline", "code_challenge_method"):
            query.get(name)
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "The response_type must be code.")
        if rules.state_required and not query.get("state"):
            raise OAuthError("invalid_request", "state is missing.")
        challenge = query.get("code_challenge", "")
        if rules.pkce == "required" and not challenge:
            raise OAuthError("invalid_request", "code_challenge is missing.")
        if rules.pkce != "none" and challenge and query.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "The code_challenge_method must be S256.")
        scopes = [scope for scope in query.get("scope", "").split(rules.scope_separator) if scope]
        known = rules.scopes if app.scopes is None else rules.scopes & set(app.scopes)
        if not scopes or set(scopes) - known:
            raise OAuthError(
                "invalid_scope", f"Not known, or not approved for this app: {set(scopes) - known or 'no scope'}"
            )
        return scopes

    def _decide(
        self, request: Request, app: App, redirect_uri: str, username: str, scopes: list[str], now: float
    ) -> Answer:
        query = request.query
        more = {"state": query["state"]} if "state" in query else {}
        if not scopes or not username:
            return _back(redirect_uri, {"error": self._rules.denied_error, **more})
        account = self._person(username)
        challenge = "" if self._rules.pkce == "none" else query.get("code_challenge", "")
        code = self._all.give_code(Code(app.client_id, redirect_uri, account.account_id, scopes, challenge, now))
        return _back(redirect_uri, {"code": code, **more}, self._rules.fragment)

    def _person(self, username: str) -> Account:
        """Return the account of this name; a new name makes a new account."""
        for account in self._accounts:
            if (account.platform, account.username) == (self._platform, username):
                return account
        number = str(int.from_bytes(hashlib.sha256(f"{self._platform}/{username}".encode()).digest()[:6]))
        return self._new_account(number, username[:50])


def pkce_challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def basic_client(request: Request) -> tuple[str, str]:
    """Return the id and secret of HTTP Basic, empty ones if there are none."""
    scheme, _, encoded = request.header("authorization").partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        decoded = ""
    client_id, _, secret = decoded.partition(":")
    return client_id, secret


def _back(redirect_uri: str, parameters: Mapping[str, str], fragment: str = "") -> Answer:
    sign = "&" if "?" in redirect_uri else "?"
    headers = {"location": f"{redirect_uri}{sign}{urlencode(parameters)}{fragment}", "cache-control": "no-store"}
    return Answer(302).with_headers(headers)


def _page(label: str, client_id: str, scopes: list[str], names: list[str], *, declinable: bool) -> str:
    """Return the page on which a person consents; it posts to its own address."""
    boxes = "".join(
        f'<li><label><input type="checkbox" name="scope" value="{html.escape(scope)}" checked'
        f"{'' if declinable else ' disabled'}> {html.escape(scope)}</label></li>"
        for scope in scopes
    )
    known = "".join(f'<option value="{html.escape(name)}">' for name in names)
    first = html.escape(names[0] if names else "newcomer")
    return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<title>Sandbox of {html.escape(label)}: consent</title>
<meta name="viewport" content="width=device-width"><meta name="referrer" content="same-origin">
<body style="font: 16px system-ui; max-width: 32rem; margin: 3rem auto; padding: 0 1rem"><main>
<h1>Sandbox of {html.escape(label)}</h1>
<form method="post"><p>The app <b>{html.escape(client_id)}</b> asks for these permissions:</p><ul>{boxes}</ul>
<p><label>Account <input name="username" value="{first}" list="names" required></label>
<datalist id="names">{known}</datalist></p>
<p><button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></p></form>
</main></body></html>"""
