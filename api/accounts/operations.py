"""The operations on connected accounts, as the API routes them and its document describes them."""

from api.accounts.choices import MOST_LISTS, settings_listed
from api.accounts.schemas import (
    AccountBody,
    AccountHealthPageView,
    AccountHealthView,
    AccountHistoryView,
    AccountPageView,
    AccountSettingsBody,
    AccountSettingsView,
    AccountView,
    ChoicesView,
    RemovedAccountView,
)
from api.http.operation import WITH_BODY, Operation
from api.http.parameters import PLATFORM_REF, page, query, required
from domain.account_health import Health
from platforms.registry import platforms

_OF_PLATFORM = query("platform", "Only accounts of this platform.", PLATFORM_REF, "twitter")
_OF_HEALTH = query(
    "health", "Only accounts with this health.", {"type": "string", "enum": list(Health)}, "needs_reconnect"
)
_PAGE = page("accounts")
_OF_LABEL = {platform.label: list(settings_listed(name)) for name, platform in platforms().items()}
_LISTED = "; ".join(
    f"{label}: {', '.join(f'`{name}`' for name in names)}" for label, names in _OF_LABEL.items() if names
)
_SETTINGS = [name for names in _OF_LABEL.values() for name in names]

LIST_ACCOUNTS = Operation(
    route="GET /v1/accounts",
    description="With their health as this service knows it; no platform is asked. In the order of their ids.",
    answer=AccountPageView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=(_OF_PLATFORM, *_PAGE),
)
LIST_ACCOUNT_HEALTH = Operation(
    route="GET /v1/accounts/health",
    description=(
        "As this service knows it; no platform is asked. `healthy`: nothing to do. `warning`: something may be "
        "needed soon. `needs_reconnect`: the account publishes nothing, or soon nothing, until it is reconnected."
    ),
    answer=AccountHealthPageView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=(_OF_PLATFORM, _OF_HEALTH, *_PAGE),
)
GET_ACCOUNT_SETTINGS = Operation(
    route="GET /v1/accounts/settings",
    description="They hold for the accounts without settings of their own.",
    answer=AccountSettingsView,
    errors=("unknownQuery",),
)
SET_ACCOUNT_SETTINGS = Operation(
    route="PUT /v1/accounts/settings",
    description="They hold for the accounts without settings of their own, from the next send on.",
    answer=AccountSettingsView,
    errors=WITH_BODY,
    body=AccountSettingsBody,
)
UPDATE_ACCOUNT = Operation(
    route="PATCH /v1/accounts/{platform}/{accountId}",
    description="Sets what holds for this account in place of the workspace's setting, from the next send on.",
    answer=AccountView,
    errors=("wrongPlatform", *WITH_BODY, "noSuchAccount"),
    body=AccountBody,
)
GET_ACCOUNT_HEALTH = Operation(
    route="GET /v1/accounts/{platform}/{accountId}/health",
    description=(
        "As this service knows it. With `check` the platform is asked whether it accepts the tokens and, if it "
        "reports these, for their permissions and their end. It is asked about an account at most once a minute (X "
        "once a day, because that costs money); until then the known state is returned. At most 60 checks a minute."
    ),
    answer=AccountHealthView,
    errors=("wrongPlatform", "wrongCheck", "unknownQuery", "noSuchAccount"),
    parameters=(query("check", "Whether to ask the platform.", {"type": "boolean", "default": False}, True),),
)
GET_ACCOUNT_HISTORY = Operation(
    route="GET /v1/accounts/{platform}/{accountId}/history",
    description=(
        "Through the API and the operator's commands. Kept for a year after the account, or as long as the "
        "operator has set."
    ),
    answer=AccountHistoryView,
    errors=("wrongPlatform", "unknownQuery", "noSuchAccount"),
)
LIST_SETTING_CHOICES = Operation(
    route="GET /v1/accounts/{platform}/{accountId}/choices",
    description=(
        "The platform is asked for the values that a setting in `platformSpecificData` may have, with their names: "
        f"{_LISTED}. At most {MOST_LISTS} requests of a workspace a minute."
    ),
    answer=ChoicesView,
    errors=("wrongPlatform", "wrongSetting", "unknownQuery", "noSuchAccount", "accountRefusedNow"),
    parameters=(
        required(query("setting", "The setting.", {"type": "string", "enum": _SETTINGS}, "boardId")),
        query(
            "within",
            "The value of the setting that the values depend on: `boardId` for `boardSectionId`, `subreddit` for "
            "`flairId`.",
            {"type": "string"},
            "549755885175",
        ),
    ),
)
REMOVE_ACCOUNT = Operation(
    route="DELETE /v1/accounts/{platform}/{accountId}",
    description=(
        "Deletes the account and its tokens. Posts that wait for it stay: each is held at its time, and is "
        "published once the same account is connected again, under the same id. The access at the platform is "
        "ended, too, if the platform allows that and no other account needs it. A repeat within a day gets the "
        "same answer."
    ),
    answer=RemovedAccountView,
    errors=("wrongPlatform", "wrongRevoke", "unknownQuery", "noSuchAccount"),
    parameters=(
        query(
            "revoke",
            "Whether to end the access at the platform.",
            {"type": "boolean", "default": True},
            False,
        ),
    ),
)
