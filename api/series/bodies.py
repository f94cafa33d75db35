"""The bodies of requests about series."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from api.posts.bodies.schemas import (
    LONGEST_WINDOW_S,
    SHORTEST_WINDOW_S,
    MediaBody,
    Name,
    RequestModel,
    RootSettings,
    TargetBody,
    Text,
    Zone,
)
from domain.pauses import REASON_LENGTH
from domain.recurrence.rule import LONGEST_INTERVAL, MOST_COUNTED, MOST_TIMES, Frequency
from domain.series import MOST_SINGLE_WALLS, MOST_VARIATIONS
from domain.workspaces import MAX_ITEMS
from platforms.texts.patterns import TextPattern

DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
_Day = Literal["mo", "tu", "we", "th", "fr", "sa", "su"]
_Wall = Annotated[
    str,
    TextPattern(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$",
        "must be a wall time without an offset, such as 2030-03-04T09:00",
    ),
]
_WallOrDay = Annotated[
    str,
    TextPattern(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$",
        "must be a day, or a wall time without an offset, such as 2030-12-24 or 2030-12-24T09:00",
    ),
]
_Clock = Annotated[
    str, TextPattern(r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", "must be a time of day such as 09:00")
]


# Others, such as hourly, are a rule that is not supported, and no wrong value: reading refuses them.
_Frequency = Annotated[str, WithJsonSchema({"type": "string", "enum": list(Frequency)})]


class DayBody(RequestModel):
    """A weekday, or the nth of a month or year."""

    model_config = ConfigDict(title="RecurrenceDay")

    day: _Day = Field(description="The weekday.", examples=["fr"])
    nth_of_period: int | None = Field(None, ge=-53, le=53, examples=[-1])
    """Which of the month, or of the year in a yearly rule without `byMonth`; -1 is the last."""


_DayOrName = Annotated[
    DayBody,
    BeforeValidator(lambda day: {"day": day} if isinstance(day, str) else day),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": list(DAYS)},
                {
                    "type": "object",
                    "properties": {
                        "day": {"type": "string", "enum": list(DAYS)},
                        "nthOfPeriod": {"type": "integer", "minimum": -53, "maximum": 53},
                    },
                    "required": ["day"],
                    "additionalProperties": False,
                },
            ]
        },
        mode="validation",
    ),
]


class RecurrenceBody(RequestModel):
    """A rule, in JSCalendar's names (RFC 8984), or as RRULE text (RFC 5545)."""

    model_config = ConfigDict(title="RecurrenceRule")

    frequency: _Frequency | None = Field(None, examples=["weekly"])
    """The period; required unless `rrule` is given."""
    interval: int = Field(1, ge=1, le=LONGEST_INTERVAL, description="Every how many periods.", examples=[1])
    by_day: list[_DayOrName] | None = Field(None, max_length=MAX_ITEMS, examples=[["mo", "th"]])
    """Weekdays: `mo` or `{day, nthOfPeriod}`. By default that of `start`, in a weekly rule."""
    by_month_day: list[int] | None = Field(None, max_length=MAX_ITEMS, examples=[[1, 15]])
    """Days of the month; -1 is the last."""
    by_month: list[int] | None = Field(None, max_length=12, description="Months, 1 to 12.", examples=[[3, 9]])
    by_set_position: list[int] | None = Field(None, max_length=MAX_ITEMS, examples=[[-1]])
    """Which of the days of a period; with weekdays, -1 is the last working day of a month."""
    first_day_of_week: _Day = Field("mo", description="It decides which weeks an `interval` above 1 skips.")
    times: list[_Clock] | None = Field(None, min_length=1, max_length=MOST_TIMES, examples=[["09:00", "17:30"]])
    """Times of day, instead of that of `start`."""
    count: int | None = Field(None, ge=1, le=MOST_COUNTED, examples=[20])
    """How many occurrences the rule has, from `start` on."""
    until: str | None = Field(None, max_length=40, examples=["2031-12-24", "2031-12-24T09:00:00"])
    """The last wall time or day of the rule, included."""
    skip: Literal["omit", "backward"] | None = Field(None, examples=["backward"])
    """The treatment of a day that a month does not have: `omit` it, or take the last day of the month (`backward`).
    Required if a month of the rule may lack one of its days."""
    rrule: str | None = Field(None, max_length=1000, examples=["FREQ=WEEKLY;BYDAY=MO,TH;COUNT=20"])
    """The rule as RRULE text, instead of the other fields."""


class SeriesPostBody(RequestModel):
    """A post without its time, which the series gives it. The fields are those of a post."""

    model_config = ConfigDict(title="PostOfSeries")

    content: Text | None = Field(None, description="The text.", examples=["Tip of the week"])
    media_items: list[MediaBody] | None = Field(None, max_length=MAX_ITEMS, examples=[[]])
    """Images, videos or GIFs."""
    platforms: list[TargetBody] | None = Field(
        None, max_length=MAX_ITEMS, examples=[[{"platform": "twitter", "accountId": "tw_456"}]]
    )
    """The accounts that it is published to."""
    tags: list[Name] | None = Field(None, max_length=MAX_ITEMS, description="Labels of each post.", examples=[["tips"]])
    tiktok_settings: RootSettings | None = Field(None, description="Settings for all TikTok targets.", examples=[{}])
    facebook_settings: RootSettings | None = Field(None, examples=[{}])
    """Settings for all Facebook targets."""
    publish_within: int | None = Field(None, ge=SHORTEST_WINDOW_S, le=LONGEST_WINDOW_S, examples=[86400])
    """Seconds after its time in which a post may still be published."""


_START = "The first wall time that the rule may have, in `timezone`. It is an occurrence only if the rule has it."


class RulesBody(RequestModel):
    """The rules of a series that do not exist yet."""

    timezone: Zone = Field(examples=["Europe/Berlin"])
    """IANA time zone: 09:00 stays 09:00 there when clocks change."""
    start: _Wall = Field(description=_START, examples=["2030-03-04T09:00:00"])
    recurrence: RecurrenceBody = Field(examples=[{"frequency": "weekly", "byDay": ["mo", "th"], "count": 20}])
    """The rule."""
    exclude: list[_WallOrDay] | None = Field(None, max_length=MOST_SINGLE_WALLS, examples=[["2030-12-24T09:00:00"]])
    """Wall times that get no post, and days whose times get none."""
    include: list[_Wall] | None = Field(None, max_length=MOST_SINGLE_WALLS, examples=[[]])
    """Wall times that get one beside the rule."""
    campaign_id: str | None = Field(None, max_length=40, examples=["cmp_019bc10e51307c4f8d2b7f3a6c0e9d41"])
    """The campaign of its posts: they follow its window, blackouts and pauses."""
    on_blackout: Literal["skip"] = Field("skip", examples=["skip"])
    """Occurrences in a blackout of the campaign get no post."""


class PreviewBody(RulesBody):
    """Rules whose occurrences are to be shown."""

    model_config = ConfigDict(title="PreviewSeries")


class SeriesBody(RulesBody):
    """A series to create."""

    model_config = ConfigDict(title="CreateSeries")

    name: Name = Field(description="Its name, for people.", examples=["Monday tip"])
    post: SeriesPostBody = Field(description="The post of each occurrence.")
    variations: list[SeriesPostBody] | None = Field(
        None, max_length=MOST_VARIATIONS, examples=[[{"content": "Drink water"}, {"content": "Take a walk"}]]
    )
    """Fields that replace those of `post`, in turn: the first post has the first variation's."""


class PatchSeriesBody(RequestModel):
    """The fields of a series to change. A field that is left out stays as it is."""

    model_config = ConfigDict(title="UpdateSeries")

    name: Name | None = Field(None, description="Its name, for people.", examples=["Monday tip"])
    timezone: Zone | None = Field(None, examples=["Europe/Berlin"])
    """Wall times stay, and are read in this zone."""
    start: _Wall | None = Field(None, description=_START, examples=["2030-03-04T10:00:00"])
    recurrence: RecurrenceBody | None = Field(None, examples=[{"frequency": "daily"}])
    """The whole rule. It counts from `start`; give a new `start` to begin the count again."""
    post: SeriesPostBody | None = Field(None, description="The whole post of each occurrence.")
    variations: list[SeriesPostBody] | None = Field(None, max_length=MOST_VARIATIONS, examples=[[]])
    """All variations; an empty list for none."""
    exclude: list[_WallOrDay] | None = Field(None, max_length=MOST_SINGLE_WALLS, examples=[[]])
    """All wall times and days that get no post."""
    include: list[_Wall] | None = Field(None, max_length=MOST_SINGLE_WALLS, examples=[[]])
    """All that get one beside the rule."""
    from_: _Wall | None = Field(None, alias="from", examples=["2030-04-01T00:00:00"])
    """The wall time from which the change holds; now if left out. Name, `exclude`, `include`: always."""
    override: bool = Field(False, examples=[False])
    """Change and remove also posts that were changed by themselves."""
    dry_run: bool = Field(False, description="Answer what would be done, and change nothing.", examples=[True])


class PauseSeriesBody(RequestModel):
    """The reason of a pause."""

    model_config = ConfigDict(title="PauseSeries")

    reason: str | None = Field(None, max_length=REASON_LENGTH, examples=["New texts are being written"])
    """Why; people see it wherever the pause is shown."""
