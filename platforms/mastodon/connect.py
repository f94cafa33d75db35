"""Connect an account on any Mastodon server: this service registers its app there, each time."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from platforms.connect import Candidate, Connect, Connector, Grant
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, json_of
from platforms.mastodon.settings import MastodonCredentials
from platforms.registered_apps import App

_NAME = "SocialSyncer"


class MastodonConnector(Connector[MastodonCredentials]):
    """A server's authorization. Source: docs.joinmastodon.org, methods/apps and methods/oauth.

    The server is the person's choice, so code and verifier go to the server that the connection was begun with and to
    no other. Servers before 4.3 ignore the challenge.
    """

    name = "mastodon"
    authorize = "https://mastodon.social/oauth/authorize"
    token = "https://mastodon.social/oauth/token"  # noqa: S105 - an address
    scopes = ("read:accounts", "read:statuses", "write:statuses", "write:media")
    code_lives = "10 minutes"
    options = {"instance": ()}  # noqa: RUF012
    needed = ("instance",)

    def target(self, options: Mapping[str, str]) -> MastodonCredentials:
        """Return credentials that name the server. Raises ValueError."""
        try:
            return MastodonCredentials(instance=options["instance"], access_token=SecretStr("-"))
        except ValidationError as error:
            raise ValueError("no server") from error

    async def register(self, wire: Wire, redirect_uri: str, app: App) -> App:
        """Register an app for this address and these permissions."""
        fields = {
            "client_name": str(app.options.get("clientName") or _NAME),
            "redirect_uris": redirect_uri,
            "scopes": " ".join(self.scopes),
        }
        if website := app.options.get("website"):
            fields["website"] = str(website)
        made = json_of(await wire.send("POST", "/api/v1/apps", data=fields))
        client_id, secret = made.get("client_id"), made.get("client_secret")
        if not isinstance(client_id, str) or not client_id or not isinstance(secret, str):
            host = urlsplit(wire.base_url).netloc
            raise PlatformError(ErrorKind.TRANSIENT, f"{host} registered no app.", code="unreadable_answer")
        return App(client_id, SecretStr(secret))

    def credentials(self, app: App, grant: Grant, **more: Any) -> MastodonCredentials:
        """Return the credentials for the server that `options` name; the token has no end and needs no app."""
        return self.target(more["options"]).model_copy(update={"access_token": grant.access_token})

    async def candidates(
        self, connect: Connect, app: App, grant: Grant, options: Mapping[str, str]
    ) -> list[Candidate[MastodonCredentials]]:
        """Return the one account."""
        credentials = self.credentials(app, grant, options=options)
        identity = await self.platform.whoami(connect(credentials))
        name = identity.username
        return [Candidate(identity.user_id, name, "profile", credentials, name, identity=identity)]


CONNECTOR = MastodonConnector()
