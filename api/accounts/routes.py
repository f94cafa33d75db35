"""The endpoints under /v1/accounts: the list of connected accounts, their health, and their removal."""

from datetime import UTC, datetime

from litestar import Controller

from api.accounts.actions import (
    MOST_LISTS,
    AccountName,
    account_history,
    check_account,
    list_choices,
    read_choices_query,
    remove_account,
    require_account,
    settings_listed,
)
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
    account_view,
    health_view,
)
from api.auth import AUTHENTICATED, request_actor
from api.dependencies import Dependencies
from api.endpoint import Endpoint
from api.http.headers import HttpRequest
from api.http.operation import WITH_BODY
from api.http.parameters import PLATFORM_REF, page, query, required
from api.http.query import Query, cut_page, encode_cursor
from domain.account_health import Health
from domain.attempts import WhenUnreadable
from platforms.registry import platforms
from store.accounts.connected import page_of_accounts, refusals_of_apps
from store.publishing.claims import read_when_unreadable, write_when_unreadable

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

_MOST_READ = 1_000
"""Accounts that one request reads if it asks for those of a certain health."""


class AccountEndpoints(Controller):
    """The accounts of the caller's workspace. The api reads rows that hold no credentials."""

    dependencies = AUTHENTICATED

    @Endpoint(
        route="GET /v1/accounts",
        errors=("wrongQuery",),
        parameters=(_OF_PLATFORM, *_PAGE),
    )
    async def list_accounts(self, query: Query, workspace_id: str, deps: Dependencies) -> AccountPageView:
        """List the connected accounts.

        With their health as this service knows it; no platform is asked. In the order of their ids.
        """
        now, limit = datetime.now(UTC), query["limit"]
        async with deps.database.reading() as session:
            rows = await page_of_accounts(
                session, workspace_id, platform=query["platform"], after=query["cursor"] or "", limit=limit + 1
            )
            refused_apps = await refusals_of_apps(session, rows)
        page, cursor = cut_page(rows, limit)
        views = [account_view(account, refused_apps, now) for account in page]
        return AccountPageView(accounts=views, cursor=cursor, hasMore=cursor is not None)

    @Endpoint(
        route="GET /v1/accounts/health",
        errors=("wrongQuery",),
        parameters=(_OF_PLATFORM, _OF_HEALTH, *_PAGE),
    )
    async def list_account_health(self, query: Query, workspace_id: str, deps: Dependencies) -> AccountHealthPageView:
        """Get the health of the accounts, and what to do.

        As this service knows it; no platform is asked. `healthy`: nothing to do. `warning`: something may be needed
        soon. `needs_reconnect`: the account publishes nothing, or soon nothing, until it is reconnected.
        """
        return await _health_page(deps, workspace_id, query)

    @Endpoint(route="GET /v1/accounts/settings")
    async def get_account_settings(self, workspace_id: str, deps: Dependencies) -> AccountSettingsView:
        """Get the settings of the accounts.

        They hold for the accounts without settings of their own.
        """
        async with deps.database.reading() as session:
            wish = await read_when_unreadable(session, workspace_id)
        return AccountSettingsView(whenUnreadable=wish)

    @Endpoint(route="PUT /v1/accounts/settings", errors=WITH_BODY)
    async def set_account_settings(
        self, body: AccountSettingsBody, workspace_id: str, deps: Dependencies
    ) -> AccountSettingsView:
        """Set the settings of the accounts.

        They hold for the accounts without settings of their own, from the next send on.
        """
        async with deps.database.transaction() as session:
            await write_when_unreadable(session, workspace_id, body.when_unreadable)
        return AccountSettingsView(whenUnreadable=WhenUnreadable(body.when_unreadable))

    @Endpoint(route="PATCH /v1/accounts/{platform}/{accountId}", errors=("wrongPlatform", "noSuchAccount"))
    async def update_account(self, named: AccountName, body: AccountBody, deps: Dependencies) -> AccountView:
        """Change the settings of an account.

        Sets what holds for this account in place of the workspace's setting, from the next send on.
        """
        async with deps.database.transaction() as session:
            await write_when_unreadable(session, named.workspace_id, body.when_unreadable, named.account_id)
            account = await require_account(session, named)
            refused_apps = await refusals_of_apps(session, [account])
        return account_view(account, refused_apps, datetime.now(UTC))

    @Endpoint(
        route="GET /v1/accounts/{platform}/{accountId}/health",
        errors=("wrongPlatform", "wrongCheck", "noSuchAccount"),
        parameters=(query("check", "Whether to ask the platform.", {"type": "boolean", "default": False}, True),),
    )
    async def get_account_health(self, query: Query, named: AccountName, deps: Dependencies) -> AccountHealthView:
        """Get the health of one account.

        As this service knows it. With `check` the platform is asked whether it accepts the tokens and, if it reports
        these, for their permissions and their end. It is asked about an account at most once a minute (X once a day,
        because that costs money); until then the known state is returned. At most 60 checks a minute.
        """
        if query["check"]:
            await deps.restoring.require_finished()
            await check_account(deps, named)
        async with deps.database.reading() as session:
            account = await require_account(session, named)
            refused_apps = await refusals_of_apps(session, [account])
        return health_view(account, refused_apps, datetime.now(UTC))

    @Endpoint(route="GET /v1/accounts/{platform}/{accountId}/history", errors=("wrongPlatform", "noSuchAccount"))
    async def get_account_history(self, named: AccountName, deps: Dependencies) -> AccountHistoryView:
        """List who connected and removed an account.

        Through the API and the operator's commands. Kept for a year after the account, or as long as the operator has
        set.
        """
        return await account_history(deps, named)

    @Endpoint(
        route="GET /v1/accounts/{platform}/{accountId}/choices",
        description=(
            "The platform is asked for the values that a setting in `platformSpecificData` may have, with their names: "
            f"{_LISTED}. At most {MOST_LISTS} requests of a workspace a minute."
        ),
        errors=("wrongPlatform", "wrongSetting", "noSuchAccount", "accountRefusedNow"),
        reads_query=False,
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
    async def list_setting_choices(self, request: HttpRequest, named: AccountName, deps: Dependencies) -> ChoicesView:
        """List the values of a setting that an account may use."""
        return await list_choices(deps, named, read_choices_query(request, named.platform))

    @Endpoint(
        route="DELETE /v1/accounts/{platform}/{accountId}",
        errors=("wrongPlatform", "wrongRevoke", "noSuchAccount"),
        parameters=(
            query("revoke", "Whether to end the access at the platform.", {"type": "boolean", "default": True}, False),
        ),
    )
    async def remove_account(
        self, request: HttpRequest, query: Query, named: AccountName, deps: Dependencies
    ) -> RemovedAccountView:
        """Remove an account.

        Deletes the account and its tokens. Posts that wait for it stay: each is held at its time, and is published once
        the same account is connected again, under the same id. The access at the platform also ends if the
        platform allows that and no other account needs it. A repeat within a day gets the same answer.
        """
        return await remove_account(deps, request_actor(request), named, revoke=query["revoke"])


async def _health_page(deps: Dependencies, workspace_id: str, query: Query) -> AccountHealthPageView:
    """Return the next accounts of a certain health, of any by default. A page ends when enough rows were read."""
    now, reports, after, has_more = datetime.now(UTC), list[AccountHealthView](), query["cursor"] or "", True
    limit = query["limit"] + 1 if query["health"] is None else _MOST_READ
    async with deps.database.reading() as session:
        rows = await page_of_accounts(session, workspace_id, platform=query["platform"], after=after, limit=limit)
        refused_apps = await refusals_of_apps(session, rows)
    for account in rows:
        view = health_view(account, refused_apps, now)
        if query["health"] in {None, view["health"]}:
            if len(reports) == query["limit"]:
                break
            reports.append(view)
        after = account.id
    else:
        has_more = len(rows) == limit
    cursor = encode_cursor({"id": after}) if has_more else None
    return AccountHealthPageView(accounts=reports, cursor=cursor, hasMore=has_more)
