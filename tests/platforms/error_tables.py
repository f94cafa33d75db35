"""Error responses of every platform, by the kind of error that each means."""

from platforms.errors import ACCOUNT_LOCKED, DUPLICATE, ErrorKind
from platforms.mastodon.errors import ATTACHMENT_GONE, MEDIA_NOT_READY
from platforms.meta.graph import NO_PROOF
from platforms.pinterest.errors import UNFETCHED
from tests.platforms.error_shapes import (
    REQUEST_ID,
    WORDS,
    Case,
    answer,
    bare,
    bluesky,
    discord,
    google,
    graph,
    graphs,
    input_error,
    linkedin,
    mastodon,
    per_code,
    pinterest,
    reddit,
    telegram,
    tiktok,
    tiktoks,
    x,
    youtube,
)

TRANSIENT, NOT_READY, RATE_LIMITED = ErrorKind.TRANSIENT, ErrorKind.NOT_READY, ErrorKind.RATE_LIMITED
CAPPED, AUTH, OPERATOR, REJECTED = ErrorKind.CAPPED, ErrorKind.AUTH, ErrorKind.OPERATOR, ErrorKind.REJECTED
UNKNOWN = "unknown"
"""The key of refusals for which we have no sentence: they are rejected in the platform's own words."""

INVALID, TWICE = "INVALID_ARGUMENT", "Content is a duplicate of urn:li:share:6844785523593134080"
CLOSED, WAITING = "LOCATION_DISABLED_FOR_LOCAL_POST_API", "MEDIA_ASSET_WAITING_UPLOAD"
NOT_AUTHORIZED = "not-authorized-for-resource"
LOCKED = {"code": 326, "message": "To protect our users from spam, this account is locked."}
LOST_PERMISSION = "(#10) Application does not have permission for this action"
IMPERSONATING = (
    "Any of the pages_read_engagement, pages_manage_metadata or pages_messaging permission(s) must be granted before "
    "impersonating a user's page."
)
CASES: dict[str, dict[str, list[Case]]] = {
    "bluesky": {
        RATE_LIMITED: [bluesky(429, "RateLimitExceeded"), bluesky(400, "TooManyOpenUploads")],
        CAPPED: [bluesky(400, "DailyLimitExceeded")],
        TRANSIENT: [
            *[bluesky(500, "InternalServerError"), bluesky(502, "UpstreamFailure")],
            *per_code(bluesky, 400, "ServiceOverloaded", "InvalidSwap"),
            bluesky(400, "InvalidRequest", "Could not find blob: bafkrei", "BlobNotFound"),
        ],
        NOT_READY: [bluesky(400, "UploadNotReady")],
        AUTH: [
            *per_code(bluesky, 400, "ExpiredToken", "InvalidToken", "AccountDeactivated"),
            *per_code(
                bluesky, 401, "AuthMissing", "AuthenticationRequired", "AuthFactorTokenRequired", "AccountTakedown"
            ),
        ],
        REJECTED: [
            *per_code(
                bluesky, 400, "UploadForbidden", "BlobTooLarge", "InvalidMimeType", "VideoTooLong", "BadAspectRatio"
            ),
            bluesky(413, "PayloadTooLarge"),
        ],
        UNKNOWN: [
            bluesky(400, "InvalidRecord"),
            bluesky(400, "InvalidRequest", "Could not locate record: at://did:plc:a/x/b", "RecordNotFound"),
        ],
    },
    "discord": {
        AUTH: [
            *[*per_code(discord, 401, 0, 50014, 50027), *per_code(discord, 404, 10015, 10003)],
            *per_code(discord, 403, 50001, 50013, 40002),
        ],
        REJECTED: [
            *per_code(discord, 413, 0, 40005),
            *per_code(discord, 400, 50006, 240000, 220001, 50008, 50024, 40004),
        ],
        UNKNOWN: [discord(400, 99999)],
        RATE_LIMITED: per_code(discord, 429, 0, 20016, 20028, 20029),
        TRANSIENT: [discord(400, 40006), discord(503, 130000), discord(500), discord(502)],
    },
    "facebook": {
        TRANSIENT: [
            *graphs(1, 2, (100, 1363047), (100, 1609010), (6000, 1363019), (6001, 1363033), (2, 1363030)),
            graph(9999, is_transient=True),
        ],
        RATE_LIMITED: graphs(4, 17, 32, 341, 613, 80001),
        CAPPED: [*graphs(368, 1390008, (4, 1390008)), graph(368, words="Deemed abusive or otherwise disallowed")],
        AUTH: [
            *graphs(102, 104, 190, (190, 458), (190, 467), (200, 1404078), (190, 459), (190, 464), (190, 492)),
            graph(190, words=IMPERSONATING),
            *graphs((100, 4854002), (100, 1404112), (100, 1404006)),
            *[graph(10, words=LOST_PERMISSION), graph(200, words="(#200) Requires pages_manage_posts permission")],
            graph(200, words="(#200) The user hasn't authorized the application to perform this action"),
            graph(283, words="(#283) Requires pages_read_user_content permission to manage the object"),
        ],
        OPERATOR: [
            graph(3, words="(#3) Application does not have the capability to make this API call."),
            graph(10, words="(#10) To use this endpoint, your use must be reviewed and approved by Facebook."),
            graph(200, words="API access blocked."),
            graph(100, words="API calls from the server require an appsecret_proof argument", named=NO_PROOF),
            graph(100, words="Invalid appsecret_proof provided in the API argument", named=NO_PROOF),
        ],
        REJECTED: [
            *graphs((100, 1609005), (100, 1609008), (100, 2061006), (324, 2069019), (100, 1366046), (100, 1349125)),
            *graphs((100, 1346003), (100, 1404102), (100, 1363040), (100, 1363127), (100, 1363128), (100, 1363129)),
            *[*graphs(389, 382, 6000, 6001), graph(506, named=DUPLICATE), graph(100, 1366051, named=DUPLICATE)],
        ],
        UNKNOWN: [
            *[*graphs(100, 300, 9999), graph(100, words="(#100) No permission to publish the video")],
            graph(200, words="(#200) This post cannot be shared"),
        ],
    },
    "googlebusiness": {
        AUTH: [
            *[google(401, "UNAUTHENTICATED"), google(403, "PERMISSION_DENIED"), google(404, "NOT_FOUND")],
            *[google(401, None, "unauthenticated"), google(404, None, "not_found")],
        ],
        RATE_LIMITED: [google(429, "RESOURCE_EXHAUSTED"), google(429, None, "resource_exhausted")],
        TRANSIENT: [
            *[google(500, "INTERNAL"), google(503, "UNAVAILABLE"), google(504, "DEADLINE_EXCEEDED")],
            *[google(502, None, "http_502"), google(400, INVALID, "photo_fetch_failed", code="PHOTO_FETCH_FAILED")],
            google(400, INVALID, "photo_upload_failed", code="PHOTO_UPLOAD_FAILED", message="x"),
            google(400, INVALID, "photo_fetch_failed", code=1000, message="Fetching image failed."),
            google(400, INVALID, "photo_fetch_failed", code=2, message="Fetching image failed."),
        ],
        REJECTED: [
            google(400, INVALID, CLOSED.lower(), code=CLOSED, message="x"),
            google(400, INVALID, "operation_unsupported_under_account_condition", code=1301, message="x"),
            (answer(400, {"error": {"status": INVALID, "details": [{"reason": CLOSED}]}}), CLOSED.lower()),
        ],
        UNKNOWN: [google(400, INVALID), google(400, "FAILED_PRECONDITION"), google(400, INVALID, code=5, message="x")],
    },
    "instagram": {
        TRANSIENT: [
            *graphs(-1, 1, 2, (-1, 2207001), (-2, 2207003), (-1, 2207032), (-1, 2207053), (-2, 2207020)),
            *graphs((24, 2207008), (24, 2207006), (9004, 2207052), (100, 2207082)),
            graph(77, is_transient=True),
        ],
        NOT_READY: graphs((9007, 2207027)),
        RATE_LIMITED: [*graphs(4, 17, 32, 613, 80000, 80001, 80002, 80014), graph(4, is_transient=True)],
        CAPPED: graphs(9, 368, (9, 2207042)),
        AUTH: [
            *[*graphs(102, (25, 2207050), (190, 463)), graph(10, words=LOST_PERMISSION)],
            graph(100, words="This is not an Instagram business account", named=ACCOUNT_LOCKED),
            graph(10, words="(#10) The user is not an Instagram Business", named=ACCOUNT_LOCKED),
        ],
        REJECTED: [
            *graphs((4, 2207051), (1, 2207057), (100, 2207023), (100, 2207028), (100, 2207035), (100, 2207036)),
            *graphs((100, 2207037), (100, 2207040), (352, 2207026), (36000, 2207004), (36001, 2207005)),
            *graphs((36003, 2207009), (36004, 2207010), (100, 2207081), (352, 2207085)),
        ],
        UNKNOWN: [
            *[graph(10), graph(77, is_transient=False), graph(-1, is_transient=False)],
            graph("100", [], None, "http_400"),
        ],
    },
    "linkedin": {
        TRANSIENT: [
            *[linkedin(500, "INTERNAL_SERVER_ERROR"), linkedin(503, "UNDER_MAINTENANCE"), bare(504, "<html>")],
            *[linkedin(409, "CONFLICT"), linkedin(400, "EXPIRED_UPLOAD_URL")],
            linkedin(400, words="Unable to obtain activity"),
        ],
        RATE_LIMITED: [linkedin(429, "TOO_MANY_REQUESTS")],
        CAPPED: [linkedin(429, words="Resource level throttle limit for calls to this resource is reached.")],
        NOT_READY: [
            *[linkedin(400, WAITING), linkedin(400, named=WAITING, **input_error({"code": WAITING}))],
            linkedin(400, words="The asset is still being processed", named=WAITING),
        ],
        REJECTED: [
            *per_code(linkedin, 400, "MEDIA_ASSET_PROCESSING_FAILED", "FIELD_LENGTH_TOO_LONG"),
            *[bare(413, "<html>"), bare(415), linkedin(422, "UNPROCESSABLE_ENTITY", TWICE, DUPLICATE)],
            linkedin(422, words=TWICE, named=DUPLICATE, **input_error({"code": "DUPLICATE_POST"})),
        ],
        UNKNOWN: [
            *per_code(linkedin, 400, "INVALID_VALUE_FOR_FIELD", "MISSING_FIELD", "INVALID_URN_TYPE"),
            *[linkedin(422, "UNPROCESSABLE_ENTITY"), bare(400, [1]), linkedin(400, **input_error("?"))],
            linkedin(400, errorDetails=[]),
        ],
        OPERATOR: [linkedin(426, "NONEXISTENT_VERSION"), linkedin(400, "VERSION_MISSING")],
        AUTH: [linkedin(401, "EXPIRED_ACCESS_TOKEN"), bare(401), linkedin(403, "ACCESS_DENIED")],
    },
    "mastodon": {
        NOT_READY: [mastodon(422, "Cannot attach files that have not finished processing.", MEDIA_NOT_READY)],
        TRANSIENT: [
            mastodon(422, "Media 1, 2 not found or already attached to another post", ATTACHMENT_GONE),
            mastodon(404, "Media could not be found", ATTACHMENT_GONE),
            mastodon(503, "There was a temporary problem"),
        ],
        AUTH: [
            mastodon(422, "This method requires an authenticated user", "app_token"),
            mastodon(401, "The access token was revoked"),
            mastodon(403, "This action is outside the authorized scopes."),
        ],
        REJECTED: [mastodon(413, "Payload too large")],
        UNKNOWN: [
            *[mastodon(422, "Validation failed: Text can't be blank"), mastodon(404, "Record not found")],
            (answer(400, {"error": "invalid_grant", "error_description": WORDS}), "http_400"),
        ],
        RATE_LIMITED: [mastodon(429, "Too many requests")],
    },
    "pinterest": {
        TRANSIENT: [
            *[pinterest(400, 235, "Unable to reach the URL. Please check", UNFETCHED), pinterest(500, 0)],
            *[bare(502, "<html>"), bare(408)],
            pinterest(400, 1, "Sorry we could not fetch the image.", UNFETCHED),
            *[pinterest(status, 2787, "Something went wrong on our end.") for status in (400, 403, 500)],
        ],
        CAPPED: [pinterest(status, 9, "You've hit a block (Pins), as this looks like spam.") for status in (403, 429)],
        AUTH: [
            *[pinterest(401, 2, "Authentication failed."), pinterest(401, 3), pinterest(403, 7)],
            pinterest(401, 3, "Your token does not have sufficient permissions."),
        ],
        OPERATOR: [
            pinterest(403, 29, "Apps with Trial access may not create Pins in production … use API Sandbox …"),
            pinterest(401, 3, "consumer type is not supported"),
        ],
        REJECTED: [
            pinterest(400, 1, "'x' does not match '^\\d+$' at board_id"),
            pinterest(403, 29, "You are not permitted to access that resource."),
            *[pinterest(403, 29, "You are not permitted to access that board"), pinterest(404, 40, "Board not found.")],
        ],
        UNKNOWN: [pinterest(400, 1), pinterest(403, 235, "Blocked as spam"), bare(400, [1])],
        RATE_LIMITED: [pinterest(429, 8)],
    },
    "reddit": {
        AUTH: [
            *[bare(401, {"message": "Unauthorized", "error": 401}), reddit(200, "USER_REQUIRED")],
            bare(403, {"message": "Forbidden"}, **{"www-authenticate": 'Bearer error="insufficient_scope"'}),
        ],
        TRANSIENT: [
            *[bare(403, "<html>blocked by network security</html>"), bare(408), bare(500, {})],
            *[bare(502, "<html>"), bare(503, [1])],
        ],
        RATE_LIMITED: [
            *per_code(reddit, 200, "RATELIMIT", "SUBREDDIT_RATELIMIT", "QUOTA_FILLED"),
            *[reddit(400, "RATELIMIT"), bare(429)],
        ],
        REJECTED: [
            *per_code(reddit, 200, "BANNED_FROM_SUBREDDIT", "IN_TIMEOUT", "SUBREDDIT_NO_ACCESS", "SUBREDDIT_NOEXIST"),
            *per_code(reddit, 200, "SUBREDDIT_NOTALLOWED", "SUBREDDIT_REQUIRED", "BAD_SR_NAME", "NO_SELFS", "NO_LINKS"),
            *per_code(
                reddit, 200, "NO_TEXT", "TOO_LONG", "BAD_URL", "NO_URL", "DOMAIN_BANNED", "TOO_SHORT", "ALREADY_SUB"
            ),
            *per_code(reddit, 200, "INVALID_SCHEME", "BAD_CAPTCHA", "IMAGES_NOTALLOWED"),
            *[reddit(400, "ALREADY_SUB"), bare(403, {"message": "Forbidden", "error": 403})],
            (answer(403, {"message": "Forbidden", "error": 403, "reason": "private"}), "private"),
        ],
        UNKNOWN: [
            *per_code(reddit, 200, "INVALID_OPTION", "SUBMIT_VALIDATION_BODY_REQUIRED"),
            *[bare(404, {"message": "Not Found", "error": 404}), bare(400)],
            (answer(400, {"reason": "BAD_JSON", "explanation": WORDS, "fields": ["kind"]}), "BAD_JSON"),
        ],
    },
    "telegram": {
        AUTH: [
            *[telegram(401, "Unauthorized"), telegram(404, "Not Found"), telegram(403, "Forbidden: something new")],
            *[
                telegram(400, f"Bad Request: {refusal}")
                for refusal in ("chat not found", "CHAT_WRITE_FORBIDDEN", "CHAT_ADMIN_REQUIRED")
            ],
            telegram(403, "Forbidden: bot was blocked by the user"),
            telegram(403, "Forbidden: bot was kicked from the channel chat"),
            telegram(403, "Forbidden: bot is not a member of the channel chat"),
            telegram(400, "Bad Request: not enough rights to send photos to the chat"),
        ],
        REJECTED: [
            *[telegram(400, f"Bad Request: {text} is too long") for text in ("message", "message caption")],
            *[telegram(400, "Bad Request: message text is empty"), telegram(400, "Bad Request: file is too big")],
            *[telegram(400, f"Bad Request: {code}") for code in ("PHOTO_INVALID_DIMENSIONS", "IMAGE_PROCESS_FAILED")],
            *[telegram(400, "Bad Request: message thread not found"), telegram(413, "Request Entity Too Large")],
            *[telegram(413, ""), telegram(400, "Bad Request: can't parse entities: Unsupported start tag.")],
        ],
        UNKNOWN: [telegram(400, f"Bad Request: {WORDS}")],
        TRANSIENT: [telegram(500, "Internal Server Error"), telegram(502, "Bad Gateway"), telegram(504, "Timeout")],
        RATE_LIMITED: [telegram(429, "Too Many Requests: retry after 17")],
    },
    "threads": {
        TRANSIENT: [*graphs(-1, 1, 2, (100, 2207052)), graph(-1, is_transient=True)],
        NOT_READY: [*graphs((24, 4279009)), graph(100, 4279004, named="unknown_children")],
        RATE_LIMITED: graphs(4, 17, 32, 613),
        OPERATOR: graphs((10, 4279067)),
        AUTH: [*graphs((190, 463), (100, 4279013)), graph(10, words=LOST_PERMISSION)],
        REJECTED: [*graphs((-1, 4279047), (100, 2207051)), graph("THREADS_API__LINK_LIMIT_EXCEEDED")],
        UNKNOWN: [graph(10), graph(-1, is_transient=False), graph("SOMETHING_ELSE", named="http_400")],
    },
    "tiktok": {
        RATE_LIMITED: tiktoks("rate_limit_exceeded"),
        CAPPED: tiktoks("spam_risk_too_many_posts", "reached_active_user_cap", "spam_risk_too_many_pending_share"),
        TRANSIENT: [
            *[*tiktoks("internal_error"), tiktok(500, "something_new")],
            (answer(200, {"error": "server_error", "log_id": REQUEST_ID}), "server_error"),
        ],
        AUTH: [
            *tiktoks("access_token_invalid", "scope_not_authorized", "scope_permission_missed"),
            *tiktoks("spam_risk_user_banned_from_posting"),
            (answer(200, {"error": "invalid_grant", "log_id": REQUEST_ID}), "invalid_grant"),
        ],
        REJECTED: tiktoks("privacy_level_option_mismatch", "app_version_check_failed"),
        UNKNOWN: tiktoks("invalid_params"),
        OPERATOR: tiktoks("unaudited_client_can_only_post_to_private_accounts", "url_ownership_unverified"),
    },
    "twitter": {
        REJECTED: [
            x(403, NOT_AUTHORIZED, "You can only reply to or quote posts where you are mentioned or are the author."),
            x(403, None, "You are not allowed to create a Tweet with duplicate content.", "Forbidden", DUPLICATE),
            (answer(400, {"code": 187, "message": "Status is a duplicate content."}), DUPLICATE),
            x(403, None, "Crypto addresses are prohibited for the first 7 days of an account.", "Forbidden"),
        ],
        UNKNOWN: [
            *[x(400, "invalid-request"), x(403, NOT_AUTHORIZED), x(404, "resource-not-found"), bare(418, {})],
            x(403, None, "This user is not allowed to post a video longer than 2 minutes.", "Forbidden"),
            x(403, None, "Posts are limited to a maximum of one cashtag.", "Forbidden"),
            (answer(403, {"type": "about:blank", "title": "Forbidden", "detail": "No."}), "forbidden"),
        ],
        AUTH: [
            *[x(403, NOT_AUTHORIZED, "You lack the scope tweet.write."), x(403, "unsupported-authentication")],
            x(403, None, title="Unsupported Authentication"),
            x(403, None, "Unsupported Authentication.", "Forbidden"),
            *[x(403, "user-suspended"), x(401, None, title="Unauthorized"), bare(401)],
            x(
                403,
                None,
                "Your account is temporarily locked. Please log in to unlock it.",
                "Forbidden",
                ACCOUNT_LOCKED,
            ),
            *[(answer(403, body), ACCOUNT_LOCKED) for body in (LOCKED, {"errors": [LOCKED]})],
        ],
        OPERATOR: [
            *[x(403, "client-forbidden"), x(429, "usage-capped"), x(403, "usage-capped"), x(402, "credits-depleted")],
            *[x(402, None, title="CreditsDepleted"), x(402, "credits", title="CreditsDepleted"), bare(402)],
            *[x(403, "something-new", title="SpendCapReached"), x(403, None, title="SpendCapReached")],
            *[x(403, "spend-cap-reached"), x(403, "oauth1-permissions")],
        ],
        RATE_LIMITED: [(answer(429, {"code": 88, "message": "Rate limit exceeded."}), "88")],
        TRANSIENT: [x(500, "internal-error"), bare(502, "<html>Bad Gateway</html>"), bare(503, [1])],
    },
    "youtube": {
        TRANSIENT: [youtube(500, "internalError"), youtube(503, "backendError")],
        RATE_LIMITED: per_code(youtube, 403, "rateLimitExceeded", "userRateLimitExceeded"),
        CAPPED: [youtube(403, "quotaExceeded"), youtube(400, "uploadLimitExceeded")],
        REJECTED: [
            *per_code(youtube, 400, "invalidTitle", "invalidDescription", "invalidTags", "invalidCategoryId"),
            *[youtube(403, "forbiddenPrivacySetting"), youtube(400, "imageFormatUnsupported")],
        ],
        UNKNOWN: [*per_code(youtube, 403, "forbiddenLicenseSetting", "somethingNew"), youtube(400, "invalidPublishAt")],
        AUTH: [
            *per_code(youtube, 401, "youtubeSignupRequired", "authorizationRequired", "somethingNew"),
            *per_code(youtube, 403, "channelClosed", "channelSuspended", "authenticatedUserAccountSuspended"),
            *[
                youtube(403, "forbidden"),
                youtube(403, "insufficientPermissions"),
                (answer(400, {"error": "invalid_grant"}), "invalid_grant"),
            ],
        ],
        OPERATOR: [
            *[(answer(401, {"error": code}), code) for code in ("invalid_client", "unauthorized_client")],
            youtube(403, "accessNotConfigured"),
        ],
    },
}
