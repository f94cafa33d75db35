"""Google Business Profile's settings, credentials and limits, and what each kind of post needs."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.access.oauth import OAuthCredentials
from platforms.base import AccountFacts, Connection, Draft, PublishContext
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.patterns import Language, TextPattern, WebAddress


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]


AccountName = Annotated[
    str, TextPattern(r"^(accounts/)?\d{1,30}$", "must be an account such as accounts/123"), AfterValidator(_last_part)
]
LocationName = Annotated[
    str,
    TextPattern(r"^((accounts/\d{1,30}/)?locations/)?\d{1,30}$", "must be a location such as locations/123"),
    AfterValidator(_last_part),
]


class CallToAction(ClientModel):
    """A button below the post."""

    type: Literal["BOOK", "ORDER", "SHOP", "LEARN_MORE", "SIGN_UP", "CALL"] = Field(
        description="What the button says; CALL dials the profile's own number.", examples=["LEARN_MORE"]
    )
    url: WebAddress | None = Field(
        None,
        description="The address that it links to; needed for all but CALL, which has none.",
        examples=["https://example.com"],
    )

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "CallToAction":
        if (self.type == "CALL") is (self.url is not None):
            raise ValueError("url is needed for every button but CALL, which takes none")
        return self


class Date(ClientModel):
    """A day, as Google writes it."""

    year: int = Field(ge=2000, le=9999, description="The year.", examples=[2026])
    month: int = Field(ge=1, le=12, description="The month.", examples=[1])
    day: int = Field(ge=1, le=31, description="The day of the month.", examples=[20])


class Time(ClientModel):
    """A time of the day at the location, without a time zone."""

    hours: int = Field(ge=0, le=23, description="The hour.", examples=[9])
    minutes: int = Field(0, ge=0, le=59, description="The minute.", examples=[30])


class Schedule(ClientModel):
    """The begin and the end, in the location's own time."""

    start_date: Date = Field(description="The first day.", examples=[{"year": 2026, "month": 1, "day": 20}])
    start_time: Time = Field(description="When it begins.", examples=[{"hours": 9, "minutes": 0}])
    end_date: Date = Field(description="The last day.", examples=[{"year": 2026, "month": 1, "day": 21}])
    end_time: Time = Field(description="When it ends.", examples=[{"hours": 17, "minutes": 0}])

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Schedule":
        if _moment(self.end_date, self.end_time) < _moment(self.start_date, self.start_time):
            raise ValueError("it ends before it begins")
        return self


def _moment(day: Date, time: Time) -> datetime:
    return datetime(day.year, day.month, day.day, time.hours, time.minutes, tzinfo=UTC)


class Event(ClientModel):
    """An event. An offer has its name and its time here, too."""

    title: str = Field(min_length=1, max_length=58, description="Its name.", examples=["Winter sale"])
    schedule: Schedule = Field(description="From when to when.")


class Offer(ClientModel):
    """The ways to redeem an offer."""

    coupon_code: str | None = Field(None, min_length=1, description="A code to show.", examples=["WINTER26"])
    redeem_online_url: WebAddress | None = Field(
        None, description="The address at which it is redeemed online.", examples=["https://example.com/sale"]
    )
    terms_conditions: str | None = Field(
        None, min_length=1, description="What applies.", examples=["While supplies last."]
    )


class GoogleBusinessSettings(ClientModel):
    """Settings of a post on a Google Business Profile."""

    topic_type: Literal["STANDARD", "EVENT", "OFFER"] | None = Field(
        None, description="The kind of post; left out, `offer` and `event` tell.", examples=["STANDARD"]
    )
    language_code: Language | None = Field(
        None,
        description="The language of the text (BCP 47); if left out, the account's, else English.",
        examples=["de"],
    )
    call_to_action: CallToAction | None = Field(None, description="A button; not with an offer.")
    event: Event | None = Field(None, description="What happens when; needed for EVENT and OFFER.")
    offer: Offer | None = Field(None, description="How to redeem it; for OFFER.")
    location_id: LocationName | None = Field(
        None,
        description="Another location of the same Google account, if it is allowed for the account.",
        examples=["locations/222"],
    )

    @property
    def topic(self) -> str:
        """Return the kind of post that is meant."""
        return self.topic_type or ("OFFER" if self.offer else "EVENT" if self.event else "STANDARD")


class GoogleBusinessCredentials(OAuthCredentials):
    """A Google user's tokens (an hour), what renews them, and which location of which account this is.

    `{"accessToken", "refreshToken", "clientId", "clientSecret", "accountId", "locationId", "languageCode"}`; account
    and location may be left out if the user manages one location only. `userId` is another name for `locationId`.
    `languageCode` (BCP 47) is the language of posts that name none.
    """

    account_id: AccountName | None = None
    user_id: LocationName | None = Field(None, validation_alias=AliasChoices("locationId", "userId"))
    language_code: Language | None = None


GoogleBusinessConnection = Connection[GoogleBusinessCredentials]
GoogleBusinessContext = PublishContext[GoogleBusinessSettings]


_POSTS = "developers.google.com/my-business/reference/rest/v4/accounts.locations.localPosts"
_PHOTOS = "support.google.com/business/answer/6103862"

RULES = Rules(
    post_id=PostId(
        r"accounts/[0-9]{1,30}/locations/[0-9]{1,30}/localPosts/[A-Za-z0-9_-]{1,128}",
        "a name such as accounts/1/locations/2/localPosts/3",
    ),
    text=TextRule(limit=1500, count=len, source=_POSTS),
    # Working clients send one photo, and videos always fail; Google's pages do not say so: unverified.
    media=MediaRule(max_items=1, max_of=((MediaType.IMAGE, 1),), source=_POSTS),
    files=(
        FileRule(
            MediaType.IMAGE,
            ("image/jpeg", "image/png"),
            # Google names 10 KB for photos of profiles, but not which kind of KB.
            min_bytes=10_000,
            max_bytes=5 * 1024 * 1024,
            min_width=250,
            min_height=250,
            source=_PHOTOS,
        ),
    ),
    # Google counts edits of a profile; that posts are edits is unverified.
    rate_limits=(RateLimit(10, timedelta(minutes=1), source="developers.google.com/my-business/content/limits"),),
)

_PHONE = re.compile(r"(?<![\w+])(?:\+\d[\d\s().-]{6,16}\d|\(\d{3}\)\s?\d{3}[\s.-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4})(?!\w)")
"""A pattern of texts that surely are telephone numbers: Google's content policy forbids them in a post's text."""


def check(label: str, draft: Draft[GoogleBusinessSettings], _: AccountFacts) -> list[Violation]:
    """Return everything Google would reject; the file of the photo is not checked."""
    settings = draft.settings
    violations = RULES.check(label, draft.text, draft.media)
    if not draft.text.strip():
        violations.append(Violation("content", f"{label} needs text in every post"))
    if _PHONE.search(draft.text[: RULES.text.limit]):
        violations.append(
            Violation("content", f"{label} lets no telephone number stand in the text; use the CALL button instead")
        )
    topic = settings.topic
    if topic == "OFFER" and settings.call_to_action:
        violations.append(setting("callToAction", f"{label} puts its own button on an offer; leave callToAction out"))
    if topic in {"EVENT", "OFFER"} and not settings.event:
        violations.append(setting("event", f"{label} needs event with title and schedule for an {topic.lower()}"))
    if topic == "STANDARD" and settings.event:
        violations.append(setting("event", f"{label} takes event with the topicType EVENT or OFFER"))
    if topic != "OFFER" and settings.offer:
        violations.append(setting("offer", f"{label} takes offer with the topicType OFFER"))
    return violations
