"""Access to locations of Google Business Profile, of which one authorization may yield hundreds.

Posts, accounts, locations and tokens each have their own host.
"""

from collections.abc import Mapping
from typing import Any

import httpx

from platforms.access import oauth
from platforms.access.connector import Candidate, Connect
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant
from platforms.capabilities import Choices, ListedSetting, bounded
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.google.access import GoogleConnector
from platforms.googlebusiness.rules import GoogleBusinessConnection, GoogleBusinessCredentials
from platforms.http.answers import parse
from platforms.http.wire import segment
from platforms.places import is_allowed

BASE_URL = "https://mybusiness.googleapis.com"
ACCOUNTS = "https://mybusinessaccountmanagement.googleapis.com"
LOCATIONS = "https://mybusinessbusinessinformation.googleapis.com"

MOST_PAGES = 20
"""Most pages of accounts and of locations, each. A user who manages more must name the location."""


async def call(
    connection: GoogleBusinessConnection,
    method: str,
    path: str,
    *,
    host: str = BASE_URL,
    public: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Return Google's response. `public` marks the request that makes the post. Raises PlatformError."""
    url = connection.wire.address(BASE_URL, host + path)
    answer = await oauth.send(connection, method, url, public=public, **options)
    body = parse(answer)
    if isinstance(body, dict):
        return body
    # An empty list of posts is an empty object, so a response that is no object must not count as one.
    raise unreadable("Google", public=public)


async def place(connection: GoogleBusinessConnection, location: str | None = None) -> tuple[str, str, str]:
    """Return the account's number, the location's number and its title as Google has them.

    `location` is a location's number, by default the connection's own. Raises PlatformError, `auth` if the user does
    not manage the location, or manages several and none is named.
    """
    location = location or connection.credentials.user_id
    anywhere = location != connection.credentials.user_id
    every = await places(connection, None if anywhere else connection.credentials.account_id)
    matching = {candidate[1]: candidate for candidate in every if location in {None, candidate[1]}}
    if location is None and len(matching) > 1:
        several = ", ".join(f"locations/{number} ({title})" for _, number, title in list(matching.values())[:10])
        message = f"This Google account manages several locations. Name one as locationId: {several}."
        raise PlatformError(ErrorKind.AUTH, message, code="several_locations")
    if not matching:
        message = "Google does not find this location among those that the account manages."
        raise PlatformError(ErrorKind.AUTH, message, code="no_location")
    return next(iter(matching.values()))


async def places(connection: GoogleBusinessConnection, only_account: str | None = None) -> list[tuple[str, str, str]]:
    """Return account, location and title of all locations that the user manages. Raises PlatformError."""
    by_number: dict[str, tuple[str, str, str]] = {}
    for account in sorted(await _all(connection, ACCOUNTS, "/v1/accounts", "accounts"), key=_rank):
        number = str(account.get("name")).rpartition("/")[2]
        if only_account in {None, number}:
            for location in await _locations(connection, number):
                its_number = str(location.get("name")).rpartition("/")[2]
                by_number.setdefault(its_number, (number, its_number, str(location.get("title") or "")))
    return list(by_number.values())


def _rank(account: dict[str, Any]) -> int:
    """Rank accounts by how directly they own locations: an organisation and a group list the same ones."""
    return {"PERSONAL": 0, "LOCATION_GROUP": 1}.get(str(account.get("type")), 2)


async def _locations(connection: GoogleBusinessConnection, account: str) -> list[dict[str, Any]]:
    """Return the locations of an account; if Google forbids listing them, none, so that the search continues."""
    query = {"readMask": "name,title", "pageSize": "100"}
    try:
        return await _all(connection, LOCATIONS, f"/v1/accounts/{segment(account)}/locations", "locations", **query)
    except PlatformError as error:
        if error.status not in {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND} or error.kind is ErrorKind.OPERATOR:
            raise
        return []


async def parent(connection: GoogleBusinessConnection) -> str:
    """Return the name below which posts are made. Unknown parts of it are requested once and stored."""
    if connection.credentials.account_id is None or connection.credentials.user_id is None:
        account, own, _ = await place(connection)
        await keep(connection, account, own)
    return f"accounts/{connection.credentials.account_id}/locations/{connection.credentials.user_id}"


async def location_parent(connection: GoogleBusinessConnection, location: str) -> str:
    """Return the name below which posts of another location are made; it may belong to another group.

    Raises PlatformError, `rejected` if the user does not manage the location, because the account is not at fault.
    """
    try:
        account, number, _ = await place(connection, location)
    except PlatformError as error:
        if error.code != "no_location":
            raise
        message = "Google does not find this location among those that the account manages. Check locationId."
        raise PlatformError(ErrorKind.REJECTED, message, code=error.code) from error
    return f"accounts/{account}/locations/{number}"


async def keep(connection: GoogleBusinessConnection, account: str, location: str) -> None:
    """Store in the credentials for which location of which account they are."""
    placed = {"account_id": account, "user_id": location}
    connection.credentials = await connection.keep(lambda current: current.model_copy(update=placed))


async def _all(
    connection: GoogleBusinessConnection, host: str, path: str, name: str, **query: str
) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        body = await call(connection, "GET", path, host=host, params=query)
        items += [item for item in body.get(name) or [] if isinstance(item, dict)]
        if not body.get("nextPageToken"):
            break
        query["pageToken"] = str(body["nextPageToken"])
    return items


_NAME = "locationId"
LISTED = {_NAME: ListedSetting(scope="https://www.googleapis.com/auth/business.manage")}


async def locations(connection: GoogleBusinessConnection) -> Choices:
    """Return the account's own location and those that are allowed for it. Raises PlatformError.

    The Google user may manage other customers' locations, too: these are not listed.
    """
    own, allowed = connection.credentials.user_id or connection.account.user_id, connection.account.allowed
    known_places = await places(connection)
    return bounded(
        (number, title) for _, number, title in known_places if number == own or is_allowed(allowed, _NAME, number)
    )


class GoogleBusinessConnector(GoogleConnector[GoogleBusinessCredentials]):
    """The locations that a Google user manages."""

    name = "googlebusiness"
    scopes = ("https://www.googleapis.com/auth/business.manage",)

    async def candidates(
        self, connect: Connect, app: App, grant: Grant, options: Mapping[str, str]
    ) -> list[Candidate[GoogleBusinessCredentials]]:
        """Return all locations."""
        locations = await places(connect(self.credentials(app, grant)))
        return [
            Candidate(
                location, title, "location", self.credentials(app, grant, account_id=account, user_id=location), title
            )
            for account, location, title in locations
        ]


CONNECTOR = GoogleBusinessConnector()
