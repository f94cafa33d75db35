"""The answers with a calendar."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from api.views import QUEUE_ID, THUMBNAIL_URL, Moment, PlatformName, ValueOf, described, view
from domain.pauses import PauseScope
from domain.plan import WaitsFor
from domain.post import PostStatus, TargetStatus


@view("CalendarTarget")
class CalendarTargetView(TypedDict):
    """A target of a post on a calendar."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str, described("The connected account.", "ig_123")]
    username: Annotated[str | None, described("Its name there; null once the account is removed.", "acme")]
    status: Annotated[Annotated[str, ValueOf(TargetStatus)], described("Its status, as in the post.", "published")]


@view("CalendarThumbnail")
class CalendarThumbnailView(TypedDict):
    """A small picture of a file of a post."""

    url: Annotated[str, described("Its address, for everybody who has it.", THUMBNAIL_URL)]
    altText: Annotated[str | None, described("What the post says of the file.", "Skis in the snow")]


@view("CalendarPost")
class CalendarPostView(TypedDict):
    """A post on a calendar, in short. `GET /v1/posts/{postId}` has the rest."""

    id: Annotated[str, described("The post's id.", "post_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    at: Annotated[
        Moment, described("When it is on the calendar: its `scheduledFor` or, without one, when it was published.")
    ]
    local: Annotated[str, described("The same on the clocks of the calendar's `timezone`.", "2030-12-03T10:00:00")]
    timezone: Annotated[str, described("The post's own time zone.", "Europe/Berlin")]
    campaignId: NotRequired[Annotated[str, described("Its campaign.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    seriesId: NotRequired[Annotated[str, described("Its series.", "ser_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    dueAt: NotRequired[Annotated[Moment, described("When it is due, if a pause has moved that from `at`.")]]
    status: Annotated[PostStatus, described("The post's status.", "scheduled")]
    text: Annotated[
        str, described("The first 80 characters of its text, or of its first target's own.", "Hello from SocialSyncer")
    ]
    thumbnail: NotRequired[
        Annotated[
            CalendarThumbnailView,
            described("That of the first of its files that has one. Files that were not uploaded here have none."),
        ]
    ]
    waitsFor: NotRequired[
        Annotated[
            Annotated[str, ValueOf(WaitsFor)],
            described("What a target of it waits for, if one does: the reason that needs a person first."),
        ]
    ]
    warnings: NotRequired[
        Annotated[
            list[str],
            described("What will go wrong unless it is changed, as sentences.", ["X will refuse it."]),
        ]
    ]
    targets: Annotated[list[CalendarTargetView], described("At most 10; those that failed or wait come first.")]
    moreTargets: NotRequired[Annotated[int, described("The number of its other targets, if it has more.", 2)]]


@view("CalendarSlot")
class CalendarSlotView(TypedDict):
    """A free slot of a queue on a calendar."""

    queueId: Annotated[str, described("The queue's id.", QUEUE_ID)]
    name: Annotated[str, described("What people call the queue.", "Morning posts")]
    at: Annotated[Moment, described("Its instant.")]
    local: Annotated[str, described("The same on the clocks of the calendar's `timezone`.", "2030-12-03T10:00:00")]


@view("CalendarOccurrence")
class CalendarOccurrenceView(TypedDict):
    """An occurrence of a series that gets its post later."""

    seriesId: Annotated[str, described("The series' id.", "ser_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    name: Annotated[str, described("What people call the series.", "Monday tip")]
    occurrence: Annotated[str, described("Its wall time in the zone of the series.", "2030-12-03T10:00:00")]
    at: Annotated[Moment, described("Its instant.")]
    local: Annotated[str, described("The same on the clocks of the calendar's `timezone`.", "2030-12-03T10:00:00")]


@view("CalendarBlackout")
class CalendarBlackoutView(TypedDict):
    """A blackout of a campaign or a queue that covers a part of a day."""

    campaignId: NotRequired[Annotated[str, described("The campaign.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    queueId: NotRequired[Annotated[str, described("The queue, if it is a queue's.", QUEUE_ID)]]
    name: Annotated[str, described("What people call the campaign or queue.", "Winter sale")]
    reason: Annotated[str | None, described("Why.", "Christmas")]


@view("CalendarDay")
class CalendarDayView(TypedDict):
    """One day of a calendar."""

    date: Annotated[str, described("The day, in the calendar's `timezone`.", "2030-12-03")]
    posts: Annotated[list[CalendarPostView], described("Its first 50 posts, the soonest first.")]
    slots: NotRequired[
        Annotated[list[CalendarSlotView], described("With `plans`: the first 20 free slots of at most 20 queues.")]
    ]
    planned: NotRequired[
        Annotated[
            list[CalendarOccurrenceView],
            described("With `plans`: the first 20 occurrences, of at most 50 series, that get their posts later."),
        ]
    ]
    blackouts: NotRequired[
        Annotated[list[CalendarBlackoutView], described("With `plans`: at most 20 blackouts of campaigns and queues.")]
    ]


@view("CalendarPause")
class CalendarPauseView(TypedDict):
    """A pause that stops posts of a calendar. `GET /v1/pauses/{pauseId}` has the rest."""

    id: Annotated[str, described("The pause's id.", "pau_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    scope: PauseScope
    platform: NotRequired[PlatformName]
    accountId: NotRequired[Annotated[str, described("The account's id.", "tw_456")]]
    campaignId: NotRequired[Annotated[str, described("The campaign's id.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    since: Annotated[Moment, described("When it began.")]
    reason: Annotated[str | None, described("Why.", "Press embargo until Friday")]


@view("Calendar")
class CalendarView(TypedDict):
    """The posts of some days."""

    timezone: Annotated[str, described("The time zone in which the days begin and end.", "Europe/Berlin")]
    days: Annotated[list[CalendarDayView], described("Every day that was asked for, also those without posts.")]
    pauses: Annotated[list[CalendarPauseView], described("The pauses that are under way, at most 100.")]
    more: Annotated[
        dict[str, int],
        described("For each day with more posts than are shown: how many more.", {"2030-12-03": 412}),
    ]
