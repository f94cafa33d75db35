"""The operator's apps: the one that a workspace and an account use, and what is refused."""

import json

import pytest

from cli.stack.parts import sandbox_apps
from platforms.access.connector import connectors
from platforms.access.registered_apps import RegisteredApps
from platforms.registry import platforms
from sandbox.authorization import PLAY_SECRET

X, YOUTUBE, BUSINESS = (platforms()[name] for name in ("twitter", "youtube", "googlebusiness"))


def apps(**settings: object) -> RegisteredApps:
    return RegisteredApps.parse(json.dumps(settings))


def test_without_any_there_is_none() -> None:
    for text in ("", "{}"):
        assert RegisteredApps.parse(text).workspace_app(X, "ws_1") is None


def test_one_app_of_google_serves_both_platforms_unless_one_has_its_own() -> None:
    registered = apps(google={"clientId": "g", "clientSecret": "s3cret"}, youtube={"clientId": "y"})
    assert [
        getattr(registered.workspace_app(platform, "ws_1"), "client_id", None) for platform in (YOUTUBE, BUSINESS)
    ] == ["y", "g"]


def test_a_workspace_uses_its_own_app_and_the_others_the_shared_one() -> None:
    registered = apps(twitter=[{"clientId": "own", "workspaces": ["ws_1"]}, {"clientId": "new"}, {"clientId": "old"}])
    used = [registered.workspace_app(X, workspace) for workspace in ("ws_1", "ws_2")]
    assert [app and app.client_id for app in used] == ["own", "new"]


def test_an_account_keeps_the_app_that_it_was_connected_by() -> None:
    registered = apps(twitter=[{"clientId": "new"}, {"clientId": "old", "clientSecret": "s3cret"}])
    old = registered.by_client(X, "old", "ws_1")
    assert old is not None
    assert old.secret == "s3cret"
    assert registered.by_client(X, "unknown", "ws_1") is None


def test_an_app_is_found_by_its_client_id_for_its_workspaces_alone() -> None:
    registered = apps(twitter=[{"clientId": "own", "workspaces": ["ws_1"]}, {"clientId": "shared"}])
    assert [bool(registered.by_client(X, "own", workspace)) for workspace in ("ws_1", "ws_2")] == [True, False]
    assert [registered.is_of_others(X, "own", workspace) for workspace in ("ws_1", "ws_2")] == [False, True]
    assert not any(registered.is_of_others(X, client_id, "ws_2") for client_id in ("shared", "unknown", ""))
    assert not registered.is_of_others(YOUTUBE, "own", "ws_2"), "ids belong to a platform"


def test_tiktok_calls_it_a_client_key() -> None:
    registered = apps(tiktok={"clientKey": "k", "clientSecret": "s3cret"}).workspace_app(platforms()["tiktok"], "ws_1")
    assert registered is not None
    assert registered.client_id == "k"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "JSON object by platform"),
        ('{"twitter"', "JSON object by platform"),
        ('{"myspace": {"clientId": "x"}}', "'myspace' is no platform"),
        ('{"twitter": {"clientSecret": "s3cret"}}', "clientId is missing"),
        ('{"twitter": {"clientId": "x", "clientSecrets": "s3cret"}}', "unknown field 'clientSecrets'"),
        ('{"twitter": {"clientId": "x", "clientSecret": 5}}', "clientSecret is not what it must be"),
        ('{"twitter": "s3cret"}', "an app is not what it must be"),
    ],
)
def test_an_invalid_setting_is_named_without_its_value(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        RegisteredApps.parse(text)
    assert "s3cret" not in str(refused.value)


def test_nothing_of_it_shows_in_a_repr() -> None:
    registered = apps(twitter={"clientId": "x", "clientSecret": "s3cret"})
    assert "s3cret" not in repr(registered) + repr(registered.workspace_app(X, "ws_1"))
    assert registered.secrets() == ["s3cret"]


def test_a_development_stack_has_an_app_at_every_platform_that_needs_one() -> None:
    registered = RegisteredApps.parse(sandbox_apps())
    without = {name for name in connectors() if registered.workspace_app(platforms()[name], "ws_1") is None}
    # Bluesky's authorization server takes an app without a registration, on a loopback address.
    assert without == {name for name in connectors() if platforms()[name].app.registers_itself} | {"bluesky"}
    assert without == {"bluesky", "mastodon"}
    assert registered.secrets()[0] == PLAY_SECRET
