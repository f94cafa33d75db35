"""Examples of errors of requests for series and queues."""

from api.posts.error_examples.example import ErrorExample
from api.views import QUEUE_ID

EXAMPLES: tuple[ErrorExample, ...] = (
    (
        "startsTooEarly",
        400,
        "start must be at most a year ago and five years ahead",
        "invalid_field_value",
        "start",
    ),
    (
        "skipMissing",
        400,
        "recurrence.skip: not every month has 31 days: say skip, omit or backward",
        "missing_required_field",
        "recurrence.skip",
    ),
    (
        "unsupportedRecurrence",
        400,
        "recurrence.rrule: BYWEEKNO is not supported",
        "unsupported_recurrence",
        "recurrence.rrule",
    ),
    ("noOccurrence", 400, "The rule has no occurrence in the next five years", "no_occurrence", "recurrence"),
    ("seriesNotFound", 404, "This workspace has no such series", "not_found", None),
    ("seriesNotPaused", 409, "The series is not paused", "conflict", None),
    ("seriesChanged", 409, "Other requests change the series; please try again", "conflict", None),
    (
        "unsentPosts",
        409,
        "The series has 12 posts that are not sent: say posts=keep or posts=delete",
        "series_has_unsent_posts",
        "posts",
    ),
    ("tooManySeries", 429, "This workspace may have 1,000 series: delete one first", "too_many_series", None),
    ("queueNameTaken", 409, f"The queue {QUEUE_ID} has this name", "conflict", "name"),
    (
        "zoneNeedsReflow",
        409,
        "Posts wait in slots of the old zone: send reflow true with the new timezone, and they get new ones",
        "conflict",
        "timezone",
    ),
    (
        "accountInAnotherQueue",
        409,
        f"X account tw_456 is in the queue {QUEUE_ID}",
        "account_in_another_queue",
        "accounts.0.accountId",
    ),
    ("queueNotFound", 404, "This workspace has no such queue", "not_found", None),
    ("tooManyQueues", 422, "This workspace has 100 queues, as many as it may have", "too_many_queues", None),
    (
        "reflowFull",
        422,
        "The queue has fewer free slots in the next 365 days than posts that wait in it; nothing was changed",
        "queue_full",
        "reflow",
    ),
    (
        "queueFull",
        422,
        "The queue Morning posts has no free slot in the next 365 days: add slots to it, or give a scheduledFor",
        "queue_full",
        "queue",
    ),
    (
        "queueUnknown",
        422,
        "This workspace has no such queue; GET /v1/queues lists those it has",
        "queue_not_found",
        "queue",
    ),
    (
        "ambiguousQueue",
        422,
        "The post's accounts are in several queues: name one of them in queue, or create a post for each",
        "ambiguous_queue",
        "queue",
    ),
)
