"""The limits of an account's own server apply when a post is created."""

from store.accounts.connected import save_account
from store.secrets.vault import Vault
from tests.api.conftest import Client
from tests.stack import Stack


async def test_text_limit_is_that_of_the_accounts_server(stack: Stack, api: Client) -> None:
    for limit, status in ((600, 201), (100, 422)):
        async with stack.database.transaction() as session:
            account = await save_account(
                session,
                Vault(stack.settings.encryption_keys),
                workspace_id=stack.workspace_id,
                account_id=f"ma_{limit}",
                platform="mastodon",
                user_id=str(limit),
                username="someone",
                premium=False,
                credentials={"access_token": "token", "instance": "https://social.example"},
                limits={"characters": limit},
            )
        body = {"content": "x" * 550, "platforms": [{"platform": "mastodon", "accountId": account.id}]}
        answer = await api.send_post({**body, "scheduledFor": "2027-02-01T14:00:00Z"})
        assert answer.status_code == status
    assert answer.json()["error"] == "Mastodon allows 100 characters; this has 550"
