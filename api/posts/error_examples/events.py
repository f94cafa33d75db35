"""Examples of errors of requests for events and webhooks."""

from api.posts.error_examples.example import ErrorExample

EXAMPLES: tuple[ErrorExample, ...] = (
    (
        "cursorExpired",
        410,
        (
            "This cursor is older than the events that are kept. Read the posts that you follow, then the feed "
            "without `after`"
        ),
        "cursor_expired",
        "after",
    ),
    (
        "wrongEvent",
        400,
        "events.0 must be one of the documented events; did you mean post.published?",
        "invalid_field_value",
        "events.0",
    ),
    ("wrongTime", 400, "since may be at most 30 days ago", "invalid_field_value", "since"),
    ("webhookNotFound", 404, "There is no such webhook", "not_found", None),
    ("deliveryNotFound", 404, "There is no such delivery", "not_found", "deliveryIds"),
    (
        "webhookDeletedSince",
        409,
        "The webhook of this Idempotency-Key was deleted; a new request needs a new key",
        "conflict",
        None,
    ),
    (
        "secretOfOtherKey",
        409,
        "The secret is for the API key of the first request alone: repeat it with that key, or replace the secret",
        "conflict",
        None,
    ),
    (
        "tooManyWebhooks",
        422,
        "This workspace has 20 webhooks already; delete one",
        "too_many_webhooks",
        None,
    ),
)
