"""The proof's verdicts: every kind of error is detected; if a platform allows no certainty, that is no error."""

from datetime import timedelta
from typing import Any

import pytest

from benchmarks.proof.cells import Cell, Crash, Fault, Mode
from benchmarks.proof.verdict import Facts, VerdictKind, evaluate, public_posts

PUBLIC = [("1", "text")]


def cell(
    platform: str = "twitter", mode: Mode = Mode.NOW, fault: Fault = Fault.NONE, crash: Crash = Crash.NONE
) -> Cell:
    return Cell(platform, mode, fault, crash)


def seen(status: str = "published", public: list[tuple[str, str]] | None = None, **more: Any) -> Facts:
    facts = {"platform_post_id": "1", "content": "text", "crashes": frozenset(), **more}
    return Facts(status=status, public=PUBLIC if public is None else public, **facts)


def test_one_public_published_post_is_right() -> None:
    assert evaluate(cell(), seen()).kind is VerdictKind.RIGHT


@pytest.mark.parametrize("status", ["published", "failed", "unconfirmed", "held"])
def test_two_public_posts_are_a_double(status: str) -> None:
    assert evaluate(cell(), seen(status, [("1", "text"), ("2", "text")])).kind is VerdictKind.DOUBLE


def test_a_temporary_duplicate_is_a_duplicate() -> None:
    facts = seen(waited_as="unconfirmed", shown_while_waiting=2)
    assert evaluate(cell("facebook", fault=Fault.EXPIRED), facts).kind is VerdictKind.DOUBLE


def test_target_failed_by_a_crash_is_lost() -> None:
    assert evaluate(cell(crash=Crash.SENDING), seen("failed", [], category="internal")).kind is VerdictKind.LOST


@pytest.mark.parametrize(("minutes", "kind"), [(7, VerdictKind.UNEXPECTED), (9, VerdictKind.RIGHT)])
def test_linkedin_may_rest_unconfirmed_once_a_repeat_comes_too_late(minutes: int, kind: VerdictKind) -> None:
    facts = seen("unconfirmed", [], tried_for=timedelta(minutes=minutes))
    assert evaluate(cell("linkedin", fault=Fault.DOWN), facts).kind is kind
    assert evaluate(cell("linkedin", fault=Fault.LIMITED), facts).kind is VerdictKind.UNEXPECTED


@pytest.mark.parametrize("status", ["publishing", "pending", "scheduled"])
def test_unsettled_post_at_the_end_is_lost(status: str) -> None:
    assert evaluate(cell(crash=Crash.TEMPORAL), seen(status, [], settled=False)).kind is VerdictKind.LOST


@pytest.mark.parametrize("status", ["failed", "held", "pending"])
def test_a_public_post_must_be_called_published(status: str) -> None:
    assert evaluate(cell(fault=Fault.REFUSED), seen(status)).kind is VerdictKind.DISAGREES


def test_a_published_post_must_be_public_under_its_id() -> None:
    assert evaluate(cell(), seen(public=[])).kind is VerdictKind.DISAGREES
    assert evaluate(cell(), seen(public=[("2", "text")])).kind is VerdictKind.DISAGREES


def test_a_definite_refusal_must_end_failed_and_anything_else_published() -> None:
    assert evaluate(cell(fault=Fault.REFUSED), seen("failed", [])).kind is VerdictKind.RIGHT
    assert evaluate(cell(fault=Fault.REFUSED), seen()).kind is VerdictKind.UNEXPECTED
    assert (
        evaluate(cell(fault=Fault.LIMITED), seen("failed", [], category="rate_limited")).kind is VerdictKind.UNEXPECTED
    )


@pytest.mark.parametrize("platform", ["telegram", "discord-webhook"])
def test_lost_answer_may_stay_unconfirmed_on_unreadable_platforms(platform: str) -> None:
    assert evaluate(cell(platform, fault=Fault.DROPPED), seen("unconfirmed")).kind is VerdictKind.RIGHT
    assert evaluate(cell(platform, fault=Fault.DROPPED), seen("unconfirmed", [])).kind is VerdictKind.LOST
    assert evaluate(cell(platform, fault=Fault.DOWN), seen("unconfirmed", [])).kind is VerdictKind.RIGHT
    facts = seen("unconfirmed", [], crashes=frozenset({Crash.SENDING}))
    assert evaluate(cell(platform, crash=Crash.SENDING), facts).kind is VerdictKind.RIGHT


def test_unconfirmed_is_wrong_if_the_platform_can_be_read() -> None:
    assert evaluate(cell("telegram"), seen("unconfirmed")).kind is VerdictKind.UNEXPECTED
    facts = seen("unconfirmed", crashes=frozenset({Crash.BEFORE}))
    assert evaluate(cell("telegram", crash=Crash.BEFORE), facts).kind is VerdictKind.UNEXPECTED
    assert evaluate(cell("mastodon", fault=Fault.DROPPED), seen("unconfirmed")).kind is VerdictKind.UNEXPECTED


def test_public_post_must_be_found_if_only_absence_is_uncertain() -> None:
    assert evaluate(cell("tiktok", fault=Fault.DOWN), seen("unconfirmed", [])).kind is VerdictKind.RIGHT
    assert evaluate(cell("tiktok", fault=Fault.DROPPED), seen("unconfirmed")).kind is VerdictKind.UNEXPECTED


def test_an_account_that_needs_its_owner_must_have_held_the_post() -> None:
    expired = cell("facebook", fault=Fault.EXPIRED)
    assert evaluate(expired, seen(waited_as="held")).kind is VerdictKind.RIGHT
    assert evaluate(expired, seen()).kind is VerdictKind.UNEXPECTED
    assert evaluate(expired, seen(waited_as="unconfirmed")).kind is VerdictKind.UNEXPECTED
    assert evaluate(expired, seen("failed", [], waited_as="held", category="auth")).kind is VerdictKind.UNEXPECTED
    assert evaluate(expired, seen(waited_as="held", shown_while_waiting=1)).kind is VerdictKind.DISAGREES
    assert evaluate(expired, seen("held", [], waited_as="held", settled=False)).kind is VerdictKind.LOST


def test_an_account_that_renews_its_token_holds_nothing() -> None:
    assert evaluate(cell("linkedin", fault=Fault.EXPIRED), seen()).kind is VerdictKind.RIGHT
    assert evaluate(cell("linkedin", fault=Fault.EXPIRED), seen("held", [])).kind is VerdictKind.UNEXPECTED


def test_an_edit_must_match_in_row_and_platform() -> None:
    edit = cell(mode=Mode.EDIT)
    assert evaluate(edit, seen(public=[("1", "new")], content="new"), "new").kind is VerdictKind.RIGHT
    assert evaluate(edit, seen(public=[("1", "new")], content="old"), "new").kind is VerdictKind.DISAGREES
    assert evaluate(edit, seen(public=[("1", "old")], content="old"), "new").kind is VerdictKind.UNEXPECTED
    refused = cell(mode=Mode.EDIT, fault=Fault.REFUSED)
    assert evaluate(refused, seen(public=[("1", "old")], content="old"), "new").kind is VerdictKind.RIGHT
    assert evaluate(refused, seen(public=[("1", "new")], content="new"), "new").kind is VerdictKind.UNEXPECTED


def test_changed_post_is_published_as_changed() -> None:
    changed = cell(mode=Mode.CHANGED)
    assert evaluate(changed, seen(public=[("1", "new")], content="new"), "new").kind is VerdictKind.RIGHT
    assert evaluate(changed, seen(public=[("1", "old")], content="new"), "new").kind is VerdictKind.UNEXPECTED
    assert evaluate(changed, seen(public=[("1", "old")], content="old"), "new").kind is VerdictKind.UNEXPECTED
    refused = cell(mode=Mode.CHANGED, fault=Fault.REFUSED)
    assert evaluate(refused, seen("failed", [], content="new"), "new").kind is VerdictKind.RIGHT
    assert evaluate(refused, seen("failed", [], content="old"), "new").kind is VerdictKind.UNEXPECTED


def test_missed_crash_proves_nothing_and_hides_nothing() -> None:
    missed = cell(crash=Crash.SENDING)
    assert evaluate(missed, seen(struck=False)).kind is VerdictKind.MISSED
    assert evaluate(missed, seen("failed", [], struck=False, category="internal")).kind is VerdictKind.LOST


def test_deleted_and_replaced_posts_are_not_public() -> None:
    post = {"platformPostId": "1", "text": "a mark b", "deleted": False, "supersededBy": None}
    shown = [post, post | {"deleted": True}, post | {"supersededBy": "1"}, post | {"text": "another"}]
    assert public_posts("mark", shown) == [("1", "a mark b")]


def test_a_post_public_before_its_time_is_early() -> None:
    assert evaluate(cell(mode=Mode.SCHEDULED), seen(early=True)).kind is VerdictKind.EARLY


def test_lost_rows_leave_doubt_only_without_text_search() -> None:
    for crash in (Crash.FAILOVER, Crash.RESTORED_POSTGRES, Crash.RESTORED_BOTH):
        facts = seen("unconfirmed", crashes=frozenset({crash}))
        assert evaluate(cell("mastodon", crash=crash), facts).kind is VerdictKind.RIGHT
        assert evaluate(cell("twitter", crash=crash), facts).kind is VerdictKind.UNEXPECTED
        gone = seen("unconfirmed", [], crashes=frozenset({crash}))
        assert evaluate(cell("mastodon", crash=crash), gone).kind is VerdictKind.LOST
    older = seen("unconfirmed", crashes=frozenset({Crash.RESTORED_TEMPORAL}))
    assert evaluate(cell("mastodon", crash=Crash.RESTORED_TEMPORAL), older).kind is VerdictKind.UNEXPECTED
