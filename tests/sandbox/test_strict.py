"""With --strict, a platform refuses unknown parameters instead of ignoring them."""

from typing import Any

import httpx
import pytest

from sandbox.server import running_sandbox
from sandbox.strict import TrackedParameters
from tests.sandbox.conftest import ACCOUNTS, IG_USER


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("where", ["query", "form", "json"])
async def test_misspelt_parameter_is_reported(where: str, *, strict: bool) -> None:
    async with running_sandbox(strict=strict) as (url, _), httpx.AsyncClient(base_url=url, verify=False) as client:
        await client.post("/_/accounts", json={"accounts": ACCOUNTS})
        right = {"image_url": "https://example.com/a.jpg", "caption": "Hello"}
        wrong = {"captoin": "Hello"}
        options: dict[str, Any] = {
            "query": {"params": wrong, "data": right},
            "form": {"data": right | wrong},
            "json": {"json": right | wrong},
        }[where]
        answer = await client.post(
            f"/instagram/v25.0/{IG_USER}/media", headers={"authorization": "Bearer ig-token"}, **options
        )
        assert answer.status_code == (400 if strict else 200), answer.text
        assert ("captoin" in answer.text) is strict


def test_iterated_parameters_count_as_read() -> None:
    for read in (
        dict,
        list,
        lambda parameters: {**parameters},
        lambda parameters: parameters.items(),
        lambda parameters: parameters.values(),
    ):
        parameters = TrackedParameters({"a": 1, "b": 2})
        assert parameters.unread() == {"a", "b"}
        read(parameters)
        assert parameters.unread() == set()
    parameters = TrackedParameters({"a": 1, "b": 2})
    assert (parameters.get("a"), "c" in parameters, parameters.raw()) == (1, False, {"a": 1, "b": 2})
    assert parameters.unread() == {"b"}
