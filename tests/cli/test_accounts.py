"""`socialsyncer accounts`: connecting, listing and removing accounts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cli.data_dir import Folder
from cli.stack.ports import free_port
from platforms.registry import platforms
from store.accounts.connected import open_credentials
from store.apps import announce_apps
from store.models import Account, AppSetup
from store.secrets.vault import Vault, new_key
from tests.cli.commands import bare, data_dir, production, run
from tests.media.hostile import HostileServer, answer
from tests.stack import Stack

__all__ = ["bare", "data_dir", "production"]


@pytest.mark.parametrize("instance", ["http://127.0.0.1:{port}", "https://127.0.0.1:{port}", "http://localhost:{port}"])
async def test_an_account_on_a_private_server_is_not_added_unless_the_operator_allows_it(
    instance: str, production: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOCIALSYNCER_SANDBOX_URL")
    async with HostileServer().running() as server:
        stdin = json.dumps({"instance": instance.format(port=server.port), "accessToken": "tok-hush"})
        await run("keys", "create", "--workspace", "named")
        result = await run("accounts", "add", "mastodon", "--workspace", "named", stdin=stdin)
        assert result.exit_code == 1
        assert "SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS" in result.stderr
        assert "tok-hush" not in result.output
        assert server.requests == []
        monkeypatch.setenv("SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS", f"localhost:{server.port},127.0.0.1:{server.port}")
        result = await run("accounts", "add", "mastodon", "--workspace", "named", stdin=stdin)
        assert result.exit_code == 1
        assert bool(server.requests) is instance.startswith("http:")


async def test_accounts_are_added_after_the_platform_confirmed_them(production: Stack) -> None:
    account = await production.connect("instagram", accessToken="from-the-network")
    result = await run(
        "accounts", "add", "instagram", "--workspace", "brand", stdin='{"accessToken": "from-the-network"}'
    )
    assert json.loads(result.stdout) == {
        "platform": "instagram",
        "accountId": f"ig_{account.user_id}",
        "username": account.username,
    }
    assert result.stdout.count("\n") == 1
    listed = json.loads((await run("accounts", "list", "--workspace", "brand")).stdout)
    assert listed == {**json.loads(result.stdout), "health": "healthy"}
    removed = await run("accounts", "remove", f"ig_{account.user_id}", "--workspace", "brand")
    assert (removed.exit_code, removed.stdout) == (0, f"ig_{account.user_id} is no longer connected.\n")
    assert (await run("accounts", "list", "--workspace", "brand")).stdout == ""
    again = await run("accounts", "remove", f"ig_{account.user_id}", "--workspace", "brand")
    assert (again.exit_code, again.stderr) == (1, f"Error: The workspace has no account ig_{account.user_id}.\n")


async def test_an_account_is_not_added_with_another_workspaces_app(
    production: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await production.connect("twitter", accessToken="by-another-app")
    app = {"clientId": "brand-app", "clientSecret": "hush", "workspaces": [production.workspace_id]}
    monkeypatch.setenv("SOCIALSYNCER_APPS", json.dumps({"twitter": app}))
    stdin = json.dumps({"accessToken": "by-another-app", "clientId": "brand-app"})
    refused = await run("accounts", "add", "twitter", "--workspace", "a new one", stdin=stdin)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "clientId names an app of SOCIALSYNCER_APPS that is for other workspaces." in refused.stderr
    added = await run("accounts", "add", "twitter", "--workspace", production.workspace_id, stdin=stdin)
    assert json.loads(added.stdout)["accountId"] == account.id


async def test_an_account_is_not_added_with_a_key_that_workers_do_not_have(
    production: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await production.connect("instagram", accessToken="by-an-old-key")
    keys = Vault(production.settings.encryption_keys).key_ids
    old = new_key()
    async with production.database.transaction() as session:
        before = (await session.scalars(select(AppSetup))).one_or_none()
        await announce_apps(session, before.platforms if before else (), {}, datetime.now(UTC), key_ids=keys)
    with monkeypatch.context() as patched:
        patched.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", old)
        refused = await run(
            "accounts", "add", "instagram", "--workspace", "x", stdin='{"accessToken": "by-an-old-key"}'
        )
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "The service's workers do not have the encryption key of this command" in refused.stderr
    assert f"They have {keys[0].hex()}." in refused.stderr
    assert old not in refused.output
    added = await run("accounts", "add", "instagram", "--workspace", "x", stdin='{"accessToken": "by-an-old-key"}')
    assert json.loads(added.stdout)["accountId"] == account.id


async def test_a_field_that_is_given_under_two_names_is_named(production: Stack) -> None:
    stdin = '{"identifier": "a.bsky.social", "password": "x", "accessToken": "y"}'
    result = await run("accounts", "add", "bluesky", "--workspace", "x", stdin=stdin)
    assert "accessToken is another name of a field that is given, too: leave one out" in result.stderr
    misspelled = await run(
        "accounts", "add", "bluesky", "--workspace", "x", stdin='{"identifier": "a.bsky.social", "passwort": "x"}'
    )
    assert "passwort is not a known field; did you mean password?" in misspelled.stderr


async def test_removing_an_account_names_its_waiting_posts_and_asks(production: Stack) -> None:
    account = await production.connect("instagram")
    posts = [
        await production.save(f"waits {number}", [account], due_in=timedelta(days=number)) for number in range(1, 8)
    ]
    command = ("accounts", "remove", account.id, "--workspace", production.workspace_id)
    asked = await run(*command)
    assert asked.exit_code == 1
    assert (
        f"7 posts still to be published to {account.id}: {', '.join(post.id for post in posts[:5])}, …." in asked.stderr
    )
    assert "Add --yes to remove it all the same." in asked.stderr
    assert account.id in (await run("accounts", "list", "--workspace", production.workspace_id)).stdout
    removed = await run(*command, "--yes")
    assert (removed.exit_code, removed.stdout) == (0, f"{account.id} is no longer connected.\n")
    assert posts[0].id in removed.stderr


async def test_an_account_that_the_platform_does_not_know_is_refused_and_not_kept(production: Stack) -> None:
    result = await run("accounts", "add", "twitter", "--workspace", "none", stdin='{"accessToken": "tok-unknown"}')
    assert result.exit_code == 1
    assert "Error: X does not accept these credentials. Check them and try again.\n" in result.stderr
    assert "tok-unknown" not in result.output
    for _ in range(2):
        # Listing the workspace does not create it either.
        listed = await run("accounts", "list", "--workspace", "none")
        assert (listed.exit_code, listed.stdout) == (1, "")
        assert "There is no workspace none." in listed.stderr
    removed = await run("accounts", "remove", "tw_1", "--workspace", "none")
    assert "There is no workspace none." in removed.stderr


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        ((401, "AuthenticationRequired"), "Bluesky does not accept these credentials. Check them and try again."),
        (
            (401, "AccountTakedown"),
            (
                "Bluesky does not accept these credentials: Bluesky has taken this account down. "
                "Sign in at Bluesky to appeal."
            ),
        ),
        ((502, "UpstreamFailure"), "The account is not connected: Bluesky had an error of its own."),
        (None, "The account is not connected: Bluesky could not be reached."),
    ],
)
async def test_refusals_are_explained_for_new_accounts(
    refusal: tuple[int, str] | None, sentence: str, production: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run("keys", "create", "--workspace", "new")
    async with HostileServer().running() as server:
        port = free_port()
        if refusal is not None:
            status, code = refusal
            body = json.dumps({"error": code, "message": "No."}).encode()
            server.routes["/xrpc/com.atproto.server.createSession"] = answer(body, status=f"{status} No")
            port = server.port
        monkeypatch.setenv("SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS", f"127.0.0.1:{port}")
        stdin = json.dumps({"service": f"http://127.0.0.1:{port}", "identifier": "ann.test", "password": "tok-hush"})
        result = await run("accounts", "add", "bluesky", "--workspace", "new", stdin=stdin)
    assert (result.exit_code, result.stderr) == (1, f"Error: {sentence}\n")


async def test_places_beside_its_own_are_allowed_and_forbidden_for_an_account(production: Stack) -> None:
    account = await production.connect("googlebusiness")
    here = ("--workspace", production.workspace_id)

    async def shown(*arguments: str) -> dict[str, Any]:
        result = await run("accounts", *arguments, *here)
        assert result.exit_code == 0, result.stderr
        account: dict[str, Any] = json.loads(result.stdout)
        return account

    allowed = await shown("allow", account.id, "locationId=locations/7", "locationId=8")
    assert allowed["allowed"] == {"locationId": ["7", "8"]}
    assert (await shown("allow", account.id, "locationId=*"))["allowed"] == {"locationId": ["*", "7", "8"]}
    assert (await shown("forbid", account.id, "locationId=*", "locationId=8"))["allowed"] == {"locationId": ["7"]}
    await production.reconnect(account)
    listed = await run("accounts", "list", *here)
    assert '"allowed": {"locationId": ["7"]}' in listed.stdout, "a new token takes nothing back"
    assert "allowed" not in await shown("forbid", account.id, "locationId=7")
    for places, sentence in (
        ("channelId=1", "has no setting 'channelId' that names another place; it has locationId."),
        ("locationId=x", "locationId must be a location such as locations/123; or * for all."),
    ):
        assert sentence in (await run("accounts", "allow", account.id, places, *here)).stderr
    assert "has no account gb_0" in (await run("accounts", "allow", "gb_0", "locationId=1", *here)).stderr


async def test_an_account_is_connected_with_the_places_that_it_may_publish_to(data_dir: Path) -> None:
    arguments = ("accounts", "add", "discord", "--data-dir", str(data_dir), "--allow", "channelId=81384788765712385")
    stdin = '{"botToken": "bot-with-places", "channelId": "41771983423143938"}'
    result = await run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["allowed"] == {"channelId": ["81384788765712385"]}
    result = await run("accounts", "add", "telegram", "--data-dir", str(data_dir), "--allow", "chatId=1", stdin="{}")
    assert "Telegram has no setting 'chatId' that names another place; it has none." in result.stderr


async def test_a_server_that_claims_anothers_account_connects_nothing(
    production: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
    session = {"did": did, "handle": "victim.example", "accessJwt": "a", "refreshJwt": "r"}
    service = {"id": "#atproto_pds", "serviceEndpoint": "https://victims.example"}
    await run("keys", "create", "--workspace", "evil")
    async with HostileServer().running() as server:
        for name in ("createSession", "getSession"):
            server.routes[f"/xrpc/com.atproto.server.{name}"] = answer(json.dumps(session).encode())
        server.routes[f"/{did}"] = answer(json.dumps({"id": did, "service": [service]}).encode())
        url = f"http://127.0.0.1:{server.port}"
        monkeypatch.setenv("SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS", f"127.0.0.1:{server.port}")
        monkeypatch.setenv("SOCIALSYNCER_BASE_URLS", json.dumps({"https://plc.directory": url}))
        stdin = json.dumps({"service": url, "identifier": "victim.example", "password": "any"})
        result = await run("accounts", "add", "bluesky", "--workspace", "evil", stdin=stdin)
    assert result.exit_code == 1
    assert "https://victims.example:443" in result.stderr
    assert (await run("accounts", "list", "--workspace", "evil")).stdout == ""


@pytest.mark.parametrize(
    ("stdin", "sentence"),
    [
        ("secret-token", "Give the credentials as one JSON object on stdin"),
        ('["secret-token"]', "Give the credentials as one JSON object on stdin"),
        ('{"refreshToken": "secret-token"}', "accessToken is required"),
        ('{"accessToken": ["secret-token"]}', "accessToken must be a string"),
        (
            '{"accessToken": "x", "acessToken": "secret-token"}',
            "acessToken is not a known field; did you mean accessToken?",
        ),
    ],
)
async def test_invalid_credentials_are_named_by_field_without_values(
    production: Stack, stdin: str, sentence: str
) -> None:
    result = await run("accounts", "add", "twitter", "--workspace", "w", stdin=stdin)
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert "secret-token" not in result.stderr


async def test_an_unknown_platform_lists_the_known_ones(production: Stack) -> None:
    result = await run("accounts", "add", "myspace", "--workspace", "w", stdin="{}")
    assert result.stderr == f"Error: There is no platform 'myspace': choose one of {', '.join(platforms())}.\n"


async def test_any_token_connects_an_account_on_a_stack(stack: Stack, data_dir: Path) -> None:
    credentials = {"accessToken": "made-up", "refreshToken": "made-up-too", "clientId": "c"}
    described = json.dumps({**credentials, "username": "ada", "premium": True})
    where = ("--data-dir", str(data_dir))
    first = await run("accounts", "add", "twitter", *where, stdin=described)
    second = await run("accounts", "add", "twitter", *where, stdin=described)
    assert first.stdout == second.stdout
    shown = json.loads(first.stdout)
    assert (shown["platform"], shown["username"]) == ("twitter", "ada")
    async with stack.database.transaction() as session:
        account = await session.get_one(Account, (stack.workspace_id, shown["accountId"]))
        assert account.premium
        stored = open_credentials(Vault(stack.settings.encryption_keys), account)
    assert stored["access_token"] == "made-up"
    listed = [json.loads(line) for line in (await run("accounts", "list", *where)).stdout.splitlines()]
    assert {**shown, "health": "healthy"} in listed


async def test_stack_account_uses_the_allowed_real_server(stack: Stack, data_dir: Path) -> None:
    folder = Folder(data_dir)
    async with HostileServer().running() as server:
        me = {"id": "7", "username": "ann", "acct": "ann"}
        server.routes["/api/v1/accounts/verify_credentials"] = answer(json.dumps(me).encode())
        server.routes["/api/v2/instance"] = answer(b"{}")
        stdin = json.dumps({"instance": f"http://127.0.0.1:{server.port}", "accessToken": "tok-7"})
        where = ("mastodon", "--data-dir", str(data_dir))
        refused = await run("accounts", "add", *where, stdin=stdin)
        assert (refused.exit_code, server.requests) == (1, [])
        assert "SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS" in refused.stderr
        folder.state().model_copy(update={"private_account_hosts": f"x.test:443, 127.0.0.1:{server.port}"}).write(
            folder.state_file
        )
        result = await run("accounts", "add", *where, stdin=stdin)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["username"] == f"ann@127.0.0.1:{server.port}"
        assert len(server.requests) == 2
