"""The arguments of activities: ids only."""

from datetime import timedelta
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel

from domain.campaigns import CampaignPlan
from domain.pauses import MissedPolicy

ConnectStep = Literal["begin", "push", "finish", "select"]
"""Make the address for consent, push the request to a server that wants it, exchange the code, or save a choice."""
AccountStep = Literal["check", "remove"]


class GiveUpReason(StrEnum):
    """The reason why a target is not tried any longer. If the target fails for it, it is the code for clients, too."""

    WINDOW_PASSED = "publish_window_passed"
    """It could not be published in the time given for that."""
    UNCONFIRMED = "unconfirmed"
    """Its send could not be confirmed in the time given for that."""
    INCOMPLETE = "incomplete"
    """The steps after its publication could not be done in the time given for that."""


class PostCommand(BaseModel):
    """The post to work on, and the request that caused it, so that one id finds all logs."""

    post_id: str
    request_id: str | None = None


class TargetCommand(PostCommand):
    """The target to work on, and the version of the post that its workflow knows."""

    version: int

    target_id: str
    platform: str
    tries: int = 0
    """How often in a row its platform has refused it for now, before this step."""
    urgent: bool = False
    """Whether a client waits for the post."""


class ConfirmCommand(TargetCommand):
    """The unconfirmed target to confirm, and the time until the attempt after this one."""

    again_in: timedelta | None = None


class EditCommand(TargetCommand):
    """The published target to edit, and the saved revision that holds its new text."""

    revision_id: str


class CheckMediaCommand(BaseModel):
    """The saved validation whose files are checked, and the target to check."""

    check_id: str
    position: int
    platform: str
    request_id: str | None = None


class ConnectCommand(BaseModel):
    """An account that is being connected, and the step to take for it."""

    connection_id: str
    platform: str
    step: ConnectStep
    request_id: str | None = None


class AccountCommand(BaseModel):
    """A connected account, and the request that caused the step."""

    workspace_id: str
    account_id: str
    platform: str
    request_id: str | None = None


class ChoicesCommand(BaseModel):
    """A saved request for the values of a setting; its row says which account it concerns."""

    list_id: str
    platform: str
    request_id: str | None = None


class GiveUpCommand(TargetCommand):
    """A target that is not tried any longer, and the reason."""

    code: GiveUpReason


class PauseCampaignCommand(CampaignPlan):
    """The campaign to pause, as an operator asks its workflow."""

    reason: str | None = None


class ResumeCampaignCommand(CampaignPlan):
    """The campaign whose pause ends, as an operator asks its workflow."""

    missed: MissedPolicy | None = None
    spacing_s: int = 0
