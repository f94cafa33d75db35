import json
import stat
import threading
import time
from pathlib import Path

import pytest

from cli.data_dir import DevAccount, DevFile, Folder, StackState, locked, write_private
from cli.errors import UserError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    new_folder = Folder(tmp_path / "deep" / "stack")
    new_folder.create()
    return new_folder


def test_the_folder_is_for_its_owner_only(folder: Folder) -> None:
    assert mode(folder.path) == 0o700
    assert mode(folder.logs) == 0o700


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be made: Not a directory"):
        Folder(tmp_path / "file" / "stack").create()


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old and longer")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert [child.name for child in tmp_path.iterdir()] == ["secret"]


def test_state_is_found_again(folder: Folder) -> None:
    state = folder.state()
    assert state.postgres_password != StackState().postgres_password
    state.api_key = "sk_1"
    state.write(folder.state_file)
    assert folder.state() == state
    assert mode(folder.state_file) == 0o600


def test_a_broken_state_is_one_sentence(folder: Folder) -> None:
    folder.state_file.write_text("{")
    with pytest.raises(UserError, match="cannot be read: remove"):
        folder.state()


def test_dev_json_has_the_documented_keys(folder: Folder) -> None:
    DevFile(
        api_url="http://127.0.0.1:1",
        api_key="sk_1",
        temporal_address="127.0.0.1:2",
        temporal_namespace="default",
        temporal_ui_url="http://127.0.0.1:3",
        sandbox_url="http://127.0.0.1:4",
        database_url="postgresql://a:b@127.0.0.1:5/c",
        accounts=[DevAccount(platform="twitter", account_id="tw_1", premium=True)],
    ).write(folder.dev_file)
    assert json.loads(folder.dev_file.read_text()) == {
        "apiUrl": "http://127.0.0.1:1",
        "apiKey": "sk_1",
        "temporalAddress": "127.0.0.1:2",
        "temporalNamespace": "default",
        "temporalUiUrl": "http://127.0.0.1:3",
        "sandboxUrl": "http://127.0.0.1:4",
        "databaseUrl": "postgresql://a:b@127.0.0.1:5/c",
        "accounts": [{"platform": "twitter", "accountId": "tw_1", "premium": True}],
    }
    assert mode(folder.dev_file) == 0o600
    assert folder.running().api_key == "sk_1"


def test_stopped_stack_is_reported_in_one_sentence(folder: Folder) -> None:
    with pytest.raises(UserError, match=r"No stack runs in .*: start it with `socialsyncer dev --data-dir"):
        folder.running()


def test_the_last_logs_are_kept(folder: Folder) -> None:
    for start in range(6):
        folder.rotate_logs()
        folder.log("api").write_text(str(start))
    assert {path.name: path.read_text() for path in folder.logs.iterdir()} == {
        "api.log": "5",
        "api.log.1": "4",
        "api.log.2": "3",
        "api.log.3": "2",
    }


def test_two_stacks_cannot_share_a_folder(folder: Folder) -> None:
    with locked(folder), pytest.raises(UserError, match="A stack already runs in"), locked(folder):
        pass
    with locked(folder):
        pass


def test_stopping_stack_is_awaited(folder: Folder) -> None:
    release = threading.Event()
    held = threading.Event()

    def stopping() -> None:
        with locked(folder) as lock:
            lock.write_holder(stopping=True)
            held.set()
            release.wait(5)

    thread = threading.Thread(target=stopping)
    thread.start()
    held.wait(5)
    threading.Timer(0.3, release.set).start()
    began = time.monotonic()
    with locked(folder):
        assert time.monotonic() - began > 0.2
    thread.join()
