"""Examples of errors of imports."""

from api.posts.error_examples.example import ErrorExample

EXAMPLES: tuple[ErrorExample, ...] = (
    (
        "wrongRow",
        400,
        "scheduledFor is more than 5 minutes in the past",
        "invalid_field_value",
        "rows.17.scheduledFor",
    ),
    ("wrongColumn", 400, "contnet is not a known column; did you mean content?", "unknown_parameter", "contnet"),
    (
        "wrongFile",
        400,
        "Line 4: a cell that begins with a quote has no quote at its end",
        "invalid_csv",
        None,
    ),
    ("tooLargeImport", 413, "The body is larger than 32 MiB", "payload_too_large", None),
    (
        "noRows",
        415,
        (
            "The body must be sent with one of these types as Content-Type: application/json, "
            "application/x-ndjson, text/csv"
        ),
        "unsupported_media_type",
        None,
    ),
    (
        "refusedRow",
        422,
        "X account tw_9 is not connected; GET /v1/accounts lists those that are",
        "account_not_found",
        "rows.17.platforms.0.accountId",
    ),
    (
        "otherImport",
        429,
        "Another import is being carried out; send this one again when it is done, with the same Idempotency-Key",
        "rate_limited",
        None,
    ),
    ("importNotFound", 404, "This workspace has no such import", "not_found", None),
)
