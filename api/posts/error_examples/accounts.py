"""Examples of errors of requests that connect, change and remove accounts."""

from api.posts.error_examples.example import ErrorExample

EXAMPLES: tuple[ErrorExample, ...] = (
    (
        "connectionNotFound",
        404,
        "This workspace has no such connection; it is forgotten a day after it has ended",
        "not_found",
        None,
    ),
    ("wrongRevoke", 400, "revoke must be true or false", "invalid_field_value", "revoke"),
    ("noSuchAccount", 404, "There is no X account of this id", "not_found", None),
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
)
