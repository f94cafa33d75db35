"""Access to accounts of Threads."""

from platforms.access.connector import Inspection
from platforms.meta.access import LongLivedConnector, code_endpoint, debugged
from platforms.threads.rules import ThreadsConnection, ThreadsCredentials


class ThreadsConnector(LongLivedConnector[ThreadsCredentials]):
    """Threads' authorization: it needs the *Threads* app's id and secret, and refuses a redirect to localhost.

    Source: Meta's Postman collection of the Threads API, and its sample app.
    """

    name = "threads"
    settings_page = "Threads: Settings, Account, Website permissions"
    consent_page = "https://www.threads.net/oauth/authorize"
    endpoint = code_endpoint("https://graph.threads.net/oauth/access_token")
    long_lived = "https://graph.threads.net/access_token"
    grant_type = "th_exchange_token"
    scopes = ("threads_basic", "threads_content_publish", "threads_manage_replies", "threads_read_replies")
    optional_scopes = frozenset({"threads_manage_replies", "threads_read_replies"})
    later_scopes = ("threads_delete", "threads_manage_insights")

    async def inspect(self, connection: ThreadsConnection) -> Inspection:
        """Check that the token works, until when, and with which permissions. Raises PlatformError."""
        inspection, _ = await debugged(
            connection, "/debug_token", connection.credentials.access_token.get_secret_value()
        )
        return inspection


CONNECTOR = ThreadsConnector()
