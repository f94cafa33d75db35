"""The state that Threads' routes share."""

from abc import ABC

from sandbox.authorization import ConsentRules
from sandbox.graph import refused
from sandbox.meta_containers import Container, FakeContainers
from sandbox.wire import RefusedError

POSTS_PER_DAY, REPLIES_PER_DAY = 250, 1000


class ThreadsContainer(Container, rename="camel"):
    """One container of Threads; `error` is the code that its status shows."""

    reply_to: str | None = None
    quotes: str | None = None
    note: str | None = None


class FakeThreads(FakeContainers[ThreadsContainer], ABC):
    """State and methods that all routes share."""

    consent = ConsentRules(
        "/oauth/authorize",
        frozenset(("threads_basic", "threads_content_publish", "threads_manage_replies", "threads_read_replies")),
        code_seconds=3600,
        pkce="none",
        scope_separator=",",
        declinable=True,
    )
    conditions = {  # noqa: RUF012
        **FakeContainers.conditions,
        "children_unseen": "The items of a carousel are finished, and not found by its own container.",
        "own_posts_only": "Posts that are not known here are others', which the app may not answer.",
        "links_refused": "Link attachments are refused, as those that redirect are.",
    }
    container_type = ThreadsContainer
    node_types = ("ThreadsUser", "ThreadsContainer", "ThreadsPost")
    exchange_grant = "th_exchange_token"
    refresh_grant = "th_refresh_token"

    def _missing(self, object_id: str) -> RefusedError:
        # The subcode is unverified.
        return refused("The requested resource does not exist", 24, 4279009)

    def _missing_container(self, container_id: str) -> RefusedError:
        return self._missing(container_id)
