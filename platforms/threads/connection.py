"""An account's connection to Threads, and Threads' names for containers."""

from platforms.base import ApiVersion, Connection
from platforms.meta.containers import ContainerDialect
from platforms.meta.graph import Graph
from platforms.threads import errors
from platforms.threads.settings import ThreadsCredentials

API = ApiVersion("v1.0")
GRAPH = Graph(API.name)
CONTAINERS = ContainerDialect(
    graph=GRAPH,
    edge="/me/threads",
    publishing="/me/threads_publish",
    state="status",
    message="error_message",
    is_gone=errors.is_gone,
    needs_new=errors.needs_new,
    failed=errors.processing_error,
)

ThreadsConnection = Connection[ThreadsCredentials]
