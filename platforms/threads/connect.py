"""Connect an account of Threads."""

from platforms.meta.connect import LongLivedConnector
from platforms.threads.settings import ThreadsCredentials


class ThreadsConnector(LongLivedConnector[ThreadsCredentials]):
    """Threads' authorization: it needs the *Threads* app's id and secret, and refuses a redirect to localhost.

    Source: Meta's Postman collection of the Threads API, and its sample app.
    """

    name = "threads"
    authorize = "https://www.threads.net/oauth/authorize"
    token = "https://graph.threads.net/oauth/access_token"  # noqa: S105 - an address
    long_lived = "https://graph.threads.net/access_token"
    grant_type = "th_exchange_token"
    scopes = ("threads_basic", "threads_content_publish", "threads_manage_replies", "threads_read_replies")
    secondary = frozenset({"threads_manage_replies", "threads_read_replies"})


CONNECTOR = ThreadsConnector()
