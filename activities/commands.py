"""The arguments of activities: ids only."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel


class PostCommand(BaseModel):
    """Name the post to work on, and the request that asked for it, so that one id finds all logs."""

    post_id: str
    request_id: str | None = None


class TargetCommand(PostCommand):
    """Name the target to work on, and the version of the post that its workflow knows."""

    version: int

    target_id: str
    platform: str
    tries: int = 0
    """How often in a row its network has refused it for now, before this step."""


class ConfirmCommand(TargetCommand):
    """Name the unconfirmed target to confirm, and how soon after this the next attempt is."""

    again_in: timedelta | None = None


class EditCommand(TargetCommand):
    """Name the published target to edit, and the saved revision that holds its new text."""

    revision_id: str


class CheckMediaCommand(BaseModel):
    """Name the saved validation whose files are looked at, and which of its targets is meant."""

    check_id: str
    position: int
    platform: str
    request_id: str | None = None


class ConnectCommand(BaseModel):
    """Name an account that is being connected, and what is to be done for it."""

    connection_id: str
    platform: str
    step: Literal["begin", "finish", "select"]
    request_id: str | None = None


class GiveUp(TargetCommand):
    """Name a target whose time is over, and why."""

    code: str
