"""`socialsyncer resolve` as an operator runs it, for one target and for many."""

import csv
import io
from pathlib import Path

import pytest

from cli.decisions import LARGEST_FILE, MOST_ENTRIES
from store.models import Post
from tests.cli.commands import bare, production, run
from tests.stack import Stack
from tests.workspaces import new_workspace

__all__ = ["bare", "production"]
pytestmark = pytest.mark.usefixtures("early_confirm", "production")

TELEGRAM_ID = "platformPostId must be the message's number in its chat, digits alone, or the address of the post."


async def lost(stack: Stack, text: str, count: int = 1) -> list[Post]:
    """Publish to a platform whose posts cannot be read back, and lose each response."""
    account = stack.accounts["telegram"] = await stack.connect("telegram")
    posts = []
    for number in range(count):
        await stack.fault("telegram", "accept_then_drop", "publish")
        posts.append(await stack.publish(f"{text} {number}", [account]))
        assert posts[-1].targets[0].status == "unconfirmed"
    return posts


async def test_one_target_is_settled_and_retried(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        seen, unseen = await lost(own, "one of two", 2)
        address = f"https://t.me/{own.accounts['telegram'].username}/4711"
        resolved = await run("resolve", seen.id, "telegram", "published", address)
        assert (resolved.exit_code, resolved.stdout.splitlines()) == (
            0,
            ["1 target to settle: 1 published, 0 not published.", "1 target settled."],
        )
        (target,) = (await own.read(seen.id)).targets
        assert (target.status, target.platform_post_id) == ("published", "4711")
        handle = own.client.get_workflow_handle(seen.workflow_id)
        assert (await handle.query("status"))["status"] == "published"
        assert (await run("resolve", unseen.id, "telegram", "not-published", "--retry")).exit_code == 0
        assert (await own.settled(unseen.id)).status == "published"
        late = await run("resolve", unseen.id, "telegram", "not-published")
        assert f"{unseen.id} on telegram: it is published and waits for no decision." in late.stdout
        assert (late.exit_code, late.stderr) == (1, "Error: Nothing was changed.\n")
        assert (await own.read(unseen.id)).status == "published"


@pytest.mark.thorough
async def test_csv_of_waiting_settles_many_targets(stack: Stack, tmp_path: Path) -> None:
    async with new_workspace(stack) as own:
        posts = await lost(own, "one of many", 4)
        printed = await run("waiting", "--for", "person", "--workspace", own.workspace_id, "--csv")
        lines = list(csv.DictReader(io.StringIO(printed.stdout)))
        assert {line["postId"] for line in lines} == {post.id for post in posts}
        for line, outcome, platform_post_id in zip(
            lines, ["published", "not_published", "published", ""], ["7", "", "", ""], strict=True
        ):
            line["outcome"], line["platformPostId"] = outcome, platform_post_id
        file = tmp_path / "decided.csv"
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)

        async def statuses() -> list[str]:
            return [(await own.read(line["postId"])).targets[0].status for line in lines]

        preview = ["3 targets to settle: 2 published, 1 not published.", "1 line without an outcome, left for later."]
        dry = await run("resolve", "--from", str(file), "--dry-run")
        assert (dry.exit_code, dry.stdout.splitlines()) == (0, preview)
        unasked = await run("resolve", "--from", str(file))
        assert (unasked.exit_code, "Add --yes" in unasked.stderr) == (1, True)
        assert await statuses() == ["unconfirmed"] * 4
        done = await run("resolve", "--from", str(file), "--yes")
        assert done.stdout.splitlines() == [*preview, "3 targets settled."]
        assert await statuses() == ["published", "failed", "published", "unconfirmed"]
        assert (await own.read(lines[0]["postId"])).targets[0].platform_post_id == "7"
        again = await run("resolve", "--from", str(file), "--yes")
        assert (again.exit_code, again.stdout.splitlines()[1]) == (0, "3 targets settled so already.")
        assert again.stdout.splitlines()[-1] == "0 targets settled."


async def test_invalid_lines_are_named_and_change_nothing(stack: Stack, tmp_path: Path) -> None:
    async with new_workspace(stack) as own:
        (post,) = await lost(own, "beside bad lines")
        file = tmp_path / "bad.csv"

        async def refused(*lines: str) -> list[str]:
            file.write_text("\n".join(["postId,platform,outcome,platformPostId", *lines]))
            outcome = await run("resolve", "--from", str(file), "--yes")
            assert (outcome.exit_code, (await own.read(post.id)).targets[0].status) == (1, "unconfirmed")
            return outcome.stderr.splitlines()

        good = f"{post.id},telegram,published,"
        assert await refused(good, f"{post.id},telegram,seen,", ",telegram,published,") == [
            "Error: Nothing was changed.",
            "line 3: 'seen' is no outcome; it must be published or not_published.",
            "line 4: postId and platform must be given.",
        ]
        account = post.targets[0].account_id
        assert await refused(
            good, good, "post_nobody,x,published,", f"{post.id},x,published,", f"{post.id},telegram,published,§"
        ) == [
            "Error: Nothing was changed.",
            "line 3: line 2 decides the same target.",
            "line 4: there is no post post_nobody.",
            f"line 5: {post.id} has no such target; it has telegram {account}.",
            f"line 6: {TELEGRAM_ID}",
        ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"post,platform\n", "the first line must name the columns; missing: postId, outcome."),
        (b"", "the first line must name the columns; missing: postId, platform, outcome."),
        (b"\xff\xfe", "is not UTF-8."),
        (b"postId,platform,outcome\n" + b"a,b,published\n" * (MOST_ENTRIES + 1), "has more than 10,000 lines."),
        (b"a" * (LARGEST_FILE + 1), "is larger than 4 MiB."),
        (b'postId,platform,outcome\n"a,b,published\n', "line 2: unexpected end of data"),
    ],
)
async def test_an_invalid_file_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "odd.csv"
    file.write_bytes(content)
    refused = await run("resolve", "--from", str(file), "--yes")
    assert (refused.exit_code, sentence in refused.stderr) == (1, True), refused.stderr
    assert (await run("resolve", "--from", str(tmp_path / "none.csv"))).stderr.endswith("No such file or directory.\n")


async def test_incomplete_decisions_are_refused() -> None:
    assert (await run("resolve", "post_1", "telegram")).exit_code == 1
    assert (await run("resolve", "post_1", "telegram", "published", "--from", "x.csv")).exit_code == 1
