"""The arguments of activities: ids only."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel


class PostCommand(BaseModel):
    """The post to work on, and the request that asked for it, so that one id finds all logs."""

    post_id: str
    request_id: str | None = None


class TargetCommand(PostCommand):
    """The target to work on, and the version of the post that its workflow knows."""

    version: int

    target_id: str
    platform: str
    tries: int = 0
    """How often in a row its network has refused it for now, before this step."""


class ConfirmCommand(TargetCommand):
    """The unconfirmed target to confirm, and how soon after this the next attempt is."""

    again_in: timedelta | None = None


class EditCommand(TargetCommand):
    """The published target to edit, and the saved revision that holds its new text."""

    revision_id: str


class CheckMediaCommand(BaseModel):
    """The saved validation whose files are checked, and which of its targets is meant."""

    check_id: str
    position: int
    platform: str
    request_id: str | None = None


class ConnectCommand(BaseModel):
    """An account that is being connected, and the step to take for it."""

    connection_id: str
    platform: str
    step: Literal["begin", "push", "finish", "select"]
    request_id: str | None = None


class AccountCommand(BaseModel):
    """Name a connected account, and who wants something done with it."""

    workspace_id: str
    account_id: str
    platform: str
    revoke: bool = True
    """When it is removed: whether its tokens are given back to the network."""
    key_id: str | None = None
    """The id of the API key, which opens nothing."""
    request_id: str | None = None


class GiveUp(TargetCommand):
    """A target whose time is over, and the reason."""

    code: str
