"""The locations that an account may publish to."""

from platforms.choices import Choices, ListedSetting, bounded
from platforms.googlebusiness.connection import GoogleBusinessConnection, places
from platforms.places import is_allowed

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
