"""The endpoints under /v1/accounts: the list of connected accounts, their health, and their removal."""

from datetime import UTC, datetime

from litestar import Controller, Response
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, SkipValidation

from api.accounts import operations
from api.accounts.account_history import account_history
from api.accounts.actions import AccountName, check_account, remove_account, require_account
from api.accounts.choices import list_choices, read_choices_query
from api.accounts.queries import AccountsQuery, accounts_cursor, read_accounts_query
from api.accounts.schemas import (
    AccountBody,
    AccountHealthPageView,
    AccountHealthView,
    AccountPageView,
    AccountSettingsBody,
    AccountSettingsView,
)
from api.accounts.views import account_view, health_view
from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.dependencies import Dependencies, Deps
from api.http.body import read_no_body
from api.http.headers import HttpRequest
from api.http.operation import serves
from api.http.query import known_platform, read_query
from api.http.request import read_body
from api.posts.answers.response import respond_privately
from domain.attempts import WhenUnreadable
from domain.errors import InvalidRequest, Problem
from store.accounts.pages import page_of_accounts, refusals_of_apps
from store.publishing.unseen import read_when_unreadable, write_when_unreadable

_MOST_READ = 1_000
"""Accounts that one request reads if it asks for those of a certain health."""

NamedAccount = NamedDependency[SkipValidation[AccountName]]


async def _named(platform: FromPath[str], account_id: FromPath[str], workspace_id: WorkspaceId) -> AccountName:
    """Return the account that a path names. Raises InvalidRequest."""
    named = AccountName(workspace_id, known_platform(platform), account_id)
    if "\0" in account_id:  # no row can have it, and PostgreSQL takes no text with it
        raise named.unknown
    return named


class AccountEndpoints(Controller):
    """The accounts of the caller's workspace. The api reads rows that hold no credentials."""

    dependencies = {**AUTHENTICATED, "named": Provide(_named)}  # noqa: RUF012

    @serves(operations.LIST_ACCOUNTS)
    async def list_accounts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List the connected accounts."""
        query, now = read_accounts_query(request), datetime.now(UTC)
        async with deps.database.reading() as session:
            rows = await page_of_accounts(
                session, workspace_id, platform=query.platform, after=query.after, limit=query.limit + 1
            )
            refused_apps = await refusals_of_apps(session, rows)
        page, has_more = rows[: query.limit], len(rows) > query.limit
        views = [account_view(account, refused_apps, now) for account in page]
        cursor = accounts_cursor(page[-1].id) if has_more else None
        return respond_privately(AccountPageView(accounts=views, cursor=cursor, hasMore=has_more))

    @serves(operations.LIST_ACCOUNT_HEALTH)
    async def list_account_health(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Get the health of the accounts, and what to do."""
        return respond_privately(await _health_page(deps, workspace_id, read_accounts_query(request)))

    @serves(operations.GET_ACCOUNT_SETTINGS)
    async def get_account_settings(
        self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Get the settings of the accounts."""
        read_query(request)
        async with deps.database.reading() as session:
            wish = await read_when_unreadable(session, workspace_id)
        return respond_privately(AccountSettingsView(whenUnreadable=wish))

    @serves(operations.SET_ACCOUNT_SETTINGS)
    async def set_account_settings(
        self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Set the settings of the accounts."""
        body = await read_body(request, AccountSettingsBody)
        async with deps.database.transaction() as session:
            await write_when_unreadable(session, workspace_id, body.when_unreadable)
        return respond_privately(AccountSettingsView(whenUnreadable=WhenUnreadable(body.when_unreadable)))

    @serves(operations.UPDATE_ACCOUNT)
    async def update_account(self, request: HttpRequest, named: NamedAccount, deps: Deps) -> Response[bytes]:
        """Change the settings of an account."""
        body = await read_body(request, AccountBody)
        async with deps.database.transaction() as session:
            await write_when_unreadable(session, named.workspace_id, body.when_unreadable, named.account_id)
            account = await require_account(session, named)
            refused_apps = await refusals_of_apps(session, [account])
        return respond_privately(account_view(account, refused_apps, datetime.now(UTC)))

    @serves(operations.GET_ACCOUNT_HEALTH)
    async def get_account_health(self, request: HttpRequest, named: NamedAccount, deps: Deps) -> Response[bytes]:
        """Get the health of one account."""
        if _flag(request, "check", default=False):
            await deps.restoring.require_finished()
            await check_account(deps, named)
        async with deps.database.reading() as session:
            account = await require_account(session, named)
            refused_apps = await refusals_of_apps(session, [account])
        return respond_privately(health_view(account, refused_apps, datetime.now(UTC)))

    @serves(operations.GET_ACCOUNT_HISTORY)
    async def get_account_history(self, request: HttpRequest, named: NamedAccount, deps: Deps) -> Response[bytes]:
        """List who connected and removed an account."""
        read_query(request)
        return respond_privately(await account_history(deps, named))

    @serves(operations.LIST_SETTING_CHOICES)
    async def list_setting_choices(self, request: HttpRequest, named: NamedAccount, deps: Deps) -> Response[bytes]:
        """List the values of a setting that an account may use."""
        return respond_privately(await list_choices(deps, named, read_choices_query(request, named.platform)))

    @serves(operations.REMOVE_ACCOUNT)
    async def remove_account(self, request: HttpRequest, named: NamedAccount, deps: Deps) -> Response[bytes]:
        """Remove an account."""
        revoke = _flag(request, "revoke", default=True)
        await read_no_body(request)
        return respond_privately(await remove_account(deps, request_actor(request), named, revoke=revoke))


def _flag(request: HttpRequest, name: str, *, default: bool) -> bool:
    """Return a parameter that is true or false. Raises InvalidRequest."""
    text = read_query(request).get(name)
    if text not in {None, "true", "false"}:
        raise InvalidRequest(Problem(f"{name} must be true or false", "invalid_field_value", name))
    return default if text is None else text == "true"


async def _health_page(deps: Dependencies, workspace_id: str, query: AccountsQuery) -> AccountHealthPageView:
    """Return the next accounts of a certain health, of any by default. A page ends when enough rows were read."""
    now, reports, after, has_more = datetime.now(UTC), list[AccountHealthView](), query.after, True
    limit = query.limit + 1 if query.health is None else _MOST_READ
    async with deps.database.reading() as session:
        rows = await page_of_accounts(session, workspace_id, platform=query.platform, after=after, limit=limit)
        refused_apps = await refusals_of_apps(session, rows)
    for account in rows:
        view = health_view(account, refused_apps, now)
        if query.health in {None, view["health"]}:
            if len(reports) == query.limit:
                break
            reports.append(view)
        after = account.id
    else:
        has_more = len(rows) == limit
    return AccountHealthPageView(
        accounts=reports, cursor=accounts_cursor(after) if has_more else None, hasMore=has_more
    )
