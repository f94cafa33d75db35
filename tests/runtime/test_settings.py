"""The settings that each part reads, and their sources."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from runtime.settings import MigrateSettings, Settings, SettingsError, VaultSettings, read_settings
from store.roles import Component
from store.secrets.secret_values import SECRETS
from store.secrets.vault import new_key

URL = "postgresql://u:hunter2@127.0.0.1/d"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Change to an empty folder, with no setting in the environment."""
    for name in os.environ:
        if name.startswith("SOCIALSYNCER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_api_ignores_encryption_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key()
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", URL)
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", key)
    assert key not in repr(vars(read_settings(Settings)))
    assert [secret.get_secret_value() for secret in read_settings(VaultSettings).encryption_keys] == [key]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [(None, "Field required"), ("", "at least 1 item"), ("hunter2", ""), ("aHVudGVyMg==", "32 bytes")],
)
def test_an_invalid_vault_key_is_reported_at_start(
    monkeypatch: pytest.MonkeyPatch, keys: str | None, problem: str
) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", URL)
    if keys is not None:
        monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", keys)
    with pytest.raises(SettingsError, match=rf"SOCIALSYNCER_ENCRYPTION_KEYS: .*{problem}") as error:
        read_settings(VaultSettings)
    assert "hunter2" not in str(error.value)


def test_a_worker_does_not_start_without_the_keys(folder: Path) -> None:
    environment = {**os.environ, "SOCIALSYNCER_DATABASE_URL": URL}
    command = [sys.executable, "-P", "-m", "worker"]
    ended = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert "SOCIALSYNCER_ENCRYPTION_KEYS: Field required" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stderr


class TestLimits:
    @pytest.mark.parametrize(
        ("values", "requests", "posts"),
        [
            ({}, (600, 600), 6_000),
            ({"REQUESTS_PER_MINUTE": "90", "POSTS_PER_MINUTE": "0"}, (90, 90), 0),
            # Of version 0.1: a second, and at once.
            ({"API_RATE": "2.5"}, (150, 1_000), 6_000),
            ({"API_BURST": "20"}, (6_000, 20), 6_000),
            ({"API_RATE": "0"}, (0, 1_000), 0),
            ({"API_RATE": "0", "POSTS_PER_MINUTE": "50"}, (0, 1_000), 50),
            ({"API_RATE": "5", "API_BURST": "7", "REQUESTS_PER_MINUTE": "600"}, (600, 600), 6_000),
        ],
        ids=["default", "new", "old rate", "old burst", "old 0", "old 0 and posts", "both"],
    )
    def test_old_names_keep_their_meaning(
        self, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], requests: tuple[int, int], posts: int
    ) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"SOCIALSYNCER_{name}", value)
        settings = read_settings(Settings, database_url=URL)
        assert (settings.requests_policy.limit, settings.requests_policy.burst) == requests
        assert settings.posts_policy.limit == posts
        assert settings.has_old_limits == any(name.startswith("API_") for name in values)


class TestRoles:
    def test_role_passwords_are_read(self) -> None:
        roles = read_settings(
            MigrateSettings,
            database_url=URL,
            api_role="a",
            api_role_password=SecretStr("long-enough"),
            worker_role="w",
            worker_role_password=SecretStr(""),
        ).roles
        assert [(role.component, role.name, role.password) for role in roles] == [
            (Component.API, "a", "long-enough"),
            (Component.WORKER, "w", None),
        ]

    def test_roles_are_optional(self) -> None:
        assert read_settings(MigrateSettings, database_url=URL, api_role="", worker_role="").roles == []

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            ({"api_role": "same", "worker_role": "same"}, "must be two roles"),
            ({"api_role_password": "hunter2-hunter2"}, "SOCIALSYNCER_API_ROLE is not"),
            ({"api_role": "a", "api_role_password": "hunter2"}, "8 to 128"),
            ({"worker_role": "Robert'); DROP"}, "lower-case letters"),
        ],
    )
    def test_invalid_roles_are_reported_without_password(self, values: dict[str, str], problem: str) -> None:
        with pytest.raises(SettingsError, match=problem) as error:
            read_settings(MigrateSettings, database_url=URL, **values)
        assert "hunter2" not in str(error.value)


class TestEnvFile:
    def test_it_is_read_from_the_working_directory(self, folder: Path) -> None:
        (folder / ".env").write_text(f"SOCIALSYNCER_DATABASE_URL={URL}\nSOCIALSYNCER_LOG_LEVEL=error\nOTHER=1\n")
        assert read_settings(Settings).log_level == "error"

    def test_the_environment_wins(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / ".env").write_text(f"SOCIALSYNCER_DATABASE_URL={URL}\nSOCIALSYNCER_LOG_LEVEL=error\n")
        monkeypatch.setenv("SOCIALSYNCER_LOG_LEVEL", "warning")
        assert read_settings(Settings).log_level == "warning"

    @pytest.mark.parametrize("mode", [0o777, 0o1777, 0o703])
    def test_it_is_not_read_from_a_folder_that_everybody_may_write_to(self, folder: Path, mode: int) -> None:
        (folder / ".env").write_text(f"SOCIALSYNCER_DATABASE_URL={URL}\n")
        folder.chmod(mode)
        with pytest.raises(SettingsError, match=r"is not read: every user of this machine may write"):
            read_settings(Settings)

    def test_it_is_not_read_if_everybody_may_write_to_it(self, folder: Path) -> None:
        (folder / ".env").write_text(f"SOCIALSYNCER_DATABASE_URL={URL}\n")
        (folder / ".env").chmod(0o666)
        with pytest.raises(SettingsError, match=r"is not read"):
            read_settings(Settings)

    def test_a_folder_that_everybody_may_write_to_is_fine_without_it(self, folder: Path) -> None:
        folder.chmod(0o1777)
        assert read_settings(Settings, database_url=URL).log_level == "info"


class TestSecretFiles:
    def test_a_secret_may_be_a_file(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("runtime.settings._SECRET_FILES", folder)
        key = new_key()
        (folder / "socialsyncer_database_url").write_text(URL)
        (folder / "socialsyncer_encryption_keys").write_text(f"{key}\n")
        assert [secret.get_secret_value() for secret in read_settings(VaultSettings).encryption_keys] == [key]

    def test_the_environment_wins(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("runtime.settings._SECRET_FILES", folder)
        (folder / "socialsyncer_database_url").write_text("postgresql://other@127.0.0.1/d")
        monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", URL)
        assert "hunter2" in read_settings(Settings).database_url.get_secret_value()


def test_apps_are_read_by_the_worker_alone_and_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", URL)
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", new_key())
    monkeypatch.setenv("SOCIALSYNCER_APPS", '{"twitter": {"clientId": "an-id", "clientSecret": "app-secret-1"}}')
    assert "app-secret-1" not in repr(vars(read_settings(Settings)))
    settings = read_settings(VaultSettings)
    assert "app-secret-1" not in repr(settings)
    assert SECRETS.mask("clientSecret app-secret-1") == "clientSecret ***"


def test_invalid_apps_are_reported_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", URL)
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", new_key())
    monkeypatch.setenv("SOCIALSYNCER_APPS", '{"twitter": {"clientId": "x", "secret": "app-secret-1"}}')
    with pytest.raises(SettingsError, match="SOCIALSYNCER_APPS: twitter: unknown field 'secret'") as error:
        read_settings(VaultSettings)
    assert "app-secret-1" not in str(error.value)
