"""The connector for a member of LinkedIn, or for the company pages that the member may post for."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from platforms.access.connect import Candidate, Connect, Connector, Ends
from platforms.access.grants import Grant
from platforms.access.inspection import Inspection
from platforms.access.registered_apps import App
from platforms.base import Connection
from platforms.http.wire import json_object
from platforms.linkedin.connection import call, introspect
from platforms.linkedin.settings import LinkedInCredentials

_PUBLISHES, _PUBLISHES_FOR_PAGES = "w_member_social", "w_organization_social"
_OF_MEMBERS = ("openid", "profile", _PUBLISHES)
_OF_PAGES = ("r_organization_social", _PUBLISHES_FOR_PAGES, "rw_organization_admin")
_ROLES = {"ADMINISTRATOR", "CONTENT_ADMINISTRATOR"}
"""Roles that may post for a page."""
_A_PAGE, _MOST_PAGES = 100, 5


class LinkedInConnector(Connector[LinkedInCredentials]):
    """LinkedIn's authorization; it has no PKCE in this flow.

    An app asks only for scopes that LinkedIn has approved it for, because one other scope fails the whole dialog. So
    pages are requested only if the client says so. Source:
    learn.microsoft.com/linkedin/shared/authentication/authorization-code-flow.
    """

    name = "linkedin"
    settings_page = "LinkedIn: Settings and Privacy, Data privacy, Permitted services"
    authorize = "https://www.linkedin.com/oauth/v2/authorization"
    token = "https://www.linkedin.com/oauth/v2/accessToken"  # noqa: S105 - an address
    scopes = _OF_MEMBERS
    pkce = False
    code_lifetime = "30 minutes"
    # Unverified, as LinkedIn's documents do not name it. Whether it ends more of the member is not known, so it
    # is used with the last account of the app only.
    revocation = "https://www.linkedin.com/oauth/v2/revoke"
    ends = Ends.PERSON
    options = {"as": ("member", "pages", "both")}  # noqa: RUF012

    def wanted(self, app: App, options: Mapping[str, str]) -> Sequence[str]:
        """Return the permissions to ask for."""
        return _OF_MEMBERS if options.get("as", "member") == "member" else _OF_MEMBERS + _OF_PAGES

    def lacking(self, granted: Collection[str]) -> tuple[list[str], list[str]]:
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
        found = await super().candidates(connect, app, grant, options) if chosen != "pages" else []
        return found + (await self._pages(connect, app, grant) if chosen != "member" else [])

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
        named = {str(each.get("organization") or each.get("organizationTarget")): each.get("role") for each in roles}
        found = []
        for urn in sorted(urn for urn, role in named.items() if role in _ROLES and urn.startswith("urn:li:")):
            credentials = self.credentials(app, grant, organization_urn=urn)
            identity = await self.platform.whoami(connect(credentials))
            name = identity.username
            found.append(Candidate(urn, name, "organization", credentials, name, identity=identity))
        return found


CONNECTOR = LinkedInConnector()
