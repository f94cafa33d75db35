"""Days without posts, in the bodies of requests and in answers."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, NotRequired, cast

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from api.posts.bodies.schemas import LONGEST_NAME, RequestModel
from api.views import described, view
from domain.campaigns import Blackout
from domain.errors import Problem
from domain.schedule import NoSuchTime, parse_date

_FIRST_YEAR, _LAST_YEAR = 2000, 2200
"""The years of blackouts, so that their first and last instants are in the range of times."""


def _day(text: str) -> str:
    try:
        day = parse_date(text)
    except NoSuchTime as error:
        raise PydanticCustomError("rule", f"names a day that does not exist: {error}") from None
    except ValueError:
        day = date.min
    if day.isoformat() != text or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise PydanticCustomError("rule", "must be a date such as 2030-12-24")
    return text


Day = Annotated[str, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class BlackoutBody(RequestModel):
    """Days on which nothing is planned."""

    from_: Day = Field(alias="from", description="The first of the days.", examples=["2030-12-24"])
    to: Day = Field(description="The last of the days.", examples=["2030-12-26"])
    reason: str | None = Field(None, max_length=LONGEST_NAME, description="Why.", examples=["Christmas"])


BlackoutView = TypedDict(
    "BlackoutView",
    {
        "from": Annotated[str, described("The first of the days.", "2030-12-24")],
        "to": Annotated[str, described("The last of the days.", "2030-12-26")],
        "reason": NotRequired[Annotated[str, described("Why, if given.", "Christmas")]],
    },
)
"""Days on which nothing is planned. `from` is no name of Python's, so it is no class."""
BlackoutView.__doc__ = "Days on which nothing is planned."
view("BlackoutDays")(BlackoutView)


def read_blackouts(bodies: Sequence[BlackoutBody], problems: list[Problem]) -> list[Blackout]:
    """Return what bodies say; a problem is added for each that ends before it begins."""
    blackouts = [Blackout(date.fromisoformat(body.from_), date.fromisoformat(body.to), body.reason) for body in bodies]
    for position, blackout in enumerate(blackouts):
        if blackout.last < blackout.first:
            where = f"blackouts.{position}.to"
            problems.append(Problem(f"{where} must not be before from", "invalid_field_value", where))
    return blackouts


def blackout_view(document: dict[str, str]) -> BlackoutView:
    """Return a blackout of a row as clients read it."""
    return cast("BlackoutView", document)
