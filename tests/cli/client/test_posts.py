"""`socialsyncer post` as a person at a terminal, and as a script, uses it."""

import json

from tests.cli.client.conftest import Terminal
from tests.stack import Stack


def account(stack: Stack, platform: str = "twitter") -> tuple[str, str]:
    return "--account", f"{platform}/{stack.accounts[platform].id}"


async def test_a_post_is_created_changed_and_deleted(terminal: Terminal, stack: Stack) -> None:
    text = "Scheduled from a terminal"
    fields = (*account(stack), "--at", "2030-12-09T09:00", "--timezone", "Europe/Berlin", "--tag", "terminal-list")
    checked = await terminal.run("post", "create", text, *fields, "--dry-run")
    assert (checked.exit_code, checked.output) == (0, "The post can be created.\n")
    created = await terminal.run("post", "create", text, *fields, "--json")
    assert created.exit_code == 0, created.output
    post = json.loads(created.output)
    assert (post["status"], post["scheduledFor"]) == ("scheduled", "2030-12-09T08:00:00Z")
    listed = await terminal.run("post", "list", "--tag", "terminal-list", "--status", "scheduled", "--status", "draft")
    header, row = listed.output.splitlines()
    assert header.split() == ["id", "status", "time", "platforms", "content"]
    assert row.split()[:5] == [post["id"], "scheduled", "2030-12-09T09:00:00", "Europe/Berlin", "twitter"]
    shown = await terminal.run("post", "get", post["id"])
    assert shown.output.splitlines()[0] == f"{post['id']}  scheduled  2030-12-09T09:00:00 Europe/Berlin"
    waited_for = await terminal.run("post", "wait", post["id"], "--timeout", "0")
    assert waited_for.exit_code == 5, waited_for.output
    unasked = await terminal.run("post", "delete", post["id"])
    assert (unasked.exit_code, "Nothing was deleted. Add --yes to delete it." in unasked.output) == (1, True)
    deleted = await terminal.run("post", "delete", post["id"], "--yes")
    assert (deleted.exit_code, deleted.output) == (0, f"{post['id']} is deleted.\n")
    gone = await terminal.run("post", "get", post["id"], "--json")
    assert (gone.exit_code, json.loads(gone.stderr)["code"]) == (1, "not_found")


async def test_a_post_is_published_after_a_yes_and_once_for_a_key(terminal: Terminal, stack: Stack) -> None:
    command = ("post", "create", "-", *account(stack), "--now", "--idempotency-key", "terminal-once")
    unasked = await terminal.run(*command, stdin="Published from a terminal")
    assert (unasked.exit_code, "Nothing was published. Add --yes" in unasked.output) == (1, True)
    for _ in range(2):
        published = await terminal.run(*command, "--yes", stdin="Published from a terminal")
        assert published.exit_code == 0, published.output
        assert "  published  https://" in published.output
    assert len(await stack.public("Published from a terminal")) == 1
    waited_for = await terminal.run("post", "wait", published.output.split()[0])
    assert waited_for.exit_code == 0, waited_for.output


async def test_a_post_that_is_not_public_everywhere_has_an_exit_code_and_is_retried(
    terminal: Terminal, stack: Stack
) -> None:
    await stack.fault("twitter", "reject", "publish")
    refused = await terminal.run(
        "post", "create", "Refused from a terminal", *account(stack), "--now", "--yes", "--json"
    )
    assert refused.exit_code == 4, refused.output
    post_id = json.loads(refused.output)["id"]
    shown = await terminal.run("post", "get", post_id)
    assert "  failed\n    " in shown.output, shown.output
    assert "(platform_refused)" in shown.output
    retried = await terminal.run("post", "retry", post_id, *account(stack))
    assert (retried.exit_code, "  published  https://" in retried.output) == (0, True), retried.output
    again = await terminal.run("post", "retry", post_id)
    assert (again.exit_code, "(nothing_to_retry)" in again.output) == (1, True), again.output


async def test_wrong_fields_are_refused_in_plain_words(terminal: Terminal, stack: Stack) -> None:
    cases = {
        ("x",): "one of --now, --at TIME and --draft",
        ("x", "--draft", "--now"): "one of --now, --at TIME and --draft",
        ("x", "--draft", "--account", "tw_456"): "PLATFORM/ID",
        ("x", "--draft", "--media", "https://example.com/a"): "put it in front, as in image:https://example.com/a",
        ("x", "--body", "a.json"): "Give either --body or the fields",
        ("--body", "a.json"): "a.json cannot be read",
        ("x", "--now", "--yes", "--account", "twitter/nowhere"): "(account_not_found)",
        ("x", "--at", "tomorrow", "--account", "twitter/a"): "scheduledFor: ",
    }
    for arguments, sentence in cases.items():
        refused = await terminal.run("post", "create", *arguments)
        assert refused.exit_code == 1, (arguments, refused.output)
        assert sentence in refused.output, (arguments, refused.output)
    checked = await terminal.run("post", "create", "x", "--now", "--dry-run", "--account", "twitter/nowhere")
    assert (checked.exit_code, "The post would be refused:" in checked.output) == (1, True), checked.output


async def test_a_post_is_taken_from_a_file(terminal: Terminal, stack: Stack) -> None:
    body = {"content": "From a file", "isDraft": True, "tags": ["terminal-file"]}
    created = await terminal.run("post", "create", "--body", "-", stdin=json.dumps(body))
    assert (created.exit_code, "  draft  no time" in created.output) == (0, True), created.output
    waited_for = await terminal.run("post", "wait", created.output.split()[0])
    assert (waited_for.exit_code, "is a draft" in waited_for.output) == (1, True), waited_for.output


async def test_an_api_that_is_not_there_has_an_exit_code_of_its_own(terminal: Terminal, monkeypatch: object) -> None:
    terminal.environment["SOCIALSYNCER_API_URL"] = "http://127.0.0.1:1"
    result = await terminal.run("post", "get", "post_1")
    assert (result.exit_code, "The API does not answer" in result.output) == (3, True)
    assert "sk_" not in result.output
