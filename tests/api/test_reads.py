"""What reading costs: one statement, whatever is read."""

from collections.abc import Iterator

import pytest

from tests.api.conftest import Client
from tests.stack import Stack
from tests.statements import Statement, noting_statements


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Statement]]:
    with noting_statements(monkeypatch) as noted:
        yield noted


async def test_a_post_is_read_by_one_statement(api: Client, stack: Stack, statements: list[Statement]) -> None:
    post = await stack.save("read by one statement", [stack.accounts["plain"], stack.accounts["instagram"]])
    statements.clear()
    answer = await api.get(f"/v1/posts/{post.id}")
    assert answer.json()["content"] == "read by one statement"
    # The key is looked up once a second, whatever it asks for.
    own = [each for each in statements if each.concerns(post.id, stack.workspace_id)]
    assert [each.verb for each in own] == ["SELECT"]
