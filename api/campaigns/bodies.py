"""The bodies of requests about campaigns."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from api.posts.bodies.blackouts import BlackoutBody
from api.posts.bodies.schemas import Name, RequestModel, Zone
from api.posts.many.checking import MOST_ROWS
from domain.campaigns import MOST_BLACKOUTS
from domain.workspaces import MAX_ITEMS

_TIME = (
    "An ISO 8601 date and time: an instant with an offset or Z, or wall time in `timezone`, which stays the same wall "
    "time if `timezone` changes."
)
# A post is read as the body of a request for one post; the document shows its schema.
_Post = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/PostBody"})]
_Time = Annotated[str, Field(max_length=40)]
NULLABLE = frozenset({"startsAt", "endsAt"})
"""Fields that a change removes by null."""


class CampaignFieldsBody(RequestModel):
    """The fields of a campaign."""

    tags: list[Name] | None = Field(
        None,
        max_length=MAX_ITEMS,
        description="Your own labels of the campaign; the list can be filtered by them. Its posts have their own.",
        examples=[["bf30"]],
    )
    timezone: Zone | None = Field(
        None,
        description="IANA time zone of its times and days, and the default of its posts; UTC by default.",
        examples=["Europe/Berlin"],
    )
    starts_at: _Time | None = Field(
        None, description=f"No post may be due before. {_TIME}", examples=["2030-11-01T00:00:00"]
    )
    ends_at: _Time | None = Field(
        None, description=f"No post is published from then on. {_TIME}", examples=["2031-02-01T00:00:00"]
    )
    blackouts: list[BlackoutBody] | None = Field(
        None, max_length=MOST_BLACKOUTS, description="Days on which its posts are not published."
    )


class CampaignBody(CampaignFieldsBody):
    """A campaign to create."""

    model_config = ConfigDict(title="CreateCampaign")

    name: Name = Field(description="Its name, for people.", examples=["Black Friday"])
    posts: list[_Post] | None = Field(
        None,
        max_length=MOST_ROWS,
        description=(
            "Its first posts, each as the body that creates it alone, without `campaignId`. All are created with the "
            "campaign, or nothing is. They need an `Idempotency-Key`, and are scheduled or drafts: `publishNow` is "
            "refused."
        ),
    )
    is_draft: bool | None = Field(
        None,
        description="Keep it and its posts as drafts until `POST /v1/campaigns/{campaignId}/start`.",
        examples=[False],
    )


class PatchCampaignBody(CampaignFieldsBody):
    """The fields of a campaign to change. A field that is left out stays as it is."""

    model_config = ConfigDict(title="UpdateCampaign")

    name: Name | None = Field(None, description="Its name, for people.", examples=["Black Friday"])
    conflicts: Literal["refuse", "skip"] | None = Field(
        None,
        description=(
            "Scheduled posts that `startsAt`, `endsAt` or `blackouts` would no longer allow: `refuse` (the default) "
            "changes nothing and names them, `skip` makes drafts of them."
        ),
        examples=["skip"],
    )
