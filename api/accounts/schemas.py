"""The bodies and answers about connected accounts. They hold no credentials: the api cannot read any."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from accounts.facts import AnyAccount, token_facts
from api.posts.answers.views import ActorView
from api.posts.bodies.schemas import RequestModel
from api.views import HasMore, Moment, NextCursor, PlatformName, described, example, view
from domain.account_health import Health, HealthReason, HealthReport, TokenFacts, report_on
from domain.attempts import WhenUnreadable
from domain.audit import Access, AccountAction
from domain.schedule import rfc3339
from store.accounts.connected import AppKey

_MEANINGS = (
    "For a post that its platform refused and cannot show (Telegram, Discord's webhooks, media of members on LinkedIn, "
    "photos on TikTok): the refusal may lie. `askMe`: after any response but success, the target is `unconfirmed`, and "
    "you decide. `resendOnce`: it is sent a second time if the refusal would pass, then you decide."
)


class AccountSettingsBody(RequestModel):
    """The settings of the workspace's accounts."""

    model_config = ConfigDict(title="SetAccountSettings")

    when_unreadable: Literal["askMe", "resendOnce"] = Field(description=_MEANINGS, examples=["askMe"])


class AccountBody(RequestModel):
    """The settings of one account."""

    model_config = ConfigDict(title="UpdateAccount")

    when_unreadable: Literal["askMe", "resendOnce"] | None = Field(
        description=f"{_MEANINGS} null: as the workspace's setting says.", examples=["askMe"]
    )


@view("AccountSettings")
class AccountSettingsView(TypedDict):
    """The settings of the workspace's accounts without a setting of their own."""

    whenUnreadable: Annotated[WhenUnreadable, described(_MEANINGS, "resendOnce")]


@view("Account")
class AccountView(TypedDict):
    """A connected account."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str, described("Its id, as posts name it.", "ig_123")]
    username: Annotated[str, described("Its name at the platform.", "jane")]
    connectedAt: Annotated[Moment, described("When it was connected, or connected again.")]
    health: Annotated[Health, example("healthy")]
    """As far as this service knows. `healthy`: nothing to do. `warning`: something may be needed soon.
    `needs_reconnect`: it publishes nothing, or soon nothing, until it is reconnected."""
    tokenValid: Annotated[bool, example(True)]
    """Whether its tokens have neither ended nor been refused. Tokens that are renewed count as valid."""
    expiresAt: Moment | None
    """When the connection ends if its owner does nothing; null if it is renewed, or has no known end."""
    whenUnreadable: Annotated[WhenUnreadable | None, example("askMe")]
    """Its own setting; null: as the workspace's setting says."""


@view("AccountList")
class AccountPageView(TypedDict):
    """One page of accounts."""

    accounts: Annotated[list[AccountView], described("In the order of their ids.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6InR3XzQ1NiJ9"])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


@view("AccountHealth")
class AccountHealthView(AccountView):
    """The health of a connected account, and what to do."""

    reason: Annotated[HealthReason | None, described("Why it is not healthy; null if it is.", "expiring")]
    permissions: Annotated[list[str], example(["tweet.read", "tweet.write"])]
    """What the platform has granted; empty if it does not say."""
    missingPermissions: Annotated[list[str], example(["offline.access"])]
    """What this service asks for and the platform has not granted."""
    checkedAt: Moment | None
    """When the platform last accepted its tokens, or was asked about them."""
    recommendations: Annotated[list[str], example(["Token expires in 3 days. Consider reconnecting."])]
    """What to do, as sentences for people."""


@view("AccountHealthList")
class AccountHealthPageView(TypedDict):
    """One page of the health of accounts."""

    accounts: Annotated[list[AccountHealthView], described("In the order of their ids.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6InR3XzQ1NiJ9"])]
    hasMore: Annotated[bool, example(False)]
    """Whether there is a next page. A page may hold fewer accounts than `limit`, or none."""


@view()
class WaitingPostsView(TypedDict):
    """The posts that are still to be published to an account."""

    count: Annotated[int, described("How many there are, 1000 at most.", 1)]
    more: Annotated[bool, described("Whether there are more.", False)]
    first: Annotated[list[str], example(["post_019bc10f27c07a7d4e9a54c1d9e3f0a1"])]
    """The ids of up to five, the soonest due first."""


@view("RemovedAccount")
class RemovedAccountView(TypedDict):
    """An account that was removed, and what that means for its posts."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str, described("Its id. The same account gets it again if it is connected again.", "ig_123")]
    username: Annotated[str, described("Its name at the platform.", "jane")]
    removed: Annotated[bool, described("Always true.", True)]
    removedAt: Annotated[Moment, described("When it was removed.")]
    access: Annotated[Access, example("ended")]
    """The state of this service's access at the platform: `ended` there, `kept` there and deleted here, or `unknown`:
    the platform is asked again, and a repeated request says whether it has ended everything."""
    waitingPosts: WaitingPostsView
    """They stay as they are. Each is held at its time, until the account is connected again."""
    message: Annotated[str, example("jane is no longer connected. X has ended this service's access.")]
    """What happened to the account, its access and its posts, in sentences for people."""


@view("AccountEvent")
class AccountEventView(TypedDict):
    """An action on an account."""

    at: Annotated[Moment, described("When.")]
    action: Annotated[AccountAction, described("What was done.", "connected")]
    actor: Annotated[ActorView, described("Who did it.")]
    connectionId: Annotated[str | None, example("sel_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    """The `connectionId` with which it was begun over the API; null if it was not."""
    summary: Annotated[str, example('API key "Editorial office" connected jane.')]
    """The event as a sentence, which names a connection that was made with `hosted`."""


@view("AccountHistory")
class AccountHistoryView(TypedDict):
    """The actions on an account, and who did them."""

    events: Annotated[list[AccountEventView], described("The 100 newest, the newest first.")]


@view("SettingChoice")
class ChoiceView(TypedDict):
    """A value of a setting."""

    value: Annotated[str, described("What the setting takes.", "549755885175")]
    label: Annotated[str, described("Its name for people.", "Recipes")]


@view("SettingChoices")
class ChoicesView(TypedDict):
    """The values of a setting that an account may use."""

    setting: Annotated[str, described("The setting.", "boardId")]
    choices: Annotated[list[ChoiceView], described("In the platform's order; at most 1,000.")]
    more: Annotated[bool, described("Whether there are others, which are not listed.", False)]


def account_view(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> AccountView:
    """Return an account as lists show it."""
    facts = token_facts(account, refused_apps, now)
    return _account(account, facts, report_on(facts, now))


def health_view(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> AccountHealthView:
    """Return the health of an account."""
    facts = token_facts(account, refused_apps, now)
    report = report_on(facts, now)
    checks = [check for check in (account.last_ok_at, account.inspected_at) if check is not None]
    return {
        **_account(account, facts, report),
        "reason": report.reason,
        "permissions": sorted(account.scopes or []),
        "missingPermissions": [*facts.missing, *facts.declined],
        "checkedAt": rfc3339(max(checks)) if checks else None,
        "recommendations": list(report.recommendations),
    }


def _account(account: AnyAccount, facts: TokenFacts, report: HealthReport) -> AccountView:
    ends = facts.connection_ends_at
    return {
        "platform": account.platform,
        "accountId": account.id,
        "username": account.username,
        "connectedAt": rfc3339(account.connected_at),
        "health": report.health,
        "tokenValid": report.token_valid,
        "expiresAt": rfc3339(ends) if ends else None,
        "whenUnreadable": WhenUnreadable(account.when_unreadable) if account.when_unreadable else None,
    }
