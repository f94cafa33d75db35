"""Ids sort by creation, workflow ids never collide, and API keys show a typing mistake."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.api_keys import SHOWN, is_key_text, new_key_text
from domain.ids import (
    first_id,
    is_post_id,
    last_id,
    made_at,
    new_id,
    new_workspace_id,
    next_workflow_id,
    workflow_id,
)
from domain.temporal_limits import LONGEST_ID


def test_a_new_key_has_one_word_and_a_checksum() -> None:
    key = new_key_text()
    assert len(key) == 3 + 43 + 6
    assert key.startswith("sk_")
    assert key.replace("_", "").isalnum()
    assert is_key_text(key)
    assert len(key[:SHOWN]) == 9
    assert new_key_text() != key


@pytest.mark.parametrize("place", [3, 20, 45, 46, 51])
def test_a_mistyped_key_is_seen(place: int) -> None:
    key = new_key_text()
    other = "a" if key[place] != "a" else "b"
    assert not is_key_text(key[:place] + other + key[place + 1 :])


def test_a_key_that_is_cut_off_or_has_more_is_seen() -> None:
    key = new_key_text()
    assert not is_key_text(key[:-1])
    assert not is_key_text(key + "a")
    assert not is_key_text("sk-" + key[3:])


def test_keys_of_version_0_1_stay_valid() -> None:
    assert is_key_text("sk_" + "aB0-_" * 8 + "abc")


keys = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)
workspaces = st.from_regex(r"ws_[0-9a-f]{12}", fullmatch=True)
generations = st.integers(min_value=1, max_value=10**6)


def test_text_order_is_creation_order() -> None:
    ids = [new_id("post") for _ in range(5000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_new_id_is_valid() -> None:
    assert is_post_id(new_id("post"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "post_",
        "post_abc123",
        "tgt_" + "0" * 32,
        "post_" + "0" * 31,
        "post_" + "0" * 33,
        "post_" + "G" * 32,
        "post_" + "0" * 32 + "\n",
        "post_" + "٣" * 32,
        "\0",
    ],
)
def test_invalid_ids_are_rejected(text: str) -> None:
    assert not is_post_id(text)


def test_workspace_ids_differ() -> None:
    assert new_workspace_id() != new_workspace_id()


def test_the_key_is_the_workflow_id_within_its_workspace() -> None:
    assert workflow_id("ws_1", "post_1", "7b0f") == "ws_1/7b0f"
    assert workflow_id("ws_1", "post_1", "7b0f", 2) == "ws_1~2/7b0f"
    assert workflow_id("ws_1", "post_1", None) == "post_1"


@given(workspaces, keys, generations)
def test_a_workflow_id_fits_into_temporals_tables(workspace: str, key: str, generation: int) -> None:
    assert len(workflow_id(workspace, "p", key, generation).encode()) <= LONGEST_ID


def test_a_long_key_is_read_at_the_beginning_of_its_workflow_id() -> None:
    first, other = (
        workflow_id("ws_1", "p", "order-4711-" + "x" * 244),
        workflow_id("ws_1", "p", "order-4711-" + "x" * 243),
    )
    assert first.startswith("ws_1+/order-4711-xxx")
    assert first != other


@given(workspaces, keys, generations)
def test_the_next_generation_of_an_id_is_that_of_its_key(workspace: str, key: str, generation: int) -> None:
    following = next_workflow_id(workflow_id(workspace, "p", key, generation))
    assert following == (workflow_id(workspace, "p", key, generation + 1), generation + 1)


@given(workspaces, keys, generations, workspaces, keys, generations)
def test_different_uses_of_keys_have_different_workflows(
    first: str, key: str, generation: int, other: str, other_key: str, other_generation: int
) -> None:
    assume((first, key, generation) != (other, other_key, other_generation))
    assert workflow_id(first, "p", key, generation) != workflow_id(other, "p", other_key, other_generation)


@given(workspaces, keys, generations)
def test_keys_cannot_imitate_post_ids(workspace: str, key: str, generation: int) -> None:
    assert not is_post_id(workflow_id(workspace, "p", key, generation))


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_boundary_id_separates_ids_by_time(moment: datetime) -> None:
    step = timedelta(milliseconds=1)
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    earlier, at, later = (
        f"post_{round(time.timestamp() * 1000):012x}7{'a' * 19}" for time in (whole - step, whole, whole + step)
    )
    is_whole = moment == whole
    assert (earlier < first_id("post", moment) <= at) if is_whole else (at < first_id("post", moment) <= later)
    assert at <= last_id("post", moment) < later


def test_id_contains_its_creation_time() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    assert before <= made_at(new_id("post")) <= datetime.now(UTC) + timedelta(milliseconds=1)
    assert first_id("post", datetime(1960, 1, 1, tzinfo=UTC)) == "post_" + "0" * 32
