"""Access to accounts of LinkedIn, and requests that name the version of its API."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import httpx

from platforms.access import oauth
from platforms.access.connector import Candidate, Connect, Inspection, reported_end
from platforms.access.consent import Ends, OAuthConnector
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant, Reuse, TokenRules, reported_lifetimes
from platforms.access.token_endpoint import TokenEndpoint
from platforms.base import ApiVersion, Connection, PublishContext
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.http.wire import json_object
from platforms.linkedin.rules import LinkedInCredentials, LinkedInSettings

API = ApiVersion("202609", date(2027, 9, 1), "LinkedIn serves a version for at least a year from its month")
"""The default version; an account's credentials may name a newer one."""
BASE_URL = "https://api.linkedin.com"

LinkedInConnection = Connection[LinkedInCredentials]
LinkedInContext = PublishContext[LinkedInSettings]


async def call(
    connection: LinkedInConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> httpx.Response:
    """Return LinkedIn's response. `public` marks the request that makes something public. Raises PlatformError."""
    version = connection.credentials.api_version or API.name
    headers = {"LinkedIn-Version": version, "X-Restli-Protocol-Version": "2.0.0"}
    return await oauth.send(connection, method, path, headers=headers, public=public, **options)


_PUBLISHES, _PUBLISHES_FOR_PAGES = "w_member_social", "w_organization_social"
_MEMBER_SCOPES = ("openid", "profile", _PUBLISHES)
_PAGE_SCOPES = ("r_organization_social", _PUBLISHES_FOR_PAGES, "rw_organization_admin")
_ROLES = {"ADMINISTRATOR", "CONTENT_ADMINISTRATOR"}
"""Roles that may post for a page."""
_A_PAGE, _MOST_PAGES = 100, 5

SIGN_IN = "https://www.linkedin.com"
TOKENS = TokenRules(lifetime=timedelta(days=60), reuse=Reuse.HARMLESS, lead=timedelta(days=10))
"""Source: learn.microsoft.com/linkedin/shared/authentication/programmatic-refresh-tokens. Only approved partners get
refresh tokens; these end 365 days after the member's consent, however often they are used."""
ENDPOINT = TokenEndpoint(
    f"{SIGN_IN}/oauth/v2/accessToken",
    # Unverified, as LinkedIn's documents do not name it. Whether it ends more of the member is not known, so it is used
    # with the last account of the app only.
    revocation=f"{SIGN_IN}/oauth/v2/revoke",
)


class LinkedInConnector(OAuthConnector[LinkedInCredentials]):
    """LinkedIn's authorization; it has no PKCE in this flow.

    An app asks only for scopes that LinkedIn has approved it for, because one other scope fails the whole dialog. So
    pages are requested only if the client says so. Source:
    learn.microsoft.com/linkedin/shared/authentication/authorization-code-flow.
    """

    name = "linkedin"
    settings_page = "LinkedIn: Settings and Privacy, Data privacy, Permitted services"
    consent_page = f"{SIGN_IN}/oauth/v2/authorization"
    endpoint = ENDPOINT
    scopes = _MEMBER_SCOPES
    pkce = False
    code_lifetime = "30 minutes"
    ends = Ends.PERSON
    options = {"as": ("member", "pages", "both")}  # noqa: RUF012

    def requested_scopes(self, app: App, options: Mapping[str, str]) -> Sequence[str]:
        """Return the permissions to ask for."""
        return _MEMBER_SCOPES if options.get("as", "member") == "member" else _MEMBER_SCOPES + _PAGE_SCOPES

    def lacking_scopes(self, granted: Collection[str]) -> tuple[list[str], list[str]]:
        """Return the permissions that an account lacks: it needs only one to publish, as a member or for pages."""
        publishes = not {_PUBLISHES, _PUBLISHES_FOR_PAGES}.isdisjoint(granted)
        return ([] if publishes else [_PUBLISHES]), []

    async def inspect(self, connection: Connection[LinkedInCredentials]) -> Inspection:
        """Ask whose token this is and, if the app is known, when it ends and what it permits. Raises PlatformError."""
        await self.platform.whoami(connection)
        credentials = connection.credentials
        return await introspect(connection) if credentials.client_id and credentials.client_secret else Inspection()

    async def candidates(
        self, connect: Connect, app: App, grant: Grant, options: Mapping[str, str]
    ) -> list[Candidate[LinkedInCredentials]]:
        """Return the member, the pages, or both."""
        chosen = options.get("as", "member")
        members = await super().candidates(connect, app, grant, options) if chosen != "pages" else []
        return members + (await self._pages(connect, app, grant) if chosen != "member" else [])

    async def _pages(self, connect: Connect, app: App, grant: Grant) -> list[Candidate[LinkedInCredentials]]:
        connection = connect(self.credentials(app, grant))
        roles: list[dict[str, Any]] = []
        for page in range(_MOST_PAGES):
            query = {"q": "roleAssignee", "state": "APPROVED", "start": str(page * _A_PAGE), "count": str(_A_PAGE)}
            elements = json_object(await call(connection, "GET", "/rest/organizationAcls", params=query)).get(
                "elements"
            )
            roles += [element for element in elements or [] if isinstance(element, dict)]
            if not isinstance(elements, list) or len(elements) < _A_PAGE:
                break
        role_by_page = {
            str(role.get("organization") or role.get("organizationTarget")): role.get("role") for role in roles
        }
        pages = []
        for urn in sorted(urn for urn, role in role_by_page.items() if role in _ROLES and urn.startswith("urn:li:")):
            credentials = self.credentials(app, grant, organization_urn=urn)
            identity = await self.platform.whoami(connect(credentials))
            name = identity.username
            pages.append(Candidate(urn, name, "organization", credentials, name, identity=identity))
        return pages


async def introspect(connection: LinkedInConnection) -> Inspection:
    """Return LinkedIn's report on the access token. Raises PlatformError, kind `auth` if it is not active.

    Source: learn.microsoft.com/linkedin/shared/authentication/token-introspection.
    """
    credentials = connection.credentials
    app, form = (
        App(credentials.client_id or "", credentials.client_secret),
        {"token": credentials.access_token.get_secret_value()},
    )
    url = f"{SIGN_IN}/oauth/v2/introspectToken"
    answer = json_object(await ENDPOINT.post(connection.wire, BASE_URL, app, form, url=url))
    if not isinstance(answer.get("active"), bool):
        raise unreadable("LinkedIn")
    if not answer["active"]:
        message = "LinkedIn no longer accepts this account's connection. Reconnect the account."
        raise PlatformError(ErrorKind.AUTH, message, code="token_inactive")
    return Inspection(reported_lifetimes(answer).scopes, reported_end(answer.get("expires_at")))


CONNECTOR = LinkedInConnector()
