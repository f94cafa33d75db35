"""The commands other than dev, run inside the test's process on the session's database, Temporal and sandbox."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from temporalio.testing import WorkflowEnvironment

from cli.data_dir import DevFile, Folder, State, write_private
from cli.main import main
from cli.stack.ports import free_port
from domain.ids import new_id
from platforms.registry import platforms
from store.accounts.connected import open_credentials
from store.models import Account
from store.secrets.vault import Vault, new_key
from store.workspaces.keys import workspace_of_key
from tests.media.hostile import HostileServer, answer
from tests.stack import Stack, new_database

Run = Callable[..., Awaitable[Result]]
VARIABLES = ("SOCIALSYNCER_DATABASE_URL", "SOCIALSYNCER_ENCRYPTION_KEYS", "SOCIALSYNCER_SANDBOX_URL")


async def run(*arguments: str, stdin: str | None = None) -> Result:
    """Run a command in a thread, where it can have an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, main, list(arguments), stdin)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def production(stack: Stack, temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Set the environment up as an operator does; platforms are the sandbox's."""
    keys = ",".join(key.get_secret_value() for key in stack.settings.encryption_keys)
    values = (stack.database_url.replace("+asyncpg", ""), keys, stack.sandbox_url)
    for name, value in zip(VARIABLES, values, strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.client.service_client.config.target_host)
    return stack


@pytest.fixture
def data_dir(stack: Stack, tmp_path: Path) -> Path:
    """Make the session's services look like a stack that `socialsyncer dev` runs."""
    folder = Folder(tmp_path / "data")
    folder.create()
    write_private(folder.key_file, stack.settings.encryption_keys[0].get_secret_value() + "\n")
    State(workspace_id=stack.workspace_id).write(folder.state_file)
    DevFile(
        api_url="http://127.0.0.1:1",
        api_key=stack.api_key,
        temporal_address="127.0.0.1:1",
        temporal_namespace="default",
        temporal_ui_url="http://127.0.0.1:1",
        sandbox_url=stack.sandbox_url,
        database_url=stack.database_url.replace("+asyncpg", ""),
        accounts=[],
    ).write(folder.dev_file)
    return folder.path


async def test_help_names_every_command() -> None:
    result = await run("--help")
    assert result.exit_code == 0
    for command in ("accounts", "api", "dev", "doctor", "keys", "migrate", "sandbox"):
        assert f"\n  {command} " in result.stdout
    for option in ("data-dir", "api-port", "temporal-port", "ui-port", "sandbox-port", "sandbox-url", "no-example"):
        assert f"--{option}" in (await run("dev", "--help")).stdout


async def test_secret_prints_a_key_the_vault_takes() -> None:
    result = await run("keys", "secret")
    assert len(result.stdout.strip()) == len(new_key())
    assert result.stdout.count("\n") == 1


async def test_missing_settings_are_named_without_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", "mysql://u:hunter2@h/d")
    result = await run("migrate")
    assert result.exit_code == 1
    assert "SOCIALSYNCER_DATABASE_URL: must start with postgresql://" in result.stderr
    assert "SOCIALSYNCER_ENCRYPTION_KEYS" not in result.stderr
    added = await run("accounts", "add", "twitter", "--workspace", "w", stdin="{}")
    assert "SOCIALSYNCER_ENCRYPTION_KEYS: Field required" in added.stderr
    assert "hunter2" not in result.output + added.output


async def test_keys_create_prints_the_key_alone(production: Stack) -> None:
    first, second = (
        await run("keys", "create", "--workspace", "acme"),
        await run("keys", "create", "--workspace", "acme"),
    )
    assert first.stderr.startswith("Workspace 'acme' is new: it was created.\nThis is the only time")
    assert re.fullmatch(r"This is the only time that the key is shown\. Its id is key_[0-9a-f]{32}\.\n", second.stderr)
    async with production.database.transaction() as session:
        found = {await workspace_of_key(session, result.stdout.rstrip("\n")) for result in (first, second)}
    assert len(found) == 1
    assert None not in found


async def test_keys_create_needs_a_valid_workspace(production: Stack) -> None:
    assert "Which workspace?" in (await run("keys", "create")).stderr
    assert "Which workspace?" in (await run("keys", "create", "--workspace", "")).stderr
    assert "There is no workspace ws_unknown." in (await run("keys", "create", "--workspace", "ws_unknown")).stderr


async def keys_of(workspace: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await run("keys", "list", "--workspace", workspace)).stdout.splitlines()]


async def test_keys_list_shows_everything_but_the_key(production: Stack) -> None:
    name = f"list {new_id('ws')}"
    key = (await run("keys", "create", "--workspace", name, "--name", "ci", "--expires-in-days", "30")).stdout.strip()
    result = await run("keys", "list", "--workspace", name)
    assert key not in result.output
    [shown] = await keys_of(name)
    assert shown["id"].startswith("key_")
    assert key.startswith(shown["prefix"])
    assert (len(shown["prefix"]), shown["name"], shown["workspace"]) == (9, "ci", name)
    assert (shown["lastUsedAt"], shown["revokedAt"]) == (None, None)
    made, ends = (datetime.fromisoformat(shown[when]) for when in ("createdAt", "expiresAt"))
    assert abs(ends - made - timedelta(days=30)) < timedelta(seconds=5)
    everybody = [json.loads(line) for line in (await run("keys", "list")).stdout.splitlines()]
    assert shown in everybody
    assert len(everybody) > 1


async def test_revoked_key_is_refused(production: Stack) -> None:
    name = f"revoke {new_id('ws')}"
    key = (await run("keys", "create", "--workspace", name)).stdout.strip()
    [before] = await keys_of(name)
    result = await run("keys", "revoke", before["id"])
    assert (result.exit_code, result.stdout) == (0, f"{before['id']} is revoked.\n")
    async with production.database.transaction() as session:
        assert await workspace_of_key(session, key) is None
    [after] = await keys_of(name)
    assert after["revokedAt"]
    assert (await run("keys", "revoke", before["id"])).exit_code == 0
    assert await keys_of(name) == [after]


async def test_revoking_an_invalid_key_id_repeats_nothing(production: Stack) -> None:
    result = await run("keys", "revoke", "sk_pasted_by_mistake")
    assert result.exit_code == 1
    assert "There is no key of this id." in result.stderr
    assert "pasted" not in result.output


async def test_reseal_counts_credentials_by_key(
    stack: Stack, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = new_key(), new_key()
    url = await new_database(postgres_url)
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", url.replace("+asyncpg", ""))
    monkeypatch.setenv("SOCIALSYNCER_SANDBOX_URL", stack.sandbox_url)
    credentials = json.dumps({"accessToken": "made-up"})
    for key in (old, new_key()):
        monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", key)
        await run("keys", "create", "--workspace", f"ws {key[:8]}")
        known = await stack.connect("twitter", accessToken=f"token-{key[:8]}")
        credentials = json.dumps({"accessToken": f"token-{key[:8]}"})
        added = await run("accounts", "add", "twitter", "--workspace", f"ws {key[:8]}", stdin=credentials)
        assert json.loads(added.stdout)["accountId"] == known.id
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", f"{new},{old}")
    result = await run("keys", "reseal")
    newest, older = (Vault([SecretStr(key)]).key_ids[0].hex() for key in (new, old))
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first == f"Sealed again: 1. Sealed under the newest key, {newest}: 1."
    assert "1; this key is not configured" in second
    assert older not in result.stdout
    assert not any(secret in result.output for secret in (old, new, "token-"))


async def test_reseal_reports_unneeded_keys(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", (await new_database(postgres_url)).replace("+asyncpg", ""))
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", f"{new_key()},{new_key()}")
    result = await run("keys", "reseal")
    assert result.exit_code == 0
    assert result.stdout.endswith("No credentials need an older key: it can be removed.\n")


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


@pytest.mark.parametrize("name", ["SOCIALSYNCER_PRIVATE_MEDIA_HOSTS", "SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS"])
async def test_a_private_host_without_a_port_is_refused_at_the_start(
    name: str, production: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "nas.lan:8443, localhost")
    result = await run("api")
    assert result.exit_code == 1
    assert f"{name}: 'localhost' is not host:port; write for example nas.lan:8443" in result.stderr


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


async def test_removing_an_account_names_what_waits_for_it_and_asks(production: Stack) -> None:
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
        ((502, "UpstreamFailure"), "The account is not connected: The Bluesky server had an error of its own."),
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
            said = json.dumps({"error": code, "message": "No."}).encode()
            server.routes["/xrpc/com.atproto.server.createSession"] = answer(said, status=f"{status} No")
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
        found: dict[str, Any] = json.loads(result.stdout)
        return found

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


async def test_stopped_stack_is_reported_in_one_sentence(tmp_path: Path) -> None:
    result = await run("keys", "create", "--data-dir", str(tmp_path / "none"))
    assert result.stderr.startswith(f"Error: No stack runs in {tmp_path / 'none'}: start it with `socialsyncer dev")


async def test_migrate_brings_database_and_temporal_up_to_date(production: Stack) -> None:
    result = await run("migrate")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "The database is up to date.",
        "Temporal's search attributes are there (none added).",
    ]


async def test_migrate_says_when_the_database_is_away(production: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d")
    result = await run("migrate")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database does not answer")
    assert "hunter2" not in result.output


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
