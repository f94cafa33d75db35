"""The secrets of apps come from the configuration, for requests only; a secret of the account takes precedence."""

import json
from typing import Any

from pydantic import SecretStr

from accounts.credentials.app_secrets import with_app_secret, with_stored_secret
from platforms.access.bots import OF_APP
from platforms.access.registered_apps import RegisteredApps
from platforms.registry import platforms

APPS = RegisteredApps.parse(
    json.dumps(
        {
            "twitter": [
                {"clientId": "one", "clientSecret": "of one"},
                {"clientId": "two", "clientSecret": "older"},
                {"clientId": "theirs", "clientSecret": "not yours", "workspaces": ["ws_2"]},
            ],
            "discord": {"clientId": "d", "clientSecret": "s", "botToken": "their bot", "workspaces": ["ws_2"]},
            "google": {"clientId": "g", "clientSecret": "of Google"},
        }
    )
)


def credentials(platform: str, **more: Any) -> Any:
    return platforms()[platform].credentials.model_validate({"accessToken": "a", **more})


def secret(platform: str, **more: Any) -> str | None:
    client_secret = with_app_secret(APPS, platforms()[platform], credentials(platform, **more), "ws_1").client_secret
    return None if client_secret is None else str(client_secret.get_secret_value())


def test_app_secret_is_that_of_the_accounts_app() -> None:
    assert secret("twitter", clientId="one") == "of one"
    assert secret("twitter", clientId="two") == "older"
    assert secret("twitter", clientId="three") is None
    assert secret("twitter") is None
    assert secret("reddit", clientId="one") is None, "ids belong to a platform"
    assert secret("youtube", clientId="g") == secret("googlebusiness", clientId="g") == "of Google"


def test_the_secrets_of_other_workspaces_apps_are_not_added() -> None:
    assert secret("twitter", clientId="theirs") is None
    discord = platforms()["discord"].credentials.model_validate({"botToken": OF_APP, "channelId": "1", "clientId": "d"})
    tokens = [
        with_app_secret(APPS, platforms()["discord"], discord, workspace).access_token for workspace in ("ws_1", "ws_2")
    ]
    assert [token.get_secret_value() for token in tokens] == [OF_APP, "their bot"]


def test_accounts_own_secret_is_kept() -> None:
    assert secret("twitter", clientId="one", clientSecret="its own") == "its own"


def test_stored_credentials_do_not_contain_the_app_secret() -> None:
    platform = platforms()["twitter"]
    stored = credentials("twitter", clientId="one")
    assert with_stored_secret(with_app_secret(APPS, platform, stored, "ws_1"), stored).client_secret is None
    own = credentials("twitter", clientId="one", clientSecret="its own")
    assert with_stored_secret(with_app_secret(APPS, platform, own, "ws_1"), own).client_secret == SecretStr("its own")


def test_credentials_without_an_app_pass_unchanged() -> None:
    platform = platforms()["mastodon"]
    mastodon = platform.credentials.model_validate({"accessToken": "a", "instance": "https://social.example"})
    assert with_app_secret(APPS, platform, mastodon, "ws_1") is mastodon
    assert with_stored_secret(mastodon, mastodon) == mastodon
