"""The comment that follows a post on Facebook or Instagram."""

from typing import Any

from platforms.base import Connection, PublishContext
from platforms.http.wire import segment
from platforms.meta.graph import Graph
from platforms.steps.follow_up import FIRST_COMMENT, run_once


async def add_first_comment(
    graph: Graph, connection: Connection[Any], context: PublishContext[Any], post_id: str, text: str | None
) -> str | None:
    """Add a comment once, if one is wanted; returns and raises as `follow_up.run_once` does."""
    if not text:
        return None
    path, fields = f"/{segment(post_id)}/comments", {"message": text}
    return await run_once(connection, context, FIRST_COMMENT, lambda: graph.post_public(connection, path, fields))
