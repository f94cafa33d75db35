"""The first accounts of a stack: a platform that is not finished is named, and keeps no other from working."""

import pytest
from pydantic import SecretStr

from cli.data_dir import StackState
from cli.stack.seed import seed
from platforms.registry import platforms
from runtime.settings import VaultSettings
from sandbox.platforms.reddit import Reddit
from sandbox.server import running_sandbox
from sandbox.world import World
from store.secrets.vault import new_key
from tests.databases import new_database

KEY = new_key()
PINTEREST, REDDIT = platforms()["pinterest"], platforms()["reddit"]


class NeedsSite(PINTEREST.credentials):  # type: ignore[name-defined, misc]
    """Credentials with a field that the stack does not invent."""

    site: str


def _broken(fake: Reddit, world: World) -> None:
    raise ZeroDivisionError("no world")


async def seeded(database_url: str, state: StackState) -> set[str]:
    """Seed a stack whose sandbox starts now, and return the platforms of its accounts."""
    async with running_sandbox() as sandbox:
        settings = VaultSettings(
            _env_file=None,
            database_url=SecretStr(database_url),
            encryption_keys=[SecretStr(KEY)],
            sandbox_url=sandbox.url,
        )
        return {account.platform for account in await seed(settings, sandbox.url, state)}


async def test_unfinished_platforms_are_named_and_the_others_have_accounts(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Reddit, "__init__", _broken)
    monkeypatch.setattr(type(PINTEREST), "credentials", NeedsSite)
    names = await seeded(await new_database(postgres_url), StackState())
    assert names == platforms().keys() - {"pinterest", "reddit"}
    printed = capsys.readouterr().out
    assert "Pinterest is left out: Pinterest does not take these credentials: site is required (see docs" in printed
    assert "Reddit is left out: its fake does not start: ZeroDivisionError: no world" in printed


async def test_accounts_of_a_platform_that_broke_later_do_not_stop_the_stack(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database_url, state = await new_database(postgres_url), StackState()
    assert await seeded(database_url, state) == platforms().keys()
    monkeypatch.setattr(Reddit, "__init__", _broken)
    monkeypatch.setattr(type(PINTEREST), "credentials", NeedsSite)
    assert await seeded(database_url, state) == platforms().keys()
    printed = capsys.readouterr().out
    assert "Reddit is left out" in printed
    assert "Pinterest is left out: Pinterest does not take these credentials: site is required (see docs" in printed
