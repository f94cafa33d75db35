"""An account's line to Google: posts, accounts and locations each have a host of their own, and so has the token."""

from typing import Any

from platforms import oauth
from platforms.base import Connection
from platforms.errors import Kind, NetworkError
from platforms.googlebusiness.settings import GoogleBusinessCredentials

BASE_URL = "https://mybusiness.googleapis.com"
ACCOUNTS = "https://mybusinessaccountmanagement.googleapis.com"
LOCATIONS = "https://mybusinessbusinessinformation.googleapis.com"
TOKENS = "https://oauth2.googleapis.com"

MOST_PAGES = 20
"""Of accounts and of locations, each; whoever manages more names the location."""

Line = Connection[GoogleBusinessCredentials]


async def call(
    line: Line, method: str, path: str, *, host: str = BASE_URL, public: bool = False, **options: Any
) -> dict[str, Any]:
    """Return Google's answer. `public` marks the request that makes the post. Raises NetworkError."""

    async def renew(current: GoogleBusinessCredentials) -> GoogleBusinessCredentials:
        url = oauth.second_host(line.wire, BASE_URL, TOKENS) + "/token"
        return await oauth.renewed(line.wire, current, url, basic=False)

    url = oauth.second_host(line.wire, BASE_URL, host) + path
    answer = await oauth.send(line, method, url, renew=renew, public=public, **options)
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    # An empty list of posts is an empty object: what is no object must not pass for one.
    kind = Kind.UNCLEAR if public else Kind.TRANSIENT
    raise NetworkError(kind, "Google answered in a way that cannot be read.", code="unreadable_answer")


async def place(line: Line) -> tuple[str, str, str]:
    """Return the account's number, the location's number and its title as Google has them.

    Raises NetworkError: `auth` where the location is not among those that the user manages, or several are and none
    is named.
    """
    wanted, found = line.credentials.user_id, []
    for account in await _all(line, ACCOUNTS, "/v1/accounts", "accounts"):
        name = str(account.get("name"))
        if line.credentials.account_id not in {None, name.rpartition("/")[2]}:
            continue
        query = {"readMask": "name,title", "pageSize": "100"}
        for location in await _all(line, LOCATIONS, f"/v1/{name}/locations", "locations", **query):
            number = str(location.get("name")).rpartition("/")[2]
            if wanted in {None, number}:
                found.append((name.rpartition("/")[2], number, str(location.get("title") or "")))
    if wanted is None and len(found) > 1:
        several = ", ".join(f"locations/{number} ({title})" for _, number, title in found[:10])
        message = f"This Google account manages several locations. Name one as locationId: {several}."
        raise NetworkError(Kind.AUTH, message, code="several_locations")
    if not found:
        message = "Google does not find this location among those that the account manages."
        raise NetworkError(Kind.AUTH, message, code="no_location")
    return found[0]


async def parent(line: Line, location: str | None) -> str:
    """Return the name below which posts are made; what of it was not known is asked for once and kept.

    `location` is another one of the same account than the line's own.
    """
    if line.credentials.account_id is None or line.credentials.user_id is None:
        account, own, _ = await place(line)
        await keep(line, account, own)
    return f"accounts/{line.credentials.account_id}/locations/{location or line.credentials.user_id}"


async def keep(line: Line, account: str, location: str) -> None:
    """Keep with the credentials which location of which account they are for."""
    line.credentials = await line.refresh(lambda current: _placed(current, account, location))


async def _placed(current: GoogleBusinessCredentials, account: str, location: str) -> GoogleBusinessCredentials:
    return current.model_copy(update={"account_id": account, "user_id": location})


async def _all(line: Line, host: str, path: str, name: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        body = await call(line, "GET", path, host=host, params=query)
        found += [each for each in body.get(name) or [] if isinstance(each, dict)]
        if not body.get("nextPageToken"):
            break
        query["pageToken"] = str(body["nextPageToken"])
    return found
