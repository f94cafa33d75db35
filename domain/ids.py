"""Make ids whose text order is their creation order."""

import re
import secrets

import uuid_utils

_POST_ID = re.compile(r"post_[0-9a-f]{32}")


def new_id(prefix: str) -> str:
    """Return a new sortable id such as post_019a… (UUIDv7, RFC 9562)."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def new_workspace_id() -> str:
    """Return a new workspace id, short because it prefixes every workflow id."""
    return f"ws_{secrets.token_hex(6)}"


def is_post_id(text: str) -> bool:
    """Tell whether a post could have this id at all."""
    return _POST_ID.fullmatch(text) is not None


def workflow_id(workspace_id: str, post_id: str, key: str | None, generation: int = 1) -> str:
    """Return the id under which a post's workflow runs.

    A key that is used again after it expired gets the next generation, so that the second post does not meet the first
    one's workflow, which may still be asleep. The generation stands before the slash, where no key can imitate it.
    """
    if key is None:
        return post_id
    return f"{workspace_id}/{key}" if generation == 1 else f"{workspace_id}~{generation}/{key}"
