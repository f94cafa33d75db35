"""The proof's tables and their page."""

from dataclasses import replace

from benchmarks.proof.cells import Cell, Crash, Fault, Mode
from benchmarks.proof.plans import PlansOutcome, PlanStrike
from benchmarks.proof.posts import Post
from benchmarks.proof.renewals import Interruption, Point, Renewal
from benchmarks.proof.report import (
    ends,
    failures,
    is_rightly_found,
    markdown,
    plans_section,
    renewals_section,
    right,
    table,
    totals,
    without_certainty,
)
from benchmarks.proof.verdict import Verdict, VerdictKind


def ended(kind: VerdictKind, status: str, public: int, crash: Crash = Crash.NONE) -> Post:
    post = Post(Cell("telegram", Mode.NOW, Fault.DROPPED, crash), "tg_1", status=status, public=public)
    post.verdict = Verdict(kind, "why")
    return post


POSTS = [
    ended(VerdictKind.RIGHT, "published", 1),
    ended(VerdictKind.RIGHT, "unconfirmed", 1, Crash.SENDING),
    ended(VerdictKind.DOUBLE, "published", 3, Crash.SENDING),
    ended(VerdictKind.MISSED, "published", 1, Crash.SENDING),
]


def test_the_table_of_ends_counts_what_is_public() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in ends(POSTS).splitlines()]
    assert rows[2:] == [["published", "0", "2", "1"], ["unconfirmed", "0", "1", "0"]]


def test_wrong_outcomes_are_listed_beside_right_ones() -> None:
    assert "| telegram | 1    | 1 1D 1? |" in table(POSTS)


def test_a_wrong_missed_or_missing_post_fails_the_proof() -> None:
    assert right(POSTS[:2])
    assert "proven." in totals(POSTS[:2])
    for posts in ([], POSTS[1:3], POSTS[3:]):
        assert not right(posts)
        assert "NOT proven" in totals(posts)
    assert len(failures(POSTS)) == 2


def test_only_correctly_unconfirmed_posts_are_uncertain() -> None:
    posts = [replace(post, post_id=str(number)) for number, post in enumerate(POSTS)]
    assert without_certainty(posts) == {"1"}
    assert without_certainty([replace(posts[1], verdict=Verdict(VerdictKind.MISSED))]) == {"1"}
    assert without_certainty([replace(posts[1], verdict=Verdict(VerdictKind.UNEXPECTED))]) == set()


def test_doctor_may_report_unknown_posts_and_restore_effects() -> None:
    posts = [replace(POSTS[1], post_id="1"), replace(ended(VerdictKind.RIGHT, "published", 1), post_id="2")]
    assert is_rightly_found({"kind": "public_unknown", "postId": "1"}, posts)
    assert not is_rightly_found({"kind": "public_unknown", "postId": "2"}, posts)
    assert not is_rightly_found({"kind": "row_gone"}, posts)
    assert not is_rightly_found({"kind": "row_ahead", "postId": "2"}, posts)
    put_back = [replace(ended(VerdictKind.RIGHT, "published", 1, Crash.RESTORED_TEMPORAL), post_id="3")]
    assert is_rightly_found({"kind": "row_ahead", "postId": "3"}, [*posts, *put_back])
    assert not is_rightly_found({"kind": "row_ahead", "postId": "2"}, [*posts, *put_back])
    assert is_rightly_found({"kind": "row_gone"}, [ended(VerdictKind.RIGHT, "published", 1, Crash.FAILOVER)])


def test_doctor_findings_fail_the_proof() -> None:
    assert "NOT proven" in totals(POSTS[:2], ["double: post_1"])


def test_renewals_are_counted_by_point_and_losses_named() -> None:
    renewals = [
        Renewal("twitter", "tw_1", Point.SENT, Interruption.KILLED, ""),
        Renewal("twitter", "tw_2", Point.STORED, Interruption.KILLED, ""),
        Renewal("tiktok", "tt_1", Point.STORED, Interruption.KILLED, "a used token came again"),
        Renewal("tiktok", "tt_2", Point.STORED, Interruption.FROZEN_20, ""),
    ]
    section = renewals_section(renewals)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.table.splitlines()]
    assert rows[0] == ["renewals", "sent", "stored"]
    assert rows[2:] == [["killed", "1 named", "1 1L"], ["frozen 20 s", "-", "1"]]
    assert "connections lost 1 (L); 1 that" in section.total
    assert [failure for failure in section.failures if "tt_1 killed at stored" in failure]
    assert "connections lost 1" in markdown(POSTS[:2], [], 600, "", [section])


def test_page_of_a_run_has_its_time_and_verdict() -> None:
    page = markdown(POSTS[:2], [], 600, "--short")
    assert page.startswith("# Tables of the proof\n\n*For people who judge the service.*\n")
    assert "benchmarks.proof --short`" in page
    assert "10 minutes" in page
    assert "Never twice, never lost: proven.\n" in page


def test_plans_are_counted_by_what_was_struck() -> None:
    outcomes = [
        PlansOutcome(PlanStrike.WORKER, 43),
        PlansOutcome(PlanStrike.ALL, 42, ["mastodon post_x is public 2 times"]),
    ]
    _, _, row = plans_section(outcomes).table.splitlines()
    assert [cell.strip() for cell in row.strip("|").split("|")] == ["right", "43", "42 1P"]
    assert plans_section(outcomes).total.startswith("85 posts")
    assert plans_section(outcomes).failures == ["plans, all at once: mastodon post_x is public 2 times"]
