"""The bodies of requests that pause, resume and move campaigns."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from api.pauses.schemas import ResumeBody
from api.posts.bodies.schemas import RequestModel, check_duration
from domain.pauses import REASON_LENGTH

Missed = Literal["publish", "shift", "skip"]
_BOUND = "An ISO 8601 date, or date and time; without an offset it is the campaign's `timezone`'s."


class PauseCampaignBody(RequestModel):
    """The reason of a campaign's pause, and its end if it has one."""

    model_config = ConfigDict(title="PauseCampaign")

    reason: str | None = Field(
        None,
        max_length=REASON_LENGTH,
        description="Why; people see it wherever the pause is shown.",
        examples=["The prices are wrong"],
    )
    resume_at: Annotated[str, Field(max_length=40)] | None = Field(
        None,
        description=(
            "When the pause ends by itself: an ISO 8601 date and time, an instant or wall time in the campaign's "
            "`timezone`. A worker ends it, so it may last some minutes longer, and never ends earlier."
        ),
        examples=["2030-11-21T08:00:00"],
    )
    missed: Missed | None = Field(
        None,
        description="What becomes at `resumeAt` of the posts that were missed by then. Required with `resumeAt`.",
        examples=["publish"],
    )


class ResumeCampaignBody(ResumeBody):
    """The outcome of the posts that a campaign's pause has missed."""

    model_config = ConfigDict(title="ResumeCampaign")


class ShiftCampaignBody(RequestModel):
    """The distance by which a campaign's posts move, and which of them."""

    model_config = ConfigDict(title="ShiftCampaign")

    by: Annotated[str, AfterValidator(check_duration), Field(max_length=40)] = Field(
        description=(
            "An ISO 8601 duration such as `P2D`, `-P1W` or `PT90M`. Weeks and days move the wall time in a post's "
            "`timezone`, so 09:00 stays 09:00 when clocks change; hours and minutes move the instant."
        ),
        examples=["P2D"],
    )
    from_: Annotated[str, Field(max_length=40)] | None = Field(
        None,
        alias="from",
        description=f"Move only posts that are scheduled from then on. {_BOUND}",
        examples=["2030-11-24"],
    )
    to: Annotated[str, Field(max_length=40)] | None = Field(
        None,
        description=f"Move only posts that are scheduled until then; a date covers its whole day. {_BOUND}",
        examples=["2030-11-30"],
    )
    dry_run: bool = Field(False, description="Answer what would be done, and change nothing.", examples=[False])
