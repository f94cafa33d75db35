"""Access to locations of Google Business Profile: one authorization may yield hundreds."""

from collections.abc import Mapping

from platforms.access.connector import Candidate, Connect
from platforms.access.grants import Grant
from platforms.access.registered_apps import App
from platforms.google.access import GoogleConnector
from platforms.googlebusiness.connection import places
from platforms.googlebusiness.settings import GoogleBusinessCredentials


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
