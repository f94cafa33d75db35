"""The parts of a platform that Facebook, Instagram and Threads share."""

from abc import ABC
from typing import Any, TypeVar

from domain.post import MediaType
from platforms.base import Connection, Draft, Platform, PublishContext, S
from platforms.capabilities import ReportsQuota
from platforms.files import MediaPulls
from platforms.http.wire import segment
from platforms.meta.access import RenewsLongLived
from platforms.meta.graph import GRAPH, NO_PROOF, MetaCredentials
from platforms.steps.follow_up import FIRST_COMMENT, run_once

M = TypeVar("M", bound=MetaCredentials)


class MetaPlatform(Platform[S, M], ABC):
    """A platform of Meta's."""

    request_id_header = "x-fb-trace-id"
    strips_metadata = True  # general knowledge, unverified

    def refusal_applies(self, code: str, credentials: M, draft: Draft[S]) -> bool:
        """Return whether a refusal of the app also stops this draft.

        A missing proof stops only accounts that have none.
        """
        return code != NO_PROOF or credentials.client_secret is None


class ContainerPlatform(MetaPlatform[S, M], ReportsQuota[M], RenewsLongLived[M], ABC):
    """A platform of Meta's that makes posts from containers, which fetch the media from their URLs."""

    pulls = MediaPulls(frozenset({MediaType.IMAGE, MediaType.VIDEO}))


async def add_first_comment(
    connection: Connection[Any], context: PublishContext[Any], post_id: str, text: str | None
) -> str | None:
    """Add a comment on Facebook or Instagram once, if one is wanted; returns and raises as `run_once` does."""
    if not text:
        return None
    path, fields = f"/{segment(post_id)}/comments", {"message": text}
    return await run_once(connection, context, FIRST_COMMENT, lambda: GRAPH.post_public(connection, path, fields))
