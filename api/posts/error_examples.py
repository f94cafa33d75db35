"""Examples of every error that the API can answer with."""

from typing import Any

from api.errors import error_type
from api.posts.examples import CREATE
from api.views import QUEUE_ID


def error(status: int, sentence: str, code: str, param: str | None = None) -> dict[str, Any]:
    """Return an error's body as it is answered; the examples' targets are those of CREATE."""
    kind = error_type(status, idempotency=code.startswith("idempotency"))
    body: dict[str, Any] = {"error": sentence, "type": kind, "code": code}
    if param:
        body["param"] = param
    problem: dict[str, Any] = {"error": sentence, "code": code, "param": param}
    if code == "external_id_taken":
        body["postId"] = problem["postId"] = sentence.partition(" ")[0]
    if param and param.startswith("rows."):
        problem["row"] = int(param.split(".")[1])
    if param and (param == "mediaItems" or param.startswith("platforms.")):
        problem |= CREATE["publishNow"]["platforms"][int(param.split(".")[1]) if "." in param else 0]
    return {**body, "errors": [problem]}


ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    name: (status, error(status, sentence, code, param))
    for name, status, sentence, code, param in (
        ("invalidJson", 400, "The body is not valid JSON (line 1, column 2)", "invalid_json", None),
        ("missingField", 400, "content is required when no media is attached", "missing_required_field", "content"),
        (
            "keyRequired",
            400,
            "posts.0.externalId or idempotencyKey is required: without one, a repeat would create it again",
            "missing_required_field",
            "posts.0.externalId",
        ),
        (
            "keyMissing",
            400,
            "Idempotency-Key is required: if the answer is lost, the same request with it is safe",
            "missing_required_field",
            "Idempotency-Key",
        ),
        ("wrongValue", 400, "publishNow must be true or false", "invalid_field_value", "publishNow"),
        (
            "unknownField",
            400,
            "platforms.0.acountId is not a known field; did you mean accountId?",
            "unknown_parameter",
            "platforms.0.acountId",
        ),
        (
            "duplicateTarget",
            400,
            "platforms.1.accountId is in this post already",
            "duplicate_target",
            "platforms.1.accountId",
        ),
        ("unknownQuery", 400, "lmit is not a known query parameter; did you mean limit?", "unknown_parameter", "lmit"),
        ("wrongQuery", 400, "limit must be a whole number from 1 to 100", "invalid_field_value", "limit"),
        ("dayMissing", 400, "to is required", "missing_required_field", "to"),
        ("missingKey", 401, "Missing API key: send it as Authorization: Bearer sk_…", "invalid_credentials", None),
        ("wrongKey", 401, "Invalid API key", "invalid_credentials", None),
        (
            "noScheme",
            401,
            "Invalid API key: put `Bearer ` before the key, as in Authorization: Bearer sk_…",
            "invalid_credentials",
            None,
        ),
        ("notFound", 404, "There is no such post", "not_found", None),
        (
            "connectionNotFound",
            404,
            "This workspace has no such connection; it is forgotten a day after it has ended",
            "not_found",
            None,
        ),
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
        ("wrongCheck", 400, "check must be true or false", "invalid_field_value", "check"),
        ("wrongRevoke", 400, "revoke must be true or false", "invalid_field_value", "revoke"),
        ("noSuchAccount", 404, "There is no X account of this id", "not_found", None),
        (
            "publishingHasBegun",
            409,
            "Publishing has begun, and no target has failed or waits, so nothing can be changed any more",
            "conflict",
            None,
        ),
        ("isPublishing", 409, "The post is being published; wait for the outcome, then delete it", "conflict", None),
        (
            "deletedSince",
            409,
            "The post of this Idempotency-Key was deleted; a new request needs a new key",
            "conflict",
            None,
        ),
        (
            "externalIdTaken",
            409,
            "post_019bc10f27c07a7d has this externalId and was made by another body; change it, or use another id",
            "external_id_taken",
            "externalId",
        ),
        (
            "paused",
            409,
            "Publishing is paused for the workspace: schedule the post, or end the pause (GET /v1/pauses)",
            "paused",
            "workspace",
        ),
        (
            "campaignEnded",
            409,
            "The campaign has ended: give the post another campaignId, or none",
            "campaign_ended",
            "campaignId",
        ),
        (
            "campaignHasUnsentPosts",
            409,
            "The campaign has 12 posts that are not published: say posts=keep or posts=delete",
            "campaign_has_unsent_posts",
            "posts",
        ),
        (
            "campaignPaused",
            409,
            "The campaign is paused, so its posts would not stay as they are: end the pause first, or delete them",
            "paused",
            None,
        ),
        ("campaignOver", 409, "The campaign has ended before", "campaign_ended", None),
        ("notADraft", 409, "The campaign is not a draft: it was started before", "conflict", None),
        (
            "draftRefused",
            422,
            "posts.post_019bc10f27c07a7d.scheduledFor is more than 5 minutes in the past",
            "invalid_field_value",
            "posts.post_019bc10f27c07a7d.scheduledFor",
        ),
        ("noSuchCampaign", 404, "This workspace has no such campaign", "not_found", None),
        (
            "postsOutsideWindow",
            409,
            "12 scheduled posts would lie outside startsAt and endsAt: move them, or send conflicts: skip",
            "posts_outside_window",
            "endsAt",
        ),
        (
            "postsInBlackout",
            409,
            "12 scheduled posts would lie in a blackout: move them, or send conflicts: skip",
            "posts_in_blackout",
            "blackouts",
        ),
        (
            "tooManyCampaigns",
            429,
            "This workspace may have 1,000 campaigns: delete one first",
            "too_many_campaigns",
            None,
        ),
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
        ("campaignUnknown", 422, "The workspace has no such campaign", "campaign_not_found", "campaignId"),
        (
            "outsideWindow",
            422,
            "The post would be due after its campaign ends at 2031-02-01T00:00:00Z",
            "outside_window",
            "scheduledFor",
        ),
        ("wrongScope", 400, "scope must be one of workspace, account", "invalid_field_value", "scope"),
        (
            "missedUnsaid",
            400,
            "Posts fell due during the pause: 12; missed must be publish, shift or skip",
            "missing_required_field",
            "missed",
        ),
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
        ("notPaused", 409, "The campaign is not paused", "conflict", None),
        (
            "wouldBeInBlackout",
            409,
            "Nothing was moved: 3 posts would be due in a blackout of their campaign",
            "in_blackout",
            "by",
        ),
        ("pauseNotFound", 404, "This workspace has no such pause", "not_found", None),
        ("accountNotConnected", 422, "The workspace has no X account tw_456", "account_not_found", "accountId"),
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
        ("wrongRange", 400, "to must be at or after from, and at most 62 days later", "invalid_field_value", "to"),
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
        ("nothingToRetry", 409, "No platform has failed, so there is nothing to retry", "nothing_to_retry", None),
        (
            "nothingToResolve",
            409,
            "This target is not unconfirmed, nor settled by a person in the last 7 days: there is nothing to resolve",
            "conflict",
            None,
        ),
        ("targetNotFound", 422, "The post has no target on X account tw_456", "account_not_found", "accountId"),
        ("tooLarge", 413, "The body is larger than 1 MiB", "payload_too_large", None),
        (
            "notJson",
            415,
            "The body must be JSON, sent with Content-Type: application/json",
            "unsupported_media_type",
            None,
        ),
        ("platformRule", 422, "Instagram requires media for all posts", "invalid_field_value", "mediaItems"),
        (
            "accountNotFound",
            422,
            "X account tw_456 is not connected; GET /v1/accounts lists those that are",
            "account_not_found",
            "platforms.0.accountId",
        ),
        (
            "unknownSetting",
            422,
            "platforms.0.platformSpecificData.replySetings is not a known field; did you mean replySettings?",
            "unknown_parameter",
            "platforms.0.platformSpecificData.replySetings",
        ),
        (
            "keyReused",
            422,
            "This Idempotency-Key was used with another request or body; use a new key for each request",
            "idempotency_key_reused",
            "Idempotency-Key",
        ),
        ("notEditable", 422, "Only published tweets can be edited, and this post has none", "edit_not_supported", None),
        ("noPremium", 422, "Editing needs an account with X Premium", "premium_required", None),
        ("windowClosed", 422, "A tweet can be edited within 1 hour of being published", "edit_window_closed", None),
        ("limitReached", 422, "A tweet can be edited at most 5 times", "edit_limit_reached", None),
        ("textOnly", 422, "An edit changes the text only; media cannot be changed", "text_only", None),
        (
            "wrongPlatform",
            400,
            "platform must be one of the platforms bluesky, discord; did you mean twitter?",
            "invalid_field_value",
            "platform",
        ),
        (
            "wrongRedirect",
            400,
            "redirect_url must begin with https://; http is for localhost only",
            "invalid_field_value",
            "redirect_url",
        ),
        ("missingCode", 400, "code is required", "missing_required_field", "code"),
        ("missingIds", 400, "ids is required", "missing_required_field", "ids"),
        (
            "wrongIds",
            400,
            "ids.0 is not among the options of this selection, or cannot be selected",
            "invalid_field_value",
            "ids.0",
        ),
        ("reconnectNotFound", 422, "There is no X account tw_456 to reconnect", "account_not_found", "accountId"),
        (
            "notConfigured",
            422,
            "This service has no app at X. Its operator must set SOCIALSYNCER_APPS.",
            "platform_not_configured",
            None,
        ),
        (
            "appRefused",
            422,
            "X does not accept this service's client id and secret. Its operator must check them.",
            "app_refused",
            None,
        ),
        (
            "connectionExpired",
            422,
            "This connection is unknown, was used, or is older than 10 minutes. Start again.",
            "connection_expired",
            "state",
        ),
        (
            "selectionExpired",
            422,
            "This selection is unknown, was used, or is older than 30 minutes. Start again.",
            "connection_expired",
            "selectionId",
        ),
        (
            "authorizationPending",
            422,
            "The code was not posted yet. Add the bot to your channel or group on Telegram, and post the code there.",
            "authorization_pending",
            None,
        ),
        (
            "codeRejected",
            422,
            "X does not accept this code: it accepts one for 30 seconds, once. Start again.",
            "code_rejected",
            None,
        ),
        (
            "permissionMissing",
            422,
            (
                "These permissions were declined, and X accounts cannot publish without them: tweet.write. "
                "Connect again and leave them ticked."
            ),
            "permission_missing",
            None,
        ),
        (
            "noAccounts",
            422,
            "There is nothing to connect: this Google account has no YouTube channel.",
            "no_accounts",
            None,
        ),
        (
            "differentAccount",
            422,
            "X answered for another account than tw_456. Nothing was changed. Sign in there as that account.",
            "different_account",
            None,
        ),
        (
            "credentialsRejected",
            422,
            "Telegram does not accept these credentials. Check them and try again.",
            "credentials_rejected",
            "credentials",
        ),
        (
            "wrongSetting",
            400,
            "setting is required: one of boardId, boardSectionId",
            "missing_required_field",
            "setting",
        ),
        (
            "accountRefusedNow",
            422,
            "Pinterest no longer accepts this account's connection. Reconnect the account.",
            "account_refused",
            None,
        ),
        ("rateLimited", 429, "Too many requests with this API key; please slow down", "rate_limited", None),
        (
            "internal",
            500,
            "Something went wrong on our side; report it with the X-Request-Id of this answer",
            "internal_error",
            None,
        ),
        ("unavailable", 503, "The service is not available right now; please try again", "unavailable", None),
    )
}
"""By name: the status and body of each error, for the operations that can answer with it."""
