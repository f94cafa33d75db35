"""The cost of reading: one statement for each request."""

import pytest

from tests.api.conftest import Client
from tests.stack import Stack
from tests.statements import Statement


async def test_a_post_is_read_by_one_statement(api: Client, stack: Stack, statements: list[Statement]) -> None:
    post = await stack.save("read by one statement", [stack.accounts["plain"], stack.accounts["instagram"]])
    statements.clear()
    answer = await api.get(f"/v1/posts/{post.id}")
    assert answer.json()["content"] == "read by one statement"
    # The key is looked up once a second, whatever the request.
    own = [statement for statement in statements if statement.concerns(post.id, stack.workspace_id)]
    assert [statement.verb for statement in own] == ["SELECT"]


@pytest.mark.parametrize("query", ["", "?limit=3"])
async def test_a_page_of_the_newest_posts_is_read_by_one_statement(
    api: Client, stack: Stack, statements: list[Statement], query: str
) -> None:
    for number in range(4):
        await stack.save(f"listed by one statement, {number}", [stack.accounts["plain"]])
    cursor = ""
    for _ in range(2):
        statements.clear()
        page = (await api.get(f"/v1/posts{query}{cursor}")).json()
        assert page["posts"]
        own = [statement for statement in statements if statement.concerns(stack.workspace_id)]
        assert [statement.verb for statement in own] == ["WITH"]
        if not page["hasMore"]:
            break
        cursor = f"{'&' if query else '?'}cursor={page['cursor']}"
