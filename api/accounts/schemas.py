"""The answers about connected accounts. They hold no credentials: the api cannot read any."""

from pydantic import ConfigDict, Field

from api.posts.answers.actors import ActorView
from api.posts.answers.views import HasMore, Moment, NextCursor, PlatformName, View
from domain.account_events import Access, AccountAction
from domain.account_health import Health, HealthReason


class AccountView(View):
    """A connected account."""

    model_config = ConfigDict(title="Account")

    platform: PlatformName = Field(description="The platform.")
    account_id: str = Field(description="Its id, as posts name it.", examples=["tw_456"])
    username: str = Field(description="Its name at the platform.", examples=["jane"])
    connected_at: Moment = Field(description="When it was connected, or connected again.")
    health: Health = Field(
        description=(
            "As far as this service knows. `healthy`: nothing to do. `warning`: something may be needed soon. "
            "`needs_reconnect`: it publishes nothing, or soon nothing, until it is reconnected."
        ),
        examples=["healthy"],
    )
    token_valid: bool = Field(
        description="Whether its tokens have neither ended nor been refused. Tokens that are renewed count as valid.",
        examples=[True],
    )
    expires_at: Moment | None = Field(
        description="When the connection ends if its owner does nothing; null if it is renewed, or has no known end."
    )


class AccountPageView(View):
    """One page of accounts."""

    model_config = ConfigDict(title="AccountList")

    accounts: list[AccountView] = Field(description="In the order of their ids.")
    cursor: NextCursor = Field(examples=["eyJpZCI6InR3XzQ1NiJ9"])
    has_more: HasMore = Field(examples=[False])


class AccountHealthView(AccountView):
    """The health of a connected account, and what to do."""

    model_config = ConfigDict(title="AccountHealth")

    reason: HealthReason | None = Field(description="Why it is not healthy; null if it is.", examples=["expiring"])
    permissions: list[str] = Field(
        description="What the platform has granted; empty if it does not say.", examples=[["tweet.read", "tweet.write"]]
    )
    missing_permissions: list[str] = Field(
        description="What this service asks for and the platform has not granted.", examples=[["offline.access"]]
    )
    checked_at: Moment | None = Field(
        description="When the platform last accepted its tokens, or was asked about them."
    )
    recommendations: list[str] = Field(
        description="What to do, as sentences for people.",
        examples=[["Token expires in 3 days. Consider reconnecting."]],
    )


class AccountHealthPageView(View):
    """One page of the health of accounts."""

    model_config = ConfigDict(title="AccountHealthList")

    accounts: list[AccountHealthView] = Field(description="In the order of their ids.")
    cursor: NextCursor = Field(examples=["eyJpZCI6InR3XzQ1NiJ9"])
    has_more: bool = Field(
        description="Whether there is a next page. A page may hold fewer accounts than `limit`, or none.",
        examples=[False],
    )


class WaitingPostsView(View):
    """The posts that are still to be published to an account."""

    count: int = Field(description="How many there are, 1000 at most.", examples=[1])
    more: bool = Field(description="Whether there are more.", examples=[False])
    first: list[str] = Field(
        description="The ids of up to five, the soonest due first.",
        examples=[["post_019bc10f27c07a7d4e9a54c1d9e3f0a1"]],
    )


class RemovedAccountView(View):
    """An account that was removed, and what that means for its posts."""

    model_config = ConfigDict(title="RemovedAccount")

    platform: PlatformName = Field(description="The platform.")
    account_id: str = Field(
        description="Its id. The same account gets it again if it is connected again.", examples=["tw_456"]
    )
    username: str = Field(description="Its name at the platform.", examples=["jane"])
    removed: bool = Field(description="Always true.", examples=[True])
    removed_at: Moment = Field(description="When it was removed.")
    access: Access = Field(
        description="The state of this service's access at the platform: `ended` there, `kept` there and deleted "
        "here, or `unknown`: the platform is asked again, and a repeated request says whether it has ended everything.",
        examples=["ended"],
    )
    waiting_posts: WaitingPostsView = Field(
        description="They stay as they are. Each is held at its time, until the account is connected again."
    )
    message: str = Field(
        description="What happened to the account, its access and its posts, in sentences for people.",
        examples=["jane is no longer connected. X has ended this service's access."],
    )


class AccountEventView(View):
    """An action on an account."""

    model_config = ConfigDict(title="AccountEvent")

    at: Moment = Field(description="When.")
    action: AccountAction = Field(description="What was done.", examples=["connected"])
    actor: ActorView = Field(description="Who did it.")
    connection_id: str | None = Field(
        description="The `connectionId` with which it was begun over the API; null if it was not.",
        examples=["sel_019bc10f27c07a7d4e9a54c1d9e3f0a1"],
    )
    summary: str = Field(
        description="The event as a sentence, which names a connection that was made with `hosted`.",
        examples=['API key "Editorial office" connected jane.'],
    )


class AccountHistoryView(View):
    """The actions on an account, and who did them."""

    model_config = ConfigDict(title="AccountHistory")

    events: list[AccountEventView] = Field(description="The 100 newest, the newest first.")


class ChoiceView(View):
    """A value of a setting."""

    model_config = ConfigDict(title="SettingChoice")

    value: str = Field(description="What the setting takes.", examples=["549755885175"])
    label: str = Field(description="Its name for people.", examples=["Recipes"])


class ChoicesView(View):
    """The values of a setting that an account may use."""

    model_config = ConfigDict(title="SettingChoices")

    setting: str = Field(description="The setting.", examples=["boardId"])
    choices: list[ChoiceView] = Field(description="In the platform's order; at most 1,000.")
    more: bool = Field(description="Whether there are others, which are not listed.", examples=[False])
